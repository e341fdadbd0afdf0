"""What stands inside an opened step of a timeline, taken from its journal row. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext, ngettext

from agents import amounts, wording
from agents.chains import MOST_REPAIRS
from agents.journal_schemas import CONTEXT
from agents.masking import Mask
from agents.models import Step
from agents.simulation import source_of
from agents.states import SETTLED, StepKind, StepState
from approvals.reasons import points, sentences, without_score
from approvals.schemas import Confidence
from approvals.score_words import PROBLEMS, ScoreLine, score_lines
from audit.wordings import Words

GATE_WORDS: Final = Words(
    {
        "allow": "The gate allowed it",
        "review": "The gate asked for a person",
        "deny": "The gate denied it",
    }
)


LONGEST_REASONING: Final = 20_000


@dataclass(frozen=True)
class Judgement:
    """The gate's word on a call. `score` is empty while the score is secret."""

    word: str
    reasons: list[str]
    score: str
    scores: list[ScoreLine]
    policy_version: int


@dataclass(frozen=True)
class Change:
    """One argument that a person changed before the call ran."""

    label: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Attempt:
    """One failed attempt at a model; `again_seconds` is how long it took until the next one."""

    at: datetime
    model: str
    message: str
    took_seconds: float
    again_seconds: float | None


def judgement_of(
    step: Step, shown: Mapping[str, Any], *, covered: bool = False
) -> Judgement | None:
    """The gate's word; `shown` is the step as `step_as_json` lets it out.

    `covered`: the reader may not see all arguments, which objections can repeat.
    """
    verdict = (step.judgement or {}).get("verdict")
    if verdict is None:
        return None
    reasons = verdict.get("reasons") or []
    # step_as_json leaves the verdict out while the score is secret.
    secret = shown["verdict"] is None
    return Judgement(
        word=GATE_WORDS.get(str(verdict["outcome"]), "The gate spoke"),
        reasons=sentences(without_score(reasons) if secret else reasons),
        score="" if secret else _score(shown["confidence"], int(verdict["threshold_bp"])),
        scores=[] if secret else _scores(step, covered=covered),
        policy_version=int(verdict.get("policy_version") or 0),
    )


def _score(sure: float | None, threshold_bp: int) -> str:
    said = (
        gettext("no usable confidence")
        if sure is None
        else gettext("confidence {confidence}").format(confidence=points(round(sure * 10_000)))
    )
    return gettext("{said}, threshold {threshold_bp}").format(
        said=said, threshold_bp=points(threshold_bp)
    )


def _scores(step: Step, *, covered: bool) -> list[ScoreLine]:
    """All scores, where there is more to say than the one that decided."""
    confidence = Confidence.model_validate((step.judgement or {})["confidence"])
    lines = score_lines(confidence, objections=not covered)
    return lines if len(lines) > 1 else []


