"""A worker dies in the middle of a fork: it goes on, is charged once for each reply, and nothing is done in earnest."""

from __future__ import annotations

import pytest

from accounts.callers import Caller
from agents.models import EffectRecord, Run
from agents.services.fork_run import Wish, fork_run
from approvals.models import ApprovalRequest
from tests.faults.plant import Plant


@pytest.mark.parametrize(
    "point", ["reply.before_commit", "simulated.before_commit", "simulated.committed"]
)
def test_a_worker_killed_in_the_middle_of_a_fork_leaves_one_answer_and_no_effect(
    plant: Plant, point: str
) -> None:
    ticket, run = plant.start_works([("post", "20.00"), ("pay", "2.00")])
    plant.wait_until(run, "waiting")
    plant.arm("worker", point)
    fork, _ = fork_run(run_id=run.pk, wish=Wish(step=0), caller=Caller.of_session(plant.operator))
    plant.struck("worker", point)
    plant.wait_until(fork, "succeeded")
    calls = list(fork.steps.filter(kind="tool").order_by("seq"))
    # The run itself has paid by now, and not posted yet.
    assert [(step.output or {})["status"] for step in calls] == ["simulated", "done"]
    fork.refresh_from_db()
    assert fork.model_calls == fork.steps.filter(kind="model", state="succeeded").count()
    assert len(plant.done(ticket)) == 1
    assert not EffectRecord.objects.filter(run=fork).exists()
    assert not ApprovalRequest.objects.filter(run_id=fork.pk).exists()
    assert not Run.objects.filter(parent=fork).exists()
