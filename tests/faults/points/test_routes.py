"""A worker dies while the task of a run is sorted: it is sorted again, and the run takes one path."""

from __future__ import annotations

import pytest

from agents.models import Step
from tests.faults.plant import Plant


@pytest.mark.parametrize(
    ("point", "sorted_again"), [("route.before_commit", True), ("reply.before_commit", False)]
)
def test_a_worker_killed_while_a_task_is_sorted_sorts_it_once_more_at_most_and_acts_once(
    plant: Plant, point: str, sorted_again: bool
) -> None:
    since = len(plant.model.requests)
    plant.arm("worker", point)
    ticket, run = plant.start_sorter()
    plant.struck("worker", point)
    plant.wait_until(run, "waiting")
    asked = ["response_format" in request for request in plant.model.requests[since:]]
    # What had come and was not journalled is asked for again, and nothing else is.
    assert asked == ([True, True, False] if sorted_again else [True, False, False])
    (step,) = Step.objects.filter(run=run, kind="route")
    assert (step.state, (step.output or {})["path"]) == ("succeeded", "payments")
    assert [attempt["code"] for attempt in step.attempts] == ["interrupted"] * sorted_again
    offered = {tool["function"]["name"] for tool in plant.model.requests[-1]["tools"]}
    assert "pay" in offered
    assert "post" not in offered
    plant.approve(run)
    plant.wait_until(run, "succeeded")
    assert len(plant.done(ticket)) == 1
    run.refresh_from_db()
    # A reply that was not journalled is charged to nobody: nobody knows what it took.
    assert run.model_calls == 3
