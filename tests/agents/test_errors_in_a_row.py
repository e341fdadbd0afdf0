"""Turns of errors are counted since somebody last gave the run something new. Pure."""

from __future__ import annotations

import pytest

from agents.errors_in_a_row import AFRESH, errors_in_a_row
from agents.models import Step
from agents.states import StepKind, StepState


def turn(state: StepState, *, calls: int = 1) -> list[Step]:
    """A reply with so many calls that ended like that."""
    return [
        Step(kind=StepKind.MODEL, state=StepState.SUCCEEDED),
        *(Step(kind=StepKind.TOOL, state=state) for _ in range(calls)),
    ]


FAILED, DONE, REFUSED = StepState.FAILED, StepState.SUCCEEDED, StepState.REFUSED


@pytest.mark.parametrize("kind", sorted(AFRESH))
def test_what_a_person_gives_a_run_to_go_on_with_begins_the_count_anew(kind: StepKind) -> None:
    word = Step(kind=kind, state=StepState.SUCCEEDED)
    assert errors_in_a_row([*turn(FAILED), *turn(FAILED), word, *turn(FAILED)]) == 1


def test_a_limit_that_was_raised_begins_nothing_anew() -> None:
    raised = Step(kind=StepKind.BUDGET, state=StepState.SUCCEEDED)
    assert errors_in_a_row([*turn(FAILED), *turn(FAILED), raised, *turn(FAILED)]) == 3


def test_a_turn_counts_once_and_one_in_which_something_was_done_ends_the_row() -> None:
    assert errors_in_a_row([*turn(FAILED, calls=3), *turn(FAILED)]) == 2
    assert errors_in_a_row([*turn(FAILED), *turn(DONE), *turn(FAILED)]) == 1
    assert errors_in_a_row([*turn(FAILED), *turn(REFUSED), *turn(FAILED)]) == 2
    words = Step(kind=StepKind.MODEL, state=StepState.SUCCEEDED, problem="no_tool_call")
    assert errors_in_a_row([*turn(FAILED), words]) == 2
