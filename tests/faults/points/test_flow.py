"""A worker dies in every state of a workflow: the run goes on in that state, and nothing is done twice."""

from __future__ import annotations

import pytest

from approvals.models import ApprovalRequest
from tests.faults.plant import Plant

BEFORE = (
    *(
        (f"state.{moment}.{state}", 1)
        for state in ("begin", "read", "act")
        for moment in ("before_commit", "committed")
    ),
    # A reply that was not journalled is asked for again.
    ("decision.before_commit", 2),
    ("reply.committed", 1),
)
STATES = ["begin", "read", "act", "finish"]


@pytest.mark.parametrize(("point", "asked"), BEFORE)
def test_a_worker_killed_in_a_state_enters_each_state_once_and_asks_the_model_once(
    plant: Plant, point: str, asked: int
) -> None:
    before = len(plant.model.requests)
    plant.arm("worker", point)
    ticket, run = plant.start_relay()
    plant.struck("worker", point)
    plant.wait_until(run, "waiting")
    assert ApprovalRequest.objects.filter(run_id=run.pk).count() == 1
    assert len(plant.model.requests) - before == asked
    assert plant.done(ticket) == []
    plant.approve(run)
    plant.wait_until(run, "succeeded")
    assert len(plant.done(ticket)) == 1
    entered = run.steps.filter(kind="state").order_by("seq").values_list("name", flat=True)
    assert list(entered) == STATES


@pytest.mark.parametrize(
    "point",
    ["call.sent", "result.before_commit", "state.before_commit.finish", "state.committed.finish"],
)
def test_a_worker_killed_after_the_approval_does_the_job_once_and_ends_the_run(
    plant: Plant, point: str
) -> None:
    ticket, run = plant.start_relay()
    plant.wait_until(run, "waiting")
    plant.arm("worker", point)
    plant.approve(run)
    plant.struck("worker", point)
    plant.wait_until(run, "succeeded")
    # It was sent again where nobody knew, under the same key.
    assert len(set(plant.done(ticket))) == 1
    entered = run.steps.filter(kind="state").order_by("seq").values_list("name", flat=True)
    assert list(entered) == STATES
