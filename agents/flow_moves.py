"""A state's move as the journal keeps it: checked against the agent, with the row of what it asks for. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from agents.builtin import Abstention, Question
from agents.definitions import Agent
from agents.flow_journal import decisions_of
from agents.journal import Journal
from agents.proposals import MAX_ARGUMENT_BYTES, confidence_bp
from agents.states import StepKind, StepState
from agents.storable import storable
from agents.tools import Tool
from agents.workflow import Abstain, AskModel, AskPerson, Call, Done, Go, Move, State

SURE_BP = 10_000


class UnfitMove(Exception):
    """A state returned what its agent cannot do; the text says what."""


@dataclass(frozen=True)
class Row:
    """What a move asks for, as the step after its state: a call, a question or an ending."""

    kind: StepKind
    name: str
    arguments: dict[str, Any]
    tool: Tool | None = None
    confidence_bp: int | None = None
    rationale: str = ""
    request: dict[str, Any] | None = None


@dataclass(frozen=True)
class Entry:
    """A state that was entered, its move as the journal keeps it, and the row that follows, if one does."""

    state: str
    request: dict[str, Any]
    row: Row | None = None


def entry_of(agent: Agent, state: State, move: Move, journal: Journal) -> Entry:
    """The move as it is journalled. Raises UnfitMove, pydantic.ValidationError or ValueError."""
    match move:
        case Call():
            return _call(agent, state, move, journal)
        case AskModel():
            if state.asks is None:
                raise UnfitMove("It asks the model and is not declared as a decision point.")
            request = {"question": move.question, "content": storable(_plain(move.content))}
            return _entry(state, "ask_model", request, _leads(state, move.then))
        case AskPerson():
            leads = _leads(state, move.then, otherwise=move.otherwise)
            asked = Question(
                question=move.question,
                answer_type=move.answer_type,
                choices=list(move.choices),
            )
            row = Row(StepKind.QUESTION, "ask_human", storable(asked.model_dump(mode="json")))
            return _entry(state, "ask_person", {}, leads, row)
        case Go():
            return _entry(state, "go", {"why": storable(move.why)}, _leads(state, move.then))
        case Done():
            _may_end(state)
            answer = agent.output.model_validate_json(move.output.model_dump_json())
            relies_on = [
                step.call_id
                for step in journal.steps
                if step.kind == StepKind.TOOL
                and step.state == StepState.SUCCEEDED
                and step.undoes_id is None
            ]
            output = storable(answer.model_dump(mode="json"))
            row = Row(StepKind.FINAL, "final_answer", output, request={"relies_on": relies_on})
            leads = _only_declared(state, {"sent_back": move.sent_back} if move.sent_back else {})
            return _entry(state, "done", {}, leads, row)
        case Abstain():
            _may_end(state)
            return _entry(state, "abstain", {}, {}, abstention(move.reason))
        case _:
            raise UnfitMove(f"It returned {type(move).__name__}, which is no move.")


def given_up(state: str, reason: str) -> Entry:
    """The end that a refusal brings where the workflow has no state for it."""
    return Entry(state, {"move": "abstain", "by_default": True}, abstention(reason))


def abstention(reason: str) -> Row:
    """The ending that says why it cannot be known or done."""
    said = Abstention(reason=storable(reason)[:2_000])
    return Row(StepKind.ABSTAIN, "abstain", said.model_dump(mode="json"))


def _call(agent: Agent, state: State, move: Call, journal: Journal) -> Entry:
    tool = agent.tool(move.tool.name)
    if tool is None or tool.undoing is not None:
        raise UnfitMove(f"It calls {move.tool.name}, which is no tool of its agent.")
    leads = _leads(state, move.then, sent_back=move.sent_back, otherwise=move.otherwise)
    arguments = tool.parse(json.loads(move.arguments.model_dump_json()))
    normalised = arguments.model_dump(mode="json")
    if storable(normalised) != normalised:
        raise UnfitMove(f"The arguments for {tool.name} cannot be kept as plain JSON.")
    if len(json.dumps(normalised)) > MAX_ARGUMENT_BYTES:
        raise UnfitMove(f"The arguments for {tool.name} are too large.")
    decisions = decisions_of(journal)
    named = list(decisions) if move.rests_on is None else list(move.rests_on)
    unknown = [name for name in named if name not in decisions]
    if unknown:
        raise UnfitMove(f"It rests on {', '.join(unknown)}, which the model was not asked.")
    scores = [decisions[name].confidence_bp or 0 for name in named] or [SURE_BP]
    if move.confidence is not None:
        own = confidence_bp(move.confidence)
        if own is None or math.isnan(move.confidence):
            raise UnfitMove("Its confidence is no number from 0 to 1.")
        scores.append(own)
    request = {"tool": tool.name, "rests_on": sorted(decisions[name].seq for name in named)}
    row = Row(
        StepKind.TOOL,
        tool.name,
        normalised,
        tool=tool,
        confidence_bp=min(scores),
        rationale=storable(move.why)[:4_000],
    )
    return _entry(state, "call", request, leads, row)


def _entry(
    state: State, move: str, request: dict[str, Any], leads: dict[str, str], row: Row | None = None
) -> Entry:
    return Entry(state.name, {"move": move, **leads, **request}, row)


def _leads(state: State, then: str, *, sent_back: str = "", otherwise: str = "") -> dict[str, str]:
    """Where the move leads, by what comes of it; only to where the state says that it may go."""
    leads = {"then": then, "sent_back": sent_back, "otherwise": otherwise}
    return _only_declared(state, {name: to for name, to in leads.items() if to or name == "then"})


def _only_declared(state: State, leads: dict[str, str]) -> dict[str, str]:
    for to in leads.values():
        if to not in state.to:
            raise UnfitMove(f"It goes on to {to or 'nowhere'}, which it does not declare in `to`.")
    return leads


def _may_end(state: State) -> None:
    if not state.ends:
        raise UnfitMove("It ends the run and is not declared as a state that may.")


def _plain(content: Any) -> Any:
    """Text or JSON as it is; a pydantic model as JSON. Raises TypeError for anything else."""
    dumped = content.model_dump(mode="json") if hasattr(content, "model_dump") else content
    return json.loads(json.dumps(dumped, allow_nan=False))
