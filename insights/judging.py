"""What a run that ended came to, from its journal. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from agents.loop_reading import LOOPS
from agents.states import Outcome, RunState, StepKind, StepState
from insights.vocabulary import Failure, How, Result, band_of

MODEL_KINDS: Final = frozenset({StepKind.MODEL, StepKind.SCORE, StepKind.ROUTE})
CALL_KINDS: Final = frozenset({StepKind.TOOL, StepKind.DELEGATE})
SAID: Final = frozenset({StepKind.MESSAGE, StepKind.GOAL, StepKind.HAND_BACK})
#: Resolutions by which a person changes the course of a run. Approving what was proposed, accepting an answer
#: and answering a question do not.
INTERVENING: Final = frozenset(
    {
        *("sent_back", "rejected", "stopped", "corrected", "extended"),
        *("continued", "changed", "happened", "did_not", "compensate"),
    }
)
#: How a request about a call was closed, where that settled the call.
SETTLING: Final = frozenset({How.APPROVED, How.SENT_BACK, How.REJECTED, How.STOPPED})
_TROUBLES: Final[Mapping[str, Failure]] = {
    "repairs_exhausted": Failure.UNUSABLE_REPLIES,
    "context_full": Failure.CONTEXT_FULL,
    "crash_loop": Failure.CRASH,
    "tools_changed": Failure.DEPLOY,
    "agent_gone": Failure.DEPLOY,
    "journal_too_new": Failure.DEPLOY,
    "state_gone": Failure.DEPLOY,
    "state_failed": Failure.WORKFLOW,
    "not_done": Failure.WORKFLOW,
    "goal_changed": Failure.WORKFLOW,
    "answer_sent_back": Failure.WRONG_ANSWER,
}
_FIELD: Final = re.compile(r"(?:^|; )([A-Za-z_][A-Za-z0-9_]{0,62})[.:]")
_BUILT_IN: Final = frozenset({"read_result", "remember", "recall", "delegate"})
UNKNOWN_ARGUMENT: Final = "?"


@dataclass(frozen=True)
class Version:
    """Of a version of an agent: its agent, category, and the names of its tools' arguments by tool."""

    agent: str
    digest: str
    category: str
    tools: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, digest: str, definition: Mapping[str, Any]) -> Version:
        """From the definition as it is recorded."""
        return cls(
            agent=str(definition["slug"]),
            digest=digest,
            category=str(definition.get("category") or ""),
            tools={
                str(tool["name"]): frozenset(tool.get("schema", {}).get("properties", {}))
                for tool in definition.get("tools", ())
            },
        )


@dataclass(frozen=True)
class StepRow:
    """One step, as far as it counts. `at`: when a person resolved it, else when it was settled or begun."""

    seq: int
    kind: str
    name: str
    state: str
    problem: str
    gate: str | None
    asked: bool
    resolution: str | None
    edited: bool
    by_person: bool
    at: datetime
    attempts: int
    cost_micros: int | None
    complaint: str | None


@dataclass(frozen=True)
class RunRow:
    """One run that ended. `acted`: it has effects that may be undone or bounce; `undone` and `bounced`: one was,
    within the time that corrections count."""

    id: UUID
    version: Version
    created_at: datetime
    finished_at: datetime
    state: str
    outcome: str
    is_child: bool
    step_count: int
    waited_seconds: float
    acted: bool
    undone: bool
    bounced: bool
    steps: Sequence[StepRow] = field(default=())


@dataclass(frozen=True)
class Facts:
    """What the run came to; as `insights.models.RunFact` keeps it."""

    day: date
    result: Result
    provisional: bool
    assigned: str
    steps: int
    band: str
    cost_micros: int
    unpriced: int
    retries: int
    interventions: int
    intervened_ms: int | None
    resolved_ms: int
    worked_ms: int
    calls: list[dict[str, Any]]


def judge(run: RunRow, *, now: datetime, window: timedelta) -> Facts:
    """`window`: for how long after its end a success may be corrected."""
    result, failure, provisional = _result(run, now=now, window=window)
    moments = _interventions(run, failure)
    whole = run.finished_at - run.created_at
    models = [step for step in run.steps if step.kind in MODEL_KINDS]
    made = [step for step in models if step.state == StepState.SUCCEEDED]
    return Facts(
        day=run.created_at.date(),
        result=result,
        provisional=provisional,
        assigned=failure.value if failure else "",
        steps=run.step_count,
        band=band_of(run.step_count),
        cost_micros=sum(step.cost_micros or 0 for step in models),
        unpriced=sum(step.cost_micros is None for step in made),
        retries=sum(step.attempts for step in run.steps),
        interventions=len(moments),
        intervened_ms=_ms(min(moments) - run.created_at) if moments else None,
        resolved_ms=_ms(whole),
        worked_ms=_ms(whole - timedelta(seconds=run.waited_seconds)),
        calls=calls_of(run.steps, run.version),
    )


