"""A worker dies while a final answer that the journal does not bear out becomes a request."""

from __future__ import annotations

import pytest

from approvals.models import ApprovalRequest
from tests.faults.outside import LIE
from tests.faults.plant import Plant

BEFORE, AFTER = ("reply.committed", "park.begun", "park.requests_open"), ("hint.unsent.opened",)


@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_a_worker_killed_around_the_park_of_a_false_answer_leaves_one_request(
    plant: Plant, point: str
) -> None:
    plant.arm("worker", point)
    _, run = plant.start_works([(LIE, "0")])
    plant.struck("worker", point)
    plant.wait_until(run, "waiting")
    asked = ApprovalRequest.objects.get(run_id=run.pk)
    assert asked.kind == "result"
    plant.decide(asked, "accept")
    plant.wait_until(run, "succeeded")
    assert ApprovalRequest.objects.filter(run_id=run.pk).count() == 1


def test_a_worker_killed_after_an_answer_was_accepted_ends_the_run_once(plant: Plant) -> None:
    _, run = plant.start_works([(LIE, "0")])
    plant.wait_until(run, "waiting")
    plant.arm("worker", "run.claimed")
    plant.decide(ApprovalRequest.objects.get(run_id=run.pk), "accept")
    plant.struck("worker", "run.claimed")
    plant.wait_until(run, "succeeded")
    run.refresh_from_db()
    assert run.output == {"summary": "Done."}
