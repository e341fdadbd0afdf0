"""A worker dies while a run is handed work, while that run ends, and while its result is taken."""

from __future__ import annotations

import json

import pytest

from accounts.callers import Caller
from agents.models import Memory, Run, Step
from agents.services.control import cancel_run
from tests.faults.plant import Plant

POSTED = ("delegate", json.dumps([[["post", "20.00"]]]))


def ended_well(plant: Plant, ticket: str, run: Run) -> None:
    """One child did the work once, and its parent took its answer and its tokens once."""
    plant.wait_until(run, "succeeded")
    child = Run.objects.get(parent=run)
    step = Step.objects.get(run=run, kind="delegate")
    assert (child.state, step.state) == ("succeeded", "succeeded")
    assert (step.output or {})["result"]["summary"] == "Done."
    assert len(plant.done(ticket)) == 1
    run.refresh_from_db()
    own = sum(Step.objects.filter(run=run).values_list("tokens_in", flat=True))
    assert run.tokens_in == own + child.tokens_in


@pytest.mark.parametrize(
    "point", ["child.starting", "child.before_commit", "child.started", "park.begun"]
)
def test_a_worker_that_dies_while_it_hands_on_work_has_started_one_run(
    plant: Plant, point: str
) -> None:
    plant.arm("worker", point)
    ticket, run = plant.start_foreman([POSTED])
    plant.struck("worker", point)
    child = plant.child_of(run)
    plant.wait_until(run, "waiting")
    plant.approve(child)
    ended_well(plant, ticket, run)


@pytest.mark.parametrize("point", ["child.told", "child.taking", "child.taken"])
def test_a_worker_that_dies_while_a_child_ends_or_its_result_is_taken_loses_nothing(
    plant: Plant, point: str
) -> None:
    ticket, run = plant.start_foreman([POSTED])
    child = plant.child_of(run)
    plant.wait_until(run, "waiting")
    plant.arm("worker", point)
    plant.approve(child)
    plant.struck("worker", point)
    ended_well(plant, ticket, run)


def test_a_wake_up_that_is_lost_as_a_child_ends_is_made_up_for_by_the_scheduler(
    plant: Plant,
) -> None:
    ticket, run = plant.start_foreman([POSTED])
    child = plant.child_of(run)
    plant.wait_until(run, "waiting")
    # The child's own wake-up is sent by whoever decides, so the first of a worker is the parent's.
    plant.arm("worker", "wake.unsent")
    plant.approve(child)
    plant.struck("worker", "wake.unsent")
    ended_well(plant, ticket, run)


def test_a_tree_is_cancelled_whole_while_a_worker_stands_still_in_its_child(plant: Plant) -> None:
    ticket, run = plant.start_foreman([POSTED])
    child = plant.child_of(run)
    plant.wait_until(run, "waiting")
    plant.arm("worker", "intent.committed")
    plant.approve(child)
    plant.struck("worker", "intent.committed")
    caller = Caller.of_session(plant.operator)
    cancel_run(run_id=run.pk, reason="Enough.", caller=caller)
    plant.wait_until(run, "cancelled")
    # Nobody knows whether the call went out, so a person says it first.
    plant.wait_until(child, "waiting")
    (doubt,) = plant.pending(child)
    assert (doubt.kind, plant.done(ticket)) == ("in_doubt", [])
    plant.decide(doubt, "did_not")
    plant.wait_until(child, "cancelled")


@pytest.mark.parametrize("point", ["memory.before_commit", "run.claimed"])
def test_a_worker_that_dies_while_it_writes_down_has_written_it_once(
    plant: Plant, point: str
) -> None:
    plant.arm("worker", point)
    ticket, run = plant.start_foreman([("remember", "It is late.")])
    plant.struck("worker", point)
    plant.wait_until(run, "succeeded")
    assert list(Memory.objects.filter(key=ticket).values_list("text", flat=True)) == ["It is late."]