def how_settled(step: StepRow) -> str:
    """A word of `How`; empty for a call that the gate was not asked about, and for one that was withdrawn."""
    if step.gate is None:
        return ""
    if not step.asked:
        return {"allow": How.AUTO.value, "deny": How.DENIED.value}.get(step.gate, "")
    if step.resolution == How.EXPIRED:
        return How.EXPIRED.value
    if not step.by_person or step.resolution not in SETTLING:
        return ""
    edited = step.edited and step.resolution == How.APPROVED
    return How.EDITED.value if edited else str(step.resolution)


def calls_of(steps: Sequence[StepRow], version: Version) -> list[dict[str, Any]]:
    """Its calls as `{tool, how, problem, arguments, n}`, equal ones together, in a fixed order.

    Names that a model made up are not kept: a tool that there is not is "", and such an argument "?".
    """
    counted: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
    for step in steps:
        if step.kind not in CALL_KINDS:
            continue
        known = step.name in version.tools or step.name in _BUILT_IN
        problem = step.problem if step.state == StepState.FAILED else ""
        arguments = _arguments(step.complaint, version.tools.get(step.name, frozenset()))
        key = (step.name if known else "", how_settled(step), problem, arguments)
        counted[key] += 1
    return [
        {"tool": tool, "how": how, "problem": problem, "arguments": list(arguments), "n": number}
        for (tool, how, problem, arguments), number in sorted(counted.items())
    ]


def _arguments(complaint: str | None, known: frozenset[str]) -> tuple[str, ...]:
    """The arguments that a complaint of `agents.proposals.describe_errors` names."""
    if complaint is None:
        return ()
    named = set(_FIELD.findall(complaint))
    return tuple(sorted({name if name in known else UNKNOWN_ARGUMENT for name in named}))


def _result(
    run: RunRow, *, now: datetime, window: timedelta
) -> tuple[Result, Failure | None, bool]:
    if run.state == RunState.SUCCEEDED and run.outcome == Outcome.DONE:
        said = {step.resolution for step in run.steps if step.kind == StepKind.FINAL}
        if "corrected" in said:
            return Result.CORRECTED, Failure.WRONG_ANSWER, False
        if "accepted" in said:
            return Result.SUCCESS, None, False
        if run.undone:
            return Result.CORRECTED, Failure.UNDONE, False
        if run.bounced:
            return Result.CORRECTED, Failure.BOUNCED, False
        return Result.SUCCESS, None, run.acted and now < run.finished_at + window
    if run.outcome == Outcome.ABSTAINED:
        return Result.ABSTAINED, Failure.ABSTAINED, False
    result = Result.FAILED if run.state == RunState.FAILED else Result.STOPPED
    return result, _failure(run.steps), False


def _failure(steps: Sequence[StepRow]) -> Failure:
    """The class of a run that was stopped or failed: what its journal last had trouble with."""
    for step in reversed(steps):
        found = _trouble(step)
        if found is not None:
            return found
        if step.state == StepState.SUCCEEDED and step.kind in (*CALL_KINDS, StepKind.QUESTION):
            # It went on well after whatever came before.
            break
    return Failure.CANCELLED


def _trouble(step: StepRow) -> Failure | None:
    """What stands in the way at this step; None where nothing does."""
    over = step.resolution in ("stopped", "expired") or step.state != StepState.SUCCEEDED
    match step.kind:
        case StepKind.BUDGET if over:
            return Failure.LIMIT
        case StepKind.ATTENTION if over:
            return _attention(step.name)
        case StepKind.IN_DOUBT if over:
            return Failure.IN_DOUBT
        case StepKind.FINAL if step.resolution == "sent_back":
            return Failure.WRONG_ANSWER
        case StepKind.MODEL if step.problem.startswith("model_"):
            return Failure.MODEL
    if step.resolution == "expired":
        return Failure.NO_DECISION
    if step.kind not in CALL_KINDS:
        return None
    if step.resolution in (How.STOPPED, How.REJECTED):
        return Failure.REFUSED
    if step.problem == "denied":
        return Failure.DENIED
    return Failure.TOOL_ERROR if step.state == StepState.FAILED else None


def _attention(name: str) -> Failure:
    if name.startswith("model_"):
        return Failure.MODEL
    return Failure.LOOP if name in LOOPS else _TROUBLES.get(name, Failure.OTHER)


def _interventions(run: RunRow, failure: Failure | None) -> list[datetime]:
    """When people changed the run's course."""
    moments = [
        step.at
        for step in run.steps
        if step.kind in SAID
        or (
            step.by_person
            and (step.resolution in INTERVENING or (step.edited and step.resolution == "approved"))
        )
    ]
    if failure is Failure.CANCELLED and not run.is_child:
        moments.append(run.finished_at)
    return moments


def _ms(span: timedelta) -> int:
    return max(0, span // timedelta(milliseconds=1))
