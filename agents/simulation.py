"""Answering the calls of a simulated run: from the journals of other runs, or with answers given beforehand. Pure.

A simulated run goes through the real engine, gate, journal and model endpoint; only its calls are not made. Each
call that the gate did not deny is put to an `Answers`, after the gate's word on it, and what that says is
journalled as what came of the call. Who starts such a run: `agents.services.start_simulated`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from agents.context import refusal_message
from agents.journal import CALL_KINDS
from agents.models import Step
from agents.notebook import READ_RESULT
from agents.states import StepKind, StepState
from audit.canonical import canonical_bytes, sha256_hex

SIMULATED: Final = "simulated"
"""In the request of a step: where its answer comes from. The status of what was not answered at all."""
NOT_MADE: Final = (
    "This was simulated and not done: the run is a rehearsal. It counts as done for the rest of the task; "
    "nobody knows what it would have given back."
)
NOT_READ: Final = (
    "This was not read: the run is a rehearsal, and nothing like it was read in what it rehearses. "
    "Go on with what you know."
)
NOT_ASKED: Final = "Nobody was asked: the run is a rehearsal. Go on without the answer, or abstain."
DECIDED: Final = frozenset({"rejected", "sent_back", "expired"})
"""Refusals that are people's, which a call meets again; what the machinery refused it would judge anew."""


@dataclass(frozen=True)
class Asked:
    """A call of a simulated run. `consequential`: it would change something. `reviewed`: people would be asked
    first. `times`: how often the run made the very same call before."""

    kind: StepKind
    name: str
    arguments: Mapping[str, Any]
    consequential: bool = False
    reviewed: bool = False
    times: int = 0

    @cached_property
    def key(self) -> str:
        """The same for every call of this tool with these arguments."""
        return key_of(self.name, self.arguments)


@dataclass(frozen=True)
class Simulated:
    """What came of a call: the state that its step takes, what the agent is told (`output`, as
    `context.result_message` and `context.refusal_message` make it), and `source`, which the step keeps.
    `arguments`: those that a person changed the call's to."""

    state: StepState
    output: dict[str, Any]
    problem: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] | None = None


class Answers(Protocol):
    """Whoever knows what comes of calls."""

    def answer(self, asked: Asked) -> Simulated | None:
        """What comes of this call; None where that is not known here."""


