"""How many turns of a run brought nothing but errors, up to now. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agents.journal import CALL_KINDS
from agents.models import Step
from agents.states import StepKind, StepState

#: A person gave the run something new to go on with. One who raised a limit did not.
AFRESH = frozenset(
    {
        StepKind.ATTENTION,
        StepKind.MESSAGE,
        StepKind.GOAL,
        StepKind.HAND_BACK,
        StepKind.QUESTION,
        StepKind.SIMULATION,
    }
)


def errors_in_a_row(steps: Sequence[Step]) -> int:
    """Turns in a row, the newest first, in which a call failed and none was done.

    A turn is a reply of the model with its calls, or a call that no reply asked for. A reply without a
    call counts too. Calls that a person or the policy refused are no errors, and end no row of them.
    """
    turns = 0
    failed = done = False
    for step in reversed(steps):
        if step.kind in CALL_KINDS:
            failed = failed or step.state == StepState.FAILED
            done = done or step.state == StepState.SUCCEEDED
            if done:
                break
        elif step.kind in AFRESH:
            break
        if step.kind not in CALL_KINDS:
            unusable = step.kind == StepKind.MODEL and step.problem == "no_tool_call"
            turns += failed or unusable
            failed = False
    return turns + failed
