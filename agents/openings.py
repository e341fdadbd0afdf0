"""What people are asked, for each kind of request that a run can wait for. Pure, but for previews."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from accounts.models import User
from agents import amounts
from agents.claims import Claim
from agents.definitions import Agent
from agents.done import call_words, state_words
from agents.evidence import bounded, evidence, handed_over
from agents.gating import Subject, preview_of
from agents.judged import Judged
from agents.masking import sensitive_by_tool, withheld_values
from agents.models import EffectRecord, Run, Step
from agents.tools import Tool
from agents.withheld import definitions_of, kin_values
from approvals.reasons import beside_needed
from approvals.schemas import CoinToss, Fact, Opening, Preview
from approvals.vocabulary import Kind

LOST = (
    "The call was sent and its answer was lost. It is not sent again by itself. "
    "Look at the other side, then say what you found."
)
CLAIMS = "claims what the journal does not bear out"
UNSURE = "is not sure enough of its answer"
NOT_FOUND = (
    "The tool reported success, but reading it back did not find it. It is not sent again by itself. "
    "Look at the other side, then say what you found."
)
UNDO = "“Compensate” has its undo proposed, as an action that is decided on its own."
BY_HAND = "“Compensate” says that you make up for it by hand: the tool cannot undo it."
ANSWER_SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "minLength": 1, "maxLength": 5_000},
    "number": {"type": "number"},
    "yes_no": {"type": "boolean"},
}


def for_action(
    agent: Agent, run: Run, step: Step, tool: Tool, earlier: Sequence[Step], now: datetime
) -> Opening:
    """A proposed call that a person decides."""
    assert step.judgement is not None
    judged = Judged.load(step.judgement)
    preview = preview_of(Subject(agent, run), tool, step.arguments or {}, now, step.undoes)
    about, asked = _about(run, step, earlier), (step.request or {}).get("undo")
    if asked:
        # Whoever asked for the undo is its initiator, and does not decide on it.
        about["initiator"] = asked["by"]
        why = (Fact(label="Why", value=asked["reason"]),) if asked["reason"] else ()
        whose = Fact(label="Asked for by", value=asked["name"])
        preview = preview.model_copy(update={"facts": (*preview.facts, whose, *why)})
    return Opening(
        kind=Kind.ACTION,
        **about,
        action=judged.action.model_copy(update={"preview": preview}),
        confidence=judged.confidence,
        context=judged.context,
        verdict=judged.verdict,
        coin=CoinToss.model_validate(step.coin) if step.coin else None,
        preview=preview,
        route=str(step.judgement.get("route") or ""),
        rationale=step.rationale,
        sensitive=tuple(sorted(tool.sensitive)),
        cosmetic=tuple(sorted(tool.cosmetic)),
    )


def for_question(run: Run, step: Step, earlier: Sequence[Step]) -> Opening:
    """A question of the agent, with the JSON Schema of its answer."""
    asked = step.arguments or {}
    schema = ANSWER_SCHEMAS.get(asked["answer_type"])
    if schema is None:
        schema = {"type": "string", "enum": asked["choices"] or ["yes", "no"]}
    return Opening(
        kind=Kind.QUESTION,
        **_about(run, step, earlier),
        preview=Preview(
            title=asked["question"], summary=f"{run.agent.title} asks and waits for the answer."
        ),
        question={
            "question": asked["question"],
            "answer_type": asked["answer_type"],
            "choices": asked["choices"],
            "schema": schema,
        },
    )


def for_budget(run: Run, step: Step, earlier: Sequence[Step]) -> Opening:
    """A cap that was reached: extend it or stop."""
    cap = step.request or {}
    name, used, limit = str(cap["cap"]), int(cap["used"]), int(cap["limit"])
    words = amounts.name_of(name)
    reached = amounts.sentence(name, used, limit, int(cap.get("needed", 0)))
    return Opening(
        kind=Kind.BUDGET,
        **_about(run, step, earlier),
        preview=Preview(
            title=f"{run.agent.title} has reached its limit of {words}",
            summary=f"{reached} It stands still until the limit is raised or the run is stopped.",
            facts=(
                Fact(label="Used", value=amounts.amount_of(name, used)),
                Fact(label="Limit", value=amounts.amount_of(name, limit)),
            ),
        ),
        question={
            "question": f"Raise the limit of {words}, and by how much? Or stop the run.",
            "caps": {name: used},
            "raising": {name: amounts.raising(name, cap)},
        },
    )


def for_attention(run: Run, step: Step, earlier: Sequence[Step]) -> Opening:
    """Something that the run cannot mend by itself: go on or stop."""
    told = step.request or {}
    facts = [
        *told.get("facts", {}).items(),
        *(("Change", said) for said in told.get("changes", ())),
    ]
    question: dict[str, Any] = {"question": "Go on, or stop the run?", "code": told["code"]}
    if told.get("choices"):
        question["question"] = "How does the run go on? Or stop it."
        question["choices"] = told["choices"]
        question["may_continue"] = bool(told.get("calls"))
    return Opening(
        kind=Kind.ATTENTION,
        **_about(run, step, earlier),
        preview=Preview(
            title=f"{run.agent.title}: {told['title']}",
            summary=str(told["summary"]),
            facts=tuple(Fact(label=str(label), value=str(value)) for label, value in facts),
        ),
        question=question,
    )


def for_doubt(
    agent: Agent | None,
    run: Run,
    step: Step,
    done: Step,
    effect: EffectRecord,
    earlier: Sequence[Step],
    *,
    reported: Any = None,
) -> Opening:
    """An effect whose outcome nobody knows: did it happen? `reported`: the result its tool gave.

    Of a tool that is gone only the name and the arguments are left to show, all of them as sensitive.
    """
    tool = agent.tool(done.name) if agent else None
    undo = tool is not None and tool.compensation is not None
    arguments = done.arguments or {}
    if agent is None or tool is None:
        preview = Preview(title=done.name.replace("_", " ").capitalize())
        sensitive = sorted(arguments)
    else:
        at = effect.dispatched_at or run.created_at
        preview = preview_of(Subject(agent, run), tool, arguments, at)
        sensitive = sorted(tool.sensitive)
    return Opening(
        kind=Kind.IN_DOUBT,
        **_about(run, step, earlier),
        preview=Preview(
            title=f"Did this happen? {preview.title}",
            summary=f"{LOST if reported is None else NOT_FOUND} {UNDO if undo else BY_HAND}",
            subject=preview.subject,
            facts=(
                *preview.facts,
                Fact(label="Key sent along", value=effect.idempotency_key),
                Fact(label="Sent", value=f"{effect.dispatched_at:%Y-%m-%d %H:%M:%S} UTC"),
                *_reported(reported),
            ),
        ),
        question={
            "question": "Did it happen?",
            "arguments": done.arguments,
            "compensate": "undo" if undo else "by_hand",
            **({} if reported is None else {"reported": reported}),
        },
        sensitive=tuple(sensitive),
        effect_id=effect.pk,
    )


def _reported(value: Any) -> tuple[Fact, ...]:
    if value is None:
        return ()
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return (Fact(label="Result reported", value=str(bounded(text))),)


def for_result(
    agent: Agent,
    run: Run,
    step: Step,
    earlier: Sequence[Step],
    claims: Sequence[Claim],
    effects: Sequence[EffectRecord],
) -> Opening:
    """A final answer that the journal does not bear out, or of which the model is not sure enough.

    `claims` are the false ones; `effects` what the run did, each with its step.
    """
    threshold = (step.request or {}).get("threshold_bp")
    sure = (
        (
            Fact(
                label="Confidence",
                value=beside_needed(step.confidence_bp or 0, threshold),
            ),
        )
        if threshold is not None
        else ()
    )
    return Opening(
        kind=Kind.RESULT,
        **_about(run, step, earlier),
        preview=Preview(
            title=f"{run.agent.title} {CLAIMS if claims else UNSURE}",
            summary="The run waits. Nothing of the answer was passed on.",
            facts=sure,
        ),
        question={
            "question": "Accept the answer, correct it, or send it back?",
            "claims": [claim.as_json() for claim in claims],
            "output": step.arguments or {},
            "schema": agent.output_schema,
            "done": [
                {
                    "step": effect.step.seq,
                    "title": call_words(effect.step.name, effect.step.arguments or {}, frozenset()),
                    "stands": state_words(effect.state, undone=bool(vars(effect).get("is_undone"))),
                }
                for effect in effects
            ],
        },
        rationale=step.rationale,
    )


def for_hand_back(run: Run, step: Step, person: User, earlier: Sequence[Step]) -> Opening:
    """A run that a person took over: they hand it back, or somebody of the group that owns its agent."""
    why = str((step.request or {})["text"])
    return Opening(
        kind=Kind.HAND_BACK,
        # The one who took it over is who may give it back, whoever started it.
        **{**_about(run, step, earlier), "initiator": person.pk},
        preview=Preview(
            title=f"{person} has taken over: {run.title}",
            summary="The run stands still until it is handed back.",
            facts=(Fact(label="Why", value=why),) if why else (),
        ),
        question={"question": "What does the agent need to know to go on?"},
    )


def _about(run: Run, step: Step, others: Sequence[Step]) -> dict[str, Any]:
    """`others`: the steps of the run, those of the same reply that come after this one too."""
    # The version may have changed under way: what it said before of what it was told then still holds.
    sensitive = sensitive_by_tool(definitions_of(run, others))
    earlier = [other for other in others if other.seq < step.seq]
    seen = [*handed_over(run), *evidence(earlier, sensitive)]
    return {
        "run_id": run.pk,
        "step_seq": step.seq,
        "agent": run.agent.slug,
        "agent_title": run.agent.title,
        "agent_version": run.agent_version.digest,
        "owner_group": run.agent.owner_group.slug,
        "initiator": run.initiator_id,
        "evidence": tuple(seen),
        "withheld": tuple(sorted(withheld_values([*others, step], sensitive) | kin_values(run))),
    }
