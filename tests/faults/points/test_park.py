"""A worker dies while a reply is journalled and a run parks; decisions race the park."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest
from django.db import connection

from approvals.models import ApprovalRequest
from tests.faults.plant import Plant

POINTS = (
    *("job.popped", "run.claimed", "reply.before_commit", "reply.committed"),
    *("park.requests_open", "hint.unsent.opened"),
)


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_between_reply_and_park_leaves_one_request_and_one_call(
    plant: Plant, point: str
) -> None:
    plant.arm("worker", point)
    ticket, run = plant.start_works([("post", "20.00")])
    plant.struck("worker", point)
    plant.wait_until(run, "waiting")
    assert ApprovalRequest.objects.filter(run_id=run.pk).count() == 1
    assert plant.done(ticket) == []
    plant.approve(run)
    plant.wait_until(run, "succeeded")
    assert len(plant.done(ticket)) == 1


@pytest.mark.parametrize(("point", "asked"), [("reply.before_commit", 2), ("reply.committed", 1)])
def test_a_reply_is_asked_for_again_only_where_it_was_not_journalled(
    plant: Plant, point: str, asked: int
) -> None:
    before = len(plant.model.requests)
    plant.arm("worker", point)
    _, run = plant.start_works([("pay", "20.00")])
    plant.struck("worker", point)
    plant.wait_until(run, "waiting")
    assert len(plant.model.requests) - before == asked
    assert run.steps.filter(kind="model").count() == 1


def test_a_decision_that_races_the_park_is_carried_out(plant: Plant) -> None:
    ticket, run = plant.parked([("pay", "20.00"), ("post", "30.00")])
    first, second = plant.pending(run)
    plant.arm("worker", "park.begun", "stop")
    plant.decide(first, "approve")
    worker = plant.struck("worker", "park.begun")
    # The first call is done, and the worker has seen that the second is not decided.
    plant.decide(second, "approve")
    os.kill(worker, signal.SIGCONT)
    plant.wait_until(run, "succeeded")
    assert len(plant.done(ticket)) == len(set(plant.done(ticket))) == 2


def test_two_requests_of_one_reply_decided_at_once_are_each_carried_out_once(plant: Plant) -> None:
    for _ in range(4):
        ticket, run = plant.parked([("post", "20.00"), ("post", "30.00")])
        at_once(*[lambda each=each: plant.decide(each, "approve") for each in plant.pending(run)])
        plant.wait_until(run, "succeeded")
        assert len(plant.done(ticket)) == len(set(plant.done(ticket))) == 2


def test_of_two_requests_decided_at_once_the_rejected_one_never_runs(plant: Plant) -> None:
    for _ in range(4):
        ticket, run = plant.parked([("post", "20.00"), ("order", "30.00")])
        refused, approved = plant.pending(run)
        at_once(
            lambda refused=refused: plant.decide(refused, "reject", reason="No."),
            lambda approved=approved: plant.decide(approved, "approve"),
        )
        plant.wait_until(run, "succeeded")
        assert [made.tool for made in plant.recorder.of(ticket)] == ["order"]


def at_once(*moves: Callable[[], object]) -> None:
    """Make the moves in threads that start together."""
    barrier = threading.Barrier(len(moves))

    def make(move: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(20)
            move()
        finally:
            connection.close()

    threads = [threading.Thread(target=make, args=(move,)) for move in moves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
