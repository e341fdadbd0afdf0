"""Where in its journal a run can be forked: between turns, so that every call that is kept has its result. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agents.models import Step
from agents.states import SETTLED, StepKind, StepState

ASKS: Final = frozenset({StepKind.MODEL, StepKind.STATE, StepKind.ROUTE})
"""Steps with which a turn begins."""
BEGINS: Final = ASKS | {
    StepKind.MESSAGE,
    StepKind.GOAL,
    StepKind.ATTENTION,
    StepKind.BUDGET,
    StepKind.HAND_BACK,
    StepKind.SIMULATION,
}
ENDINGS: Final = frozenset({StepKind.FINAL, StepKind.ABSTAIN})


@dataclass(frozen=True)
class ForkPoint:
    """A fork may keep the first `step` steps, 0 for none; `following` is the first that it does not keep, None
    where it keeps all."""

    step: int
    following: Step | None

    @property
    def asks(self) -> bool:
        """Whether a model or code is asked anew right there."""
        return self.following is not None and self.following.kind in ASKS


def fork_points(steps: Sequence[Step]) -> list[ForkPoint]:
    """Every place at which a fork may begin, in order; `steps` are all of the run's, in order."""
    found = [ForkPoint(0, steps[0] if steps else None)]
    for place, step in enumerate(steps):
        if not _may_be_kept(step):
            break
        following = steps[place + 1] if place + 1 < len(steps) else None
        if following is None or following.kind in BEGINS:
            found.append(ForkPoint(step.seq, following))
    return found


def usual_point(points: Sequence[ForkPoint]) -> ForkPoint:
    """Where most people want to fork: the last place at which something was asked."""
    return next((point for point in reversed(points) if point.asks), points[-1])


def _may_be_kept(step: Step) -> bool:
    """Whether a fork may have the step: it is settled for good, and ended nothing.

    An undo belongs to the effect that it took back, which is the run's own.
    """
    if step.schema > Step.SCHEMA or step.state not in SETTLED or step.problem == "run_ended":
        return False
    if step.undoes_id is not None:
        return False
    return step.kind not in ENDINGS or step.state != StepState.SUCCEEDED
