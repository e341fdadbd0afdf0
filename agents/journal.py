"""Reading the journal of a run: what is settled, what is not, what went wrong in a row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from agents.models import EffectRecord, Step
from agents.states import PROPOSING, SETTLED, EffectState, StepKind, StepState
from audit.prepared import Prepared

CALL_KINDS = frozenset(
    {
        StepKind.TOOL,
        StepKind.DELEGATE,
        StepKind.QUESTION,
        StepKind.ABSTAIN,
        StepKind.FINAL,
        StepKind.DECISION,
    }
)
ACTIONS = frozenset({StepKind.TOOL, StepKind.DELEGATE})
"""Calls that pass the gate."""
PERSONS_WORD = frozenset(
    {
        StepKind.ATTENTION,
        StepKind.BUDGET,
        StepKind.MESSAGE,
        StepKind.GOAL,
        StepKind.HAND_BACK,
    }
)
MALFORMED = frozenset(
    {
        "unknown_tool",
        "arguments_too_large",
        "arguments_not_json",
        "arguments_not_object",
        "arguments_invalid",
        "too_many_calls",
    }
)

ENDED: Final = "ended"
"""Kind of the resolution of a call to another agent, once the run that it started has ended."""

_steps_after = Prepared(
    lambda pk, seq: Step.objects.filter(run_id=pk, seq__gt=seq).in_order(), UUID(int=0), 9_999
)


@dataclass(frozen=True)
class Journal:
    """The steps of a run in order."""

    steps: Sequence[Step]

    @classmethod
    def of(cls, run_id: UUID) -> Journal:
        """The journal as it stands in the database."""
        return cls(_steps_after(run_id, 0))

    @property
    def next_seq(self) -> int:
        return self.steps[-1].seq + 1 if self.steps else 1

    @property
    def readable(self) -> bool:
        """Whether no newer release wrote in it, whose steps mean what only that one knows."""
        return all(step.schema <= Step.SCHEMA for step in self.steps)

    @property
    def unsettled(self) -> list[Step]:
        """Steps that are neither done nor refused, in order."""
        return [step for step in self.steps if step.state not in SETTLED]

    @property
    def sent(self) -> Step | None:
        """The call that was sent and of which nothing is known, as after a crash."""
        for step in self.unsettled:
            if step.state == StepState.DISPATCHED:
                effects = EffectRecord.objects.filter(step=step, state=EffectState.DISPATCHED)
                if effects.exists():
                    return step
        return None

    @property
    def unjudged(self) -> list[Step]:
        """Calls of the newest reply that the gate has not been asked about yet, in order."""
        return [step for step in self.steps if step.state == StepState.UNJUDGED]

    def reply_of(self, step: Step) -> Step:
        """The model step whose reply a call, or a score of one, belongs to; or the state it comes from."""
        return next(
            each for each in reversed(self.steps) if each.kind in PROPOSING and each.seq < step.seq
        )

    @property
    def begun_model_call(self) -> Step | None:
        """A model call that was begun and has no reply yet, as after a crash."""
        last = self.steps[-1] if self.steps else None
        if last is not None and last.kind == StepKind.MODEL and last.state == StepState.STARTED:
            return last
        return None

    def tools_called(self) -> tuple[str, ...]:
        """Names of the tools that ran, in order."""
        return tuple(
            step.name
            for step in self.steps
            if step.kind in ACTIONS and step.state == StepState.SUCCEEDED
        )

    def beside(self, ending: Step) -> list[Step]:
        """The other calls of the reply that an ending stands in; other endings are left out."""
        reply = max(
            (s.seq for s in self.steps if s.kind in PROPOSING and s.seq < ending.seq),
            default=0,
        )
        return [
            step
            for step in self.steps
            if step.seq > reply
            and step.kind in (*ACTIONS, StepKind.QUESTION)
            and step.undoes_id is None
        ]

    def told_since(self, ending: Step) -> bool:
        """Whether a person said something to the model after the reply that an ending stands in."""
        said = (StepKind.MESSAGE, StepKind.GOAL, StepKind.HAND_BACK)
        return any(step.seq > ending.seq and step.kind in said for step in self.steps)

    def step(self, seq: int) -> Step:
        """The step with that seq; raises KeyError."""
        for step in self.steps:
            if step.seq == seq:
                return step
        raise KeyError(seq)


def has_child(step: Step) -> bool:
    """Whether the call has started its run."""
    return step.kind == StepKind.DELEGATE and "child" in (step.request or {})


def waits_for_child(step: Step) -> bool:
    """Whether the call waits for the run that it started."""
    return step.state == StepState.WAITING and has_child(step) and step.resolution is None


class Journals:
    """The journal of one run, read again and again while a worker holds it.

    A step that is settled never changes, so those at the beginning that are settled are read once. Each
    reading is one query.
    """

    def __init__(self, run_id: UUID) -> None:
        self._run = run_id
        self._settled: list[Step] = []

    def read(self) -> Journal:
        """The journal as it stands in the database."""
        new = _steps_after(self._run, self._settled[-1].seq if self._settled else 0)
        steps = [*self._settled, *new]
        for step in new:
            if step.state not in SETTLED:
                break
            self._settled.append(step)
        return Journal(steps)
