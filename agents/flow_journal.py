"""Reading where a workflow stands, and what came of its states, from the journal alone. Pure.

A state step says which move its state made. What the move asked for stands right after it: the call, the
question or the ending; after the state step of a decision point, the model's replies and what they answered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import TypeAdapter

from agents.context import words_of_people
from agents.definitions import Agent
from agents.drift import Trouble
from agents.journal import Journal
from agents.models import Run, Step
from agents.states import SETTLED, StepKind, StepState
from agents.workflow import FlowContext, Outcome, Workflow

NOT_DONE: Final = "call_not_done"
ANSWER_SENT_BACK: Final = "flow_answer_sent_back"
GOAL_CHANGED: Final = "flow_goal_changed"
REFUSED: Final[Mapping[str, str]] = {
    "rejected": "A person rejected it",
    "expired": "Nobody decided in time",
    "denied": "The policy denies it",
    "no_answer": "Nobody answered in time",
}
"""Refusals that end a run whose workflow says nothing else."""


@dataclass(frozen=True)
class Enter:
    """The state of that name is next."""

    state: str


@dataclass(frozen=True)
class Decide:
    """The decision point that this state step marks has no answer yet."""

    at: Step


@dataclass(frozen=True)
class GiveUp:
    """The run ends because a call was refused, and the workflow has no state for that."""

    reason: str


Place = Enter | Decide | GiveUp | Trouble


def place_of(flow: Workflow, journal: Journal) -> Place:
    """What comes next. Nothing of the newest state's move is open any more."""
    at = newest_state(journal)
    if at is None:
        return _entered(flow, flow.start)
    if _goal_changed(journal, at):
        return Trouble(
            GOAL_CHANGED,
            "its task was changed while it was under way",
            "A workflow follows its code and reads no new task. Go on with what it was started with, or stop "
            "the run and start another.",
            {"State": at.name},
        )
    move = at.request or {}
    if move["move"] == "go":
        return _entered(flow, move["then"])
    if move["move"] == "ask_model":
        return _entered(flow, move["then"]) if decision_of(journal, at) else Decide(at)
    return _after(flow, journal, at, move)


def _after(flow: Workflow, journal: Journal, at: Step, move: Mapping[str, Any]) -> Place:
    row = journal.step(at.seq + 1)
    outcome = _outcome(at.name, row, partial(_nothing))
    if move["move"] in ("done", "abstain"):
        return _after_ending(flow, journal, at, move, outcome)
    if outcome.done:
        return _entered(flow, move["then"])
    if outcome.status == "sent_back" and move.get("sent_back"):
        return _entered(flow, move["sent_back"])
    stopped = _is_switched_off(row)
    if outcome.status != "sent_back" and move.get("otherwise") and not stopped:
        return _entered(flow, move["otherwise"])
    if _was_let_go_on(journal, at, NOT_DONE):
        return _entered(flow, at.name)
    if outcome.status in REFUSED and not stopped:
        said = f": {outcome.feedback}" if outcome.feedback else ""
        return GiveUp(f"{REFUSED[outcome.status]}, at the state {at.name}{said}")
    return Trouble(
        NOT_DONE,
        "a call of it was not done",
        "Its workflow has no state for that. Go on to have the state asked again, or stop the run.",
        {
            "State": at.name,
            "What became of it": outcome.message or outcome.status,
            **({"Feedback": outcome.feedback} if outcome.feedback else {}),
        },
    )


def _after_ending(
    flow: Workflow, journal: Journal, at: Step, move: Mapping[str, Any], outcome: Outcome
) -> Place:
    """An ending that was not taken: a person sent the answer back, or said something meanwhile."""
    if outcome.status != "sent_back" or _was_let_go_on(journal, at, ANSWER_SENT_BACK):
        return _entered(flow, at.name)
    if move.get("sent_back"):
        return _entered(flow, move["sent_back"])
    return Trouble(
        ANSWER_SENT_BACK,
        "its answer was sent back",
        "Its workflow has no state for that. Go on to have the state asked again, or stop the run.",
        {
            "State": at.name,
            **({"Feedback": outcome.feedback} if outcome.feedback else {}),
        },
    )


def _was_let_go_on(journal: Journal, at: Step, trouble: str) -> bool:
    """Whether a person let the run go on with this trouble of the state."""
    return any(
        step.seq > at.seq and step.kind == StepKind.ATTENTION and step.name == trouble
        for step in journal.steps
    )


