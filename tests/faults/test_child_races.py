# ruff: noqa: F811 - fixtures of other tests are imported, and taken by name
"""The end of a run that was handed work against the cancellation of the one that waits for it, in two real
processes: both come to an end, and neither waits for the other."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from agents import registry
from agents.authoring import Agent, Category
from agents.models import Run, Step
from agents.runner import advance
from agents.services.control import cancel_run
from agents.services.start_run import start_run
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import host, model  # noqa: F401
from tests.faults.test_switch_races import dispatching
from tests.harness.environment import TestProcess
from tests.harness.rounds import Edge, rounds
from tests.model_server import Answer, ModelServer, call, calls, final, judged

ROUNDS = rounds(20)
STEP_SECONDS = 0.001
DESK = Agent(
    slug="desk",
    title="Desk",
    category=Category.OPEN,
    owner="finance",
    instructions="You hand on.",
    tools=(),
    delegates=("teller",),
)


def reply(request: dict[str, Any]) -> Answer:
    if request["messages"][0]["content"].startswith("You hand on."):
        return calls(call("delegate", judged({"agent": "teller", "task": "Do it."})))
    return final(summary="Done.")


@pytest.mark.django_db(transaction=True)
def test_a_child_that_ends_while_its_parent_is_cancelled_leaves_both_ended(
    test_process: TestProcess, finance: ReviewGroup, operator: User, model: ModelServer
) -> None:
    host(teller(Bank()))
    host(DESK)
    model.follow(reply)
    by = Caller.of_session(operator)
    pause = threading.Event()
    edge, first = Edge(0.02, finest=STEP_SECONDS), 0
    with dispatching(test_process, model, "plain") as dispatcher:
        for _ in range(ROUNDS):
            run, _ = start_run(agent="desk", input="Go.", caller=by)
            advance(run.pk, owner="test", stopping=lambda: False)
            child = Run.objects.get(parent=run)
            dispatcher.tell(child)
            pause.wait(max(0.0, edge.lead))
            cancel_run(run_id=run.pk, reason="Enough.", caller=by)
            state = dispatcher.answer()
            run.refresh_from_db()
            step = Step.objects.get(run=run, kind="delegate")
            assert (run.state, step.state) == ("cancelled", "refused")
            assert state in ("succeeded", "cancelled")
            told = step.resolution is not None
            # A parent that had ended before was told of nothing.
            assert not told or state == "succeeded"
            first += told
            edge.after(told)
    for slug in ("teller", "desk"):
        registry.unregister(slug)
    assert 0 < first < ROUNDS
    assert not Run.objects.open().exists()
    ends = Event.objects.filter(type__in=["run.ended", "run.cancelled"])
    assert ends.count() == 2 * ROUNDS
