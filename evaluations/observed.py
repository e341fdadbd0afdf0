"""What a run did, as its journal says: what expectations are held against, and cases are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agents.journal import ACTIONS, MALFORMED
from agents.models import Run, Step
from agents.states import PEOPLE, RunState, StepKind, StepState

NO_CALL: Final = "no_tool_call"
WAITING: Final = "waiting"
_ENDS: Final = {
    StepState.SUCCEEDED: "succeeded",
    StepState.FAILED: "failed",
    StepState.REFUSED: "refused",
}


@dataclass(frozen=True)
class CallMade:
    """One call of a tool that was proposed. `gate` is its verdict, empty where it never got there; `reasons` are
    codes; `ended` is a word of `schemas.Ended`."""

    seq: int
    tool: str
    arguments: dict[str, Any]
    gate: str
    reasons: tuple[str, ...]
    ended: str
    problem: str


@dataclass(frozen=True)
class Observed:
    """How a run went. `outcome` is `waiting` while it waits for people; `asks` are what it waits for, `errors`
    codes of replies that had to be made again."""

    outcome: str
    answer: dict[str, Any]
    calls: tuple[CallMade, ...] = ()
    errors: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    reviews: int = 0
    asks: tuple[str, ...] = ()
    steps: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    tokens: int = 0
    cost_micros: int = 0
    unpriced_calls: int = 0
    seconds: float = 0.0
    failure: dict[str, Any] = field(default_factory=dict)


def observe(run: Run, steps: Sequence[Step]) -> Observed:
    """What the run did up to now; `steps` is its whole journal, in order."""
    calls = tuple(_call(step) for step in steps if step.kind in ACTIONS and _was_read(step))
    return Observed(
        outcome=run.outcome or (WAITING if run.state == RunState.WAITING else run.state),
        answer=run.output or {},
        calls=calls,
        errors=tuple(step.problem for step in steps if step.problem in MALFORMED | {NO_CALL}),
        claims=tuple(
            f"{claim['says']} {claim['journal']}"
            for step in steps
            if step.kind == StepKind.FINAL
            for claim in (step.request or {}).get("claims") or ()
        ),
        reviews=sum(_was_asked(step) for step in steps),
        asks=tuple(asked_as(step) for step in steps if step.state == StepState.WAITING),
        steps=run.step_count,
        model_calls=run.model_calls,
        tool_calls=run.tool_calls,
        tokens=run.tokens_in + run.tokens_out,
        cost_micros=run.cost_micros,
        unpriced_calls=run.unpriced_calls,
        seconds=run.active_seconds,
        failure=run.failure or {},
    )


def asked_as(step: Step) -> str:
    """How a scenario names what a step asks of people: a tool, or a kind."""
    if step.kind in ACTIONS:
        return step.name
    return {
        StepKind.QUESTION: "question",
        StepKind.BUDGET: "budget",
        StepKind.ATTENTION: "attention",
        StepKind.FINAL: "result",
    }.get(StepKind(step.kind), step.kind)


def _was_asked(step: Step) -> bool:
    if step.kind in PEOPLE or step.kind == StepKind.QUESTION:
        return True
    if step.kind == StepKind.FINAL:
        return bool((step.request or {}).get("claims") or (step.request or {}).get("threshold_bp"))
    return step.judgement is not None and step.judgement["verdict"]["outcome"] == "review"


def _was_read(step: Step) -> bool:
    return step.problem not in MALFORMED


def _call(step: Step) -> CallMade:
    verdict = (step.judgement or {}).get("verdict") or {}
    return CallMade(
        seq=step.seq,
        tool=step.name,
        arguments=step.arguments or {},
        gate=str(verdict.get("outcome") or ""),
        reasons=tuple(str(each["code"]) for each in verdict.get("reasons") or ()),
        ended=_ENDS.get(StepState(step.state), WAITING),
        problem=step.problem,
    )