class GivenAnswer(BaseModel):
    """An answer that was given beforehand, for one call or for several.

    `arguments`: which the call must have, all of them, or with `partial` these among others; None is any. `when`:
    only for a call that the policy lets through, or only for one that people would be asked about. `times`: how
    many calls it answers; None is all. `state`, `output` and `problem` are those of `Simulated`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    tool: str = Field(min_length=1, max_length=200)
    arguments: dict[str, Any] | None = None
    partial: bool = False
    when: Literal["always", "allowed", "reviewed"] = "always"
    times: Annotated[int, Field(ge=1, le=10_000)] | None = 1
    state: Literal["succeeded", "failed", "refused"] = "succeeded"
    output: dict[str, Any]
    problem: str = Field(default="", max_length=40)

    def fits(self, asked: Asked) -> bool:
        """Whether it is for this call."""
        if self.tool != asked.name or self.when == ("allowed" if asked.reviewed else "reviewed"):
            return False
        if self.arguments is None:
            return True
        has = asked.arguments
        if self.partial:
            has = {name: value for name, value in has.items() if name in self.arguments}
        return _same(has, self.arguments)


@dataclass(frozen=True)
class Given:
    """Answers in their order: each call gets the first that fits and is not used up.

    `used`: how often each was used in the run so far, by its place.
    """

    answers: Sequence[GivenAnswer]
    used: Mapping[int, int]

    def answer(self, asked: Asked) -> Simulated | None:
        for place, each in enumerate(self.answers):
            left = each.times is None or self.used.get(place, 0) < each.times
            if left and each.fits(asked):
                source = {"from": "given", "answer": place}
                return Simulated(StepState(each.state), dict(each.output), each.problem, source)
        return None


class Recorded:
    """What came of the same calls in other runs' journals, those of the nearest run first.

    A call that was made several times is answered with what came of it each time, in order. Once these are used
    up, a read gives its last answer again, and an action none: done twice is not done once.
    """

    def __init__(self, journals: Iterable[Sequence[Step]]) -> None:
        self._found = [_by_key(steps) for steps in journals]

    def answer(self, asked: Asked) -> Simulated | None:
        for found in self._found:
            made = found.get(asked.key, ())
            if asked.times < len(made):
                return _as_recorded(made[asked.times])
            if made and not asked.consequential:
                return _as_recorded(made[-1])
        return None


@dataclass(frozen=True)
class FirstOf:
    """Several, the first that knows."""

    answers: Sequence[Answers]

    def answer(self, asked: Asked) -> Simulated | None:
        for each in self.answers:
            found = each.answer(asked)
            if found is not None:
                return found
        return None


def unanswered(asked: Asked) -> Simulated:
    """What an agent is told of a call that nobody knows an answer to, where its run goes on all the same."""
    source = {"from": "nothing"}
    if asked.kind == StepKind.QUESTION:
        output = {"status": "no_answer", "message": NOT_ASKED}
        return Simulated(StepState.SUCCEEDED, output, source=source)
    if asked.consequential or asked.kind == StepKind.DELEGATE:
        would = "ask_people" if asked.reviewed else "run"
        output = {"status": SIMULATED, "would": would, "message": NOT_MADE}
        return Simulated(StepState.SUCCEEDED, output, source=source)
    output = refusal_message(SIMULATED, "not_recorded", NOT_READ)
    return Simulated(StepState.FAILED, output, "not_recorded", source)


def asked_by(call: Step, steps: Sequence[Step], *, consequential: bool, reviewed: bool) -> Asked:
    """The call as it is put to an `Answers`. `steps`: the run's, in order."""
    arguments = call.arguments or {}
    key = key_of(call.name, arguments)
    times = sum(
        key in _keys_of(step) for step in steps if step.seq < call.seq and _is_answered(step)
    )
    return Asked(StepKind(call.kind), call.name, arguments, consequential, reviewed, times)


def used_answers(steps: Iterable[Step]) -> dict[int, int]:
    """How often each given answer was used in these steps, by its place."""
    used: dict[int, int] = {}
    for step in steps:
        place = source_of(step).get("answer")
        if place is not None:
            used[place] = used.get(place, 0) + 1
    return used


def source_of(step: Step) -> dict[str, Any]:
    """Where the answer of a simulated call comes from; empty for any other step."""
    asked = step.request if isinstance(step.request, dict) else {}
    source = asked.get(SIMULATED) if step.kind in CALL_KINDS else None
    return dict(source) if isinstance(source, dict) else {}


def key_of(name: str, arguments: Mapping[str, Any]) -> str:
    """The same for all calls of one tool with equal arguments, whatever the tool's version."""
    return sha256_hex(canonical_bytes({"tool": name, "arguments": dict(arguments)}))


def _by_key(steps: Sequence[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        if _is_answered(step):
            for key in _keys_of(step):
                found.setdefault(key, []).append(step)
    return found


def _is_answered(step: Step) -> bool:
    """Whether what came of the call would come of it again."""
    if step.kind not in (StepKind.TOOL, StepKind.DELEGATE, StepKind.QUESTION):
        return False
    if step.undoes_id is not None or step.name == READ_RESULT or step.arguments is None:
        return False
    if not step.output or (step.output.get("status") == SIMULATED):
        return False
    if step.state == StepState.REFUSED:
        return step.problem in DECIDED
    return step.state in (StepState.SUCCEEDED, StepState.FAILED)


def _keys_of(step: Step) -> Collection[str]:
    """Of a call that a person changed both: as it was proposed, and as it ran."""
    proposed = ((step.judgement or {}).get("action") or {}).get("arguments")
    keys = {key_of(step.name, step.arguments or {})}
    if proposed is not None:
        keys.add(key_of(step.name, proposed))
    return keys


def _as_recorded(step: Step) -> Simulated:
    source = {"from": "journal", "run": str(step.run_id), "step": step.seq}
    return Simulated(StepState(step.state), dict(step.output or {}), step.problem, source)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return canonical_bytes(dict(one)) == canonical_bytes(dict(other))