def _is_switched_off(row: Step) -> bool:
    """Whether a kill switch denied the call, which says nothing of the call itself."""
    verdict = (row.judgement or {}).get("verdict") or {}
    return any(reason.get("code") == "stopped" for reason in verdict.get("reasons") or ())


def _nothing() -> None:
    return None


def _entered(flow: Workflow, name: str) -> Place:
    if name in flow.states:
        return Enter(name)
    return Trouble(
        "state_gone",
        "its workflow has lost the state that comes next",
        "The installed workflow has no state of that name. Install one that has it and go on, or stop the run.",
        {"State": name},
    )


def _goal_changed(journal: Journal, at: Step) -> bool:
    """Whether the task changed since the state was entered, and nobody has let it go on since."""
    goal = max((s.seq for s in journal.steps if s.kind == StepKind.GOAL), default=0)
    return goal > at.seq and not any(
        step.seq > goal and step.kind == StepKind.ATTENTION and step.name == GOAL_CHANGED
        for step in journal.steps
    )


def newest_state(journal: Journal) -> Step | None:
    """The newest state step, or None."""
    return next((s for s in reversed(journal.steps) if s.kind == StepKind.STATE), None)


def decision_of(journal: Journal, at: Step) -> Step | None:
    """The answer that the decision point marked by this state step was given, or None."""
    for step in journal.steps:
        if step.seq <= at.seq:
            continue
        if step.kind == StepKind.STATE:
            return None
        if step.kind == StepKind.DECISION and step.state == StepState.SUCCEEDED:
            return step
    return None


def decisions_of(journal: Journal) -> dict[str, Step]:
    """The newest answer of each decision point, by the name of its state."""
    return {
        step.name: step
        for step in journal.steps
        if step.kind == StepKind.DECISION and step.state == StepState.SUCCEEDED
    }


def context_of(agent: Agent, run: Run, journal: Journal, state: str) -> FlowContext:
    """What the state is told. Raises pydantic.ValidationError where the input is not the agent's any more."""
    results: dict[str, Outcome] = {}
    last: Outcome | None = None
    visits = 0
    for at in journal.steps:
        if at.kind != StepKind.STATE:
            continue
        visits += at.name == state
        outcome = _outcome_at(agent, journal, at)
        if outcome is not None:
            results[at.name] = last = outcome
    return FlowContext(
        input=agent.input.model_validate_json(json.dumps(run.input)),
        results=results,
        last=last,
        said=tuple(words_of_people(journal.steps)),
        visits=visits,
    )


def _outcome_at(agent: Agent, journal: Journal, at: Step) -> Outcome | None:
    move = at.request or {}
    match move["move"]:
        case "go":
            return Outcome(at.name, "went_on")
        case "ask_model":
            decision = decision_of(journal, at)
            return _decided(agent, decision) if decision is not None else None
        case "call" | "ask_person":
            row = journal.step(at.seq + 1)
            return _outcome(at.name, row, partial(_value, agent, row))
        case "done":
            sent_back = _outcome(at.name, journal.step(at.seq + 1), partial(_nothing))
            return sent_back if sent_back.status == "sent_back" else None
        case _:
            return None


def _decided(agent: Agent, decision: Step) -> Outcome:
    assert agent.flow is not None, "only workflows have decision points"
    state = agent.flow.states.get(decision.name)
    answer = state.asks if state else None
    text = json.dumps(decision.arguments)
    bp = decision.confidence_bp
    return Outcome(
        decision.name,
        "decided",
        partial(answer.model_validate_json, text) if answer else partial(json.loads, text),
        arguments=decision.arguments or {},
        confidence=None if bp is None else bp / 10_000,
        rationale=decision.rationale,
    )


def _outcome(state: str, row: Step, read: partial[Any]) -> Outcome:
    output = row.output or {}
    settled = row.state in SETTLED
    return Outcome(
        state,
        str(output.get("status") or "failed") if settled else "open",
        read,
        message=str(output.get("message") or ""),
        feedback=str(output.get("feedback") or ""),
        reason_code=str(output.get("reason_code") or ""),
        arguments=row.arguments or {},
        edited=bool(output.get("edited_by_a_person")),
    )


def _value(agent: Agent, row: Step) -> Any:
    output = row.output or {}
    if row.kind == StepKind.QUESTION:
        return output.get("answer")
    tool = agent.tool(row.name)
    adapter: TypeAdapter[Any] = tool.result if tool else TypeAdapter(Any)
    return adapter.validate_json(json.dumps(output.get("result")))
