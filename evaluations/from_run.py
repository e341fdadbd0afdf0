"""A case made from what a run did: its input, what its tools and people answered, and what came of it.

Nothing that only some may read is kept: values of sensitive arguments are replaced by a mark wherever they are
repeated, for every reader, and a case that still holds a mark is not saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents.journal import ACTIONS, MALFORMED
from agents.masking import sensitive_by_tool, withheld_values
from agents.models import Run, Step
from agents.notebook import READ_RESULT
from agents.secret_masks import mark_of
from agents.simulation import SIMULATED
from agents.states import RunState, StepKind, StepState
from agents.tool_secrets import without_secrets
from agents.withheld import definitions_of, sensitive_values
from approvals.withholding import MASK, Withheld
from evaluations.observed import NO_CALL, observe
from evaluations.schemas import Case
from evaluations.vocabulary import QUESTION

LONGEST_NAME: Final = 100
#: Longer texts are worded anew each time.
LONGEST_EXPECTED: Final = 80
SECRET_MARK: Final = mark_of("").split(":")[0]
ROOM: Final = 2
"""Model calls and steps that a later version may take more than the run did."""
_DECIDED: Final = {"rejected": "reject", "sent_back": "send_back"}


@dataclass(frozen=True)
class Tools:
    """What the version of a run says of its tools, by name; `sensitive`, what any version says that it was made
    under."""

    identity: Mapping[str, frozenset[str]]
    worded: Mapping[str, frozenset[str]]
    sensitive: Mapping[str, frozenset[str]]
    consequential: Sequence[str]

    @classmethod
    def of(cls, run: Run, steps: Sequence[Step]) -> Tools:
        tools = run.agent_version.definition.get("tools") or ()
        return cls(
            identity={tool["name"]: frozenset(tool.get("identity") or ()) for tool in tools},
            worded={tool["name"]: frozenset(tool.get("cosmetic") or ()) for tool in tools},
            sensitive=sensitive_by_tool(definitions_of(run, steps)),
            consequential=sorted(
                tool["name"] for tool in tools if tool.get("effects") or tool["risk"] != "low"
            ),
        )

    def told(self, step: Step, *, only_identity: bool) -> dict[str, Any]:
        """The arguments of a call by which it is known again."""
        given = step.arguments or {}
        names = self.identity.get(step.name, frozenset()) if only_identity else given
        hidden = self.worded.get(step.name, frozenset()) | self.sensitive.get(
            step.name, frozenset()
        )
        return {
            name: value
            for name, value in given.items()
            if name in names and name not in hidden and _is_short(value)
        }


def case_from(run: Run, steps: Sequence[Step]) -> Case:
    """The case that a run makes, without what may not be kept; `steps` is its whole journal, in order.

    What is expected is what happened; of a run that failed, that it does not.
    """
    tools = Tools.of(run, steps)
    document = {
        "name": _name(run),
        "input": dict(run.input),
        "tools": _answers(steps, tools),
        "people": list(_words(steps, tools)),
        "expect": _expectations(run, steps, tools),
    }
    values = sensitive_values([run]).get(run.pk, frozenset())
    withheld = Withheld(values | withheld_values(steps, tools.sensitive))
    clean = _without_secrets(_without(withheld, document))
    return Case.model_validate({name: value for name, value in clean.items() if value})


def marks_in(case: Mapping[str, Any]) -> list[str]:
    """Where in a case a mark stands in place of a value that may not be kept."""
    return list(_marked(case, ()))


def _marked(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _marked(str(name), (*path, str(name)))
            yield from _marked(item, (*path, str(name)))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _marked(item, (*path, str(place)))
    elif isinstance(value, str) and (MASK in value or SECRET_MARK in value):
        yield ".".join(path)


def _name(run: Run) -> str:
    words = " ".join(run.title.split())
    return words if len(words) <= LONGEST_NAME else f"{words[: LONGEST_NAME - 1]}…"


def _answers(steps: Sequence[Step], tools: Tools) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for step in steps:
        if step.kind not in ACTIONS or step.name == READ_RESULT or step.undoes_id is not None:
            continue
        answer = _answer(step)
        if answer is not None:
            when = tools.told(step, only_identity=True)
            found.setdefault(step.name, []).append({**({"when": when} if when else {}), **answer})
    return found


def _answer(step: Step) -> dict[str, Any] | None:
    """What came of a call that ran; None for one that did not."""
    output = step.output or {}
    if step.state == StepState.SUCCEEDED:
        return (
            {"simulated": True}
            if output.get("status") == SIMULATED
            else {"result": output.get("result")}
        )
    if step.state != StepState.FAILED or step.problem in MALFORMED:
        return None
    kind = "temporary" if step.problem == "retryable" else "refused"
    message = str(output.get("message") or step.problem)[:2_000]
    return {"error": {"message": message, "kind": kind}}


def _words(steps: Sequence[Step], tools: Tools) -> Iterator[dict[str, Any]]:
    """What people decided, in the order of the calls."""
    for step in steps:
        on = QUESTION if step.kind == StepKind.QUESTION else step.name
        if step.kind not in (*ACTIONS, StepKind.QUESTION) or step.undoes_id is not None:
            continue
        resolution, output = step.resolution or {}, step.output or {}
        kind, data = (
            str(resolution.get("kind") or output.get("status") or ""),
            resolution.get("data") or {},
        )
        why = str(data.get("reason") or output.get("feedback") or "")
        reason = {"reason": why} if why else {}
        if kind == "answered":
            yield {"on": on, "decide": "answer", "answer": output.get("answer")}
        elif kind in _DECIDED:
            said = {"reason": why or "Sent back."} if kind == "sent_back" else reason
            yield {"on": on, "decide": _DECIDED[kind], **said}
        elif resolution.get("edited") or output.get("edited_by_a_person"):
            secret = tools.sensitive.get(step.name, frozenset())
            given = output.get("arguments_that_ran") or step.arguments or {}
            kept = {name: MASK if name in secret else value for name, value in given.items()}
            yield {"on": on, "decide": "edit", "arguments": kept, **reason}
        elif kind == "approved" or (_was_reviewed(step) and step.state == StepState.SUCCEEDED):
            yield {"on": on, "decide": "approve"}
        elif step.state == StepState.WAITING or kind in ("expired", "no_answer"):
            yield {"on": on, "decide": "wait"}


def _was_reviewed(step: Step) -> bool:
    return ((step.judgement or {}).get("verdict") or {}).get("outcome") == "review"


def _expectations(run: Run, steps: Sequence[Step], tools: Tools) -> dict[str, Any]:
    seen = observe(run, steps)
    failed = run.state in (RunState.FAILED, RunState.CANCELLED)
    made = [
        {
            "tool": step.name,
            **({"arguments": told} if (told := tools.told(step, only_identity=False)) else {}),
            **(_what_became(step) if step.name in tools.consequential else {}),
        }
        for step in steps
        if step.kind in ACTIONS and step.name != READ_RESULT and _was_settled(step)
    ]
    called = {call.tool for call in seen.calls}
    never = [name for name in tools.consequential if name not in called]
    calls = {
        **({"in_order": made} if made else {}),
        **({"never": never} if never and not failed else {}),
    }
    if failed:
        # What should have happened is for a person to say.
        return {"outcome": "done", **({"calls": calls} if calls else {})}
    answer = {name: value for name, value in seen.answer.items() if _is_short(value)}
    errors = sum(step.problem in MALFORMED | {NO_CALL} for step in steps)
    return {
        "outcome": seen.outcome,
        **({"answer": answer} if answer and seen.outcome == "done" else {}),
        **({"calls": calls} if calls else {}),
        **({"model_calls": {"at_most": run.model_calls + ROOM}} if run.model_calls else {}),
        "correctable_errors": {"at_most": errors},
    }


def _was_settled(step: Step) -> bool:
    """Whether a call ran, or people refused it: what would come of it again."""
    if step.state == StepState.REFUSED:
        return step.problem in _DECIDED
    ran = step.state in (StepState.SUCCEEDED, StepState.FAILED)
    return ran and step.problem not in MALFORMED and step.undoes_id is None


def _what_became(step: Step) -> dict[str, str]:
    gate = str(((step.judgement or {}).get("verdict") or {}).get("outcome") or "")
    return {**({"gate": gate} if gate else {}), "ended": str(step.state)}


def _is_short(value: Any) -> bool:
    """Whether a value is one that is the same each time: no mapping, and no text in words."""
    if isinstance(value, str):
        return len(value) <= LONGEST_EXPECTED
    return value is None or isinstance(value, bool | int | float)


def _without(withheld: Withheld, value: Any) -> Any:
    """The document with the mark in place of every sensitive value; the names in it are ours or a tool's."""
    return withheld.arguments(value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {name: _without_secrets(item) for name, item in value.items()}
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value