def changes_of(step: Step, mask: Mask) -> list[Change]:
    """What a person changed in the call: from what the agent proposed to what ran."""
    if not (step.resolution or {}).get("edited") or step.judgement is None:
        return []
    before = mask.arguments(step.seq, step.judgement["action"]["arguments"])
    after = mask.arguments(step.seq, step.arguments)
    return [
        Change(wording.plain(name), before.get(name), after.get(name))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def attempts_of(step: Step) -> list[Attempt]:
    """The failed attempts of a model call, in order."""
    moments = [datetime.fromisoformat(attempt["at"]) for attempt in step.attempts]
    took = [float(attempt.get("latency_ms") or 0) / 1000 for attempt in step.attempts]
    made = []
    for number, attempt in enumerate(step.attempts):
        again = None
        if number + 1 < len(moments):
            # An attempt is journalled as it fails, so the wait before the next one is what is left.
            between = (moments[number + 1] - moments[number]).total_seconds()
            again = max(0.0, between - took[number + 1])
        message = str(attempt.get("message") or attempt.get("code") or "")
        asked = str(attempt.get("model") or "")
        made.append(Attempt(moments[number], asked, message, took[number], again))
    return made


SOURCES: Final = Words(
    {
        "given": "Not made: answered with what was given for it.",
        "nothing": "Simulated: not made, and nothing is known of what would come of it.",
    }
)


def simulated_words(step: Step) -> str:
    """What answered a call of a simulated run in place of its tool; empty for other steps."""
    source = source_of(step)
    if source.get("from") == "journal":
        return gettext("Not made: answered from step {seq} of the journal.").format(
            seq=source["step"]
        )
    return SOURCES.get(str(source.get("from")), "")


def note_of(step: Step) -> str:
    """What a person's word, or a call of a model, came to."""
    output = step.output or {}
    match step.kind:
        case StepKind.SCORE:
            return _score_note(output)
        case StepKind.MODEL:
            context = _context_note((step.request or {}).get(CONTEXT) or {})
            return " ".join(filter(None, (_model_note(output), context)))
        case StepKind.FINAL:
            return _answer_note(step, output)
        case StepKind.ROUTE:
            return _route_note(output)
        case _:
            return _note(step, output)


def _model_note(output: Mapping[str, Any]) -> str:
    """Why another model was asked than before."""
    if not output.get("instead_of"):
        return ""
    return gettext(
        "{output} gave no usable call {most_repairs} times in a row, so the next model "
        "of the chain was asked."
    ).format(output=output["instead_of"], most_repairs=MOST_REPAIRS + 1)


def _route_note(output: Mapping[str, Any]) -> str:
    """Which path the run takes, and with what."""
    if output.get("problem") == "nonsense":
        return gettext(
            "It named none of the kinds, so the run goes the whole way: all tools, all models."
        )
    if output.get("problem"):
        return gettext(
            "It could not be asked, so the run goes the whole way: all tools, all models."
        )
    if not output.get("path"):
        return ""
    tools = ", ".join(wording.plain(name).lower() for name in output["tools"])
    return gettext("It is of the kind {what}: {output} is asked first, with {tools}.").format(
        what=wording.plain(output["path"]).lower(),
        output=output["entry"],
        tools=f"these tools: {tools}" if tools else "all tools",
    )


def _note(step: Step, output: Mapping[str, Any]) -> str:
    status = str(output.get("status") or "")
    match step.kind:
        case StepKind.IN_DOUBT:
            return wording.FOUND.get(status, "")
        case StepKind.BUDGET:
            return _budget_note(output, status)
        case StepKind.QUESTION if status == "answered":
            return gettext("The answer: {output}").format(
                output=wording.brief(output.get("answer"), 400)
            )
        case StepKind.QUESTION if status == "no_answer":
            return gettext("Nobody answered in time.")
        case StepKind.ATTENTION if output.get("refused"):
            return str(output["refused"])
        case StepKind.ATTENTION if output.get("choice"):
            chosen = wording.CHOSEN.get(str(output["choice"]), "")
            return f"{chosen} {output['note']}".strip() if output.get("note") else chosen
        case StepKind.ATTENTION if output.get("continue"):
            told = str(output.get("note") or "")
            return (
                gettext("A person let it go on: {told}").format(told=told)
                if told
                else gettext("A person let it go on.")
            )
        case StepKind.TOOL if held_back := wording.held_back_words(step):
            return held_back
        case StepKind.TOOL if "in_line_since" in (step.request or {}):
            return _turn_of(step)
        case StepKind.HAND_BACK if status == "returned":
            return gettext("{output} handed it back: {said}").format(
                output=output.get("by") or "A person", said=output["message"]
            )
        case StepKind.TOOL if (
            step.state == StepState.SUCCEEDED and "arguments_that_ran" not in output
        ):
            return str(output.get("note") or "")
        case _:
            return ""


def _context_note(context: Mapping[str, Any]) -> str:
    """What was not sent whole."""
    referenced, listed = len(context.get("shortened") or ()), context.get("exchanges_listed") or 0
    said = []
    if referenced:
        said.append(
            ngettext(
                "{number} result as references", "{number} results as references", referenced
            ).format(number=referenced)
        )
    if listed:
        said.append(
            ngettext(
                "{number} earlier exchange as a list",
                "{number} earlier exchanges as a list",
                listed,
            ).format(number=listed)
        )
    return (
        gettext("To make room, it was sent {said}.").format(said=gettext(" and ").join(said))
        if said
        else ""
    )


def _answer_note(step: Step, output: Mapping[str, Any]) -> str:
    """What the journal held against the answer, and what a person said of it."""
    asked = step.request or {}
    against = [f"{claim['says']} {claim['journal']}" for claim in asked.get("claims") or ()]
    if "threshold_bp" in asked:
        sure = points(step.confidence_bp or 0)
        against.append(
            gettext("Its confidence is {sure}; {asked} is needed.").format(
                sure=sure, asked=points(asked["threshold_bp"])
            )
        )
    by = output.get("by") or "A person"
    if output.get("accepted"):
        against.append(gettext("{by} accepted the answer all the same.").format(by=by))
    elif output.get("corrected"):
        against.append(gettext("{by} corrected the answer.").format(by=by))
    return " ".join(against)


def sure_words(step: Step, shown: Mapping[str, Any]) -> str:
    """How sure the model was of its answer at a decision point; empty while that is secret."""
    if step.kind != StepKind.DECISION or shown["confidence"] is None:
        return ""
    return gettext("Its confidence is {confidence}.").format(
        confidence=points(round(shown["confidence"] * 10_000))
    )


def _budget_note(output: Mapping[str, Any], status: str) -> str:
    """What became of a run that stood at a limit."""
    if status == "freed":
        return gettext("Limits were changed, or a new day or month began, so it looked again.")
    if status != "extended":
        return ""
    raised = ", ".join(
        gettext("{name} by {amount}").format(
            name=amounts.name_of(name), amount=amounts.amount_of(name, int(amount))
        )
        for name, amount in output["caps"].items()
    )
    return gettext("A person raised the limit: {raised}.").format(raised=raised)


def _score_note(output: Mapping[str, Any]) -> str:
    """What a call that gathers a score came to; what was objected stands with the call it is about."""
    if output.get("problem"):
        problem = PROBLEMS.get(str(output["problem"]), "the model could not be asked")
        return gettext("No score came of it: {problem}.").format(problem=problem)
    if output.get("score_bp") is not None:
        number = len(output.get("objections") or ())
        found = (
            ngettext("{number} objection", "{number} objections", number).format(number=number)
            if number
            else gettext("no objections")
        )
        return gettext("Its score is {output}, with {found}.").format(
            output=points(int(output["score_bp"])), found=found
        )
    if "agrees" in output:
        return (
            gettext("It proposes the same.")
            if output["agrees"]
            else gettext("It proposes something else.")
        )
    return ""


def _turn_of(step: Step) -> str:
    if wording.is_in_line(step) and step.state not in SETTLED:
        return gettext("Another call works on what this one would touch; it waits for its turn.")
    return gettext("It waited for its turn: another call worked on what it touches.")


def feedback_of(step: Step) -> str:
    """What the person wrote who decided on the step's request."""
    feedback = (step.output or {}).get("feedback")
    if feedback:
        return str(feedback)
    data = (step.resolution or {}).get("data") or {}
    return str(data.get("reason") or data.get("message") or "")


def said_of(step: Step) -> str:
    """The words in a model's reply, beside its calls."""
    if step.kind != StepKind.MODEL or not isinstance(step.response, dict):
        return ""
    try:
        content = step.response["choices"][0]["message"].get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        return ""
    return content if isinstance(content, str) else ""


def reasoning_of(step: Step) -> str:
    """What the model thought before it replied, where its server tells; bounded, and nobody vouches for it."""
    if step.kind != StepKind.MODEL or not isinstance(step.response, dict):
        return ""
    try:
        message = step.response["choices"][0]["message"]
        told = message.get("reasoning_content") or message.get("reasoning")
    except (KeyError, IndexError, TypeError, AttributeError):
        return ""
    return told[:LONGEST_REASONING] if isinstance(told, str) else ""


def result_of(step: Step) -> tuple[Any, bool]:
    """What a call gave, and whether that may hold text that somebody outside wrote."""
    output = step.output
    if isinstance(output, dict) and "result" in output:
        return output["result"], output.get("trust") == "untrusted"
    return None, False
