"""A new task, or a take-over, against approvals and their dispatch, in real processes, hundreds of times."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import close_old_connections, connection

from accounts.callers import Caller
from accounts.models import User
from agents.models import EffectRecord, Run, RunMessage
from agents.services.change_goal import change_goal
from agents.services.start_run import start_run
from agents.services.take_over import take_over
from approvals.models import ApprovalRequest
from approvals.services.decide import decide
from audit.errors import Conflict
from demo.models import Order
from tests.approvals.till import verdict_on
from tests.harness.rounds import Edge, rounds
from tests.harness.stack import Stack
from tests.model_server import Answer, ModelServer, call, calls, final, judged

Prepare = Callable[..., Stack]
ROUNDS = min(rounds(20), 120)
"""As many as the shop has orders for."""
#: The demo's policy has one of Finance decide it.
AMOUNT = "51.00"
STEP_SECONDS = 0.002


def reply(request: dict[str, Any]) -> Answer:
    """A refund of the order that the task names; the end once there is a result."""
    messages = request["messages"]
    order = re.findall(r"ORD-\d+", messages[1]["content"])[0]
    results = [message for message in messages if message["role"] == "tool"]
    made = [each["tool_call_id"] for each in results if "done" in each["content"]]
    if made:
        told = {"outcome": "refunded", "order": order, "amount": AMOUNT, "message": "Done."}
        return final(**told, relies_on=made)
    if results:
        return final(outcome="declined", order=order, message="Nothing was refunded.")
    refund = {"order": order, "amount": AMOUNT, "reason": "Broken."}
    return calls(call("issue_refund", judged(refund)))


@pytest.fixture
def site(stack: Prepare) -> Iterator[Stack]:
    """Workers, scheduler and payment provider, without the web."""
    model = ModelServer(reply)
    prepared = stack(openai_base_url=model.url, openai_api_key="test", openai_model="scripted")
    yield prepared.run("payment provider", "scheduler", "resumes", "runs")
    model.close()


def parked(site: Stack, operator: User) -> list[Run]:
    """As many runs as there are rounds, each waiting for a decision on a refund of its own order."""
    orders = [
        each
        for each in Order.objects.with_everything()
        if each.given_back() + Decimal(AMOUNT) < each.total
    ]
    caller = Caller.of_session(operator)
    runs = [
        start_run(agent="refund-desk", input=f"Refund {order.number}.", caller=caller)[0]
        for order in orders[:ROUNDS]
    ]
    assert len(runs) == ROUNDS
    site.wait_for(
        lambda: Run.objects.filter(state="waiting").count() == ROUNDS, 240, "all runs wait"
    )
    return runs


def together(first: Callable[[], object], second: Callable[[], object], lead: float) -> None:
    """Both on connections of their own, the first so many seconds before the second (or after it)."""
    start = threading.Barrier(2)
    pause = threading.Event()
    errors: list[Exception] = []

    def act(move: Callable[[], object], wait: float) -> None:
        connection.ensure_connection()
        start.wait(timeout=20)
        pause.wait(wait)
        try:
            move()
        except Conflict:
            # Whoever is slower is told so; what became of it is looked at below.
            pass
        except Exception as error:  # noqa: BLE001 - it fails the test below, in the test's own thread
            errors.append(error)
        finally:
            connection.close()
            close_old_connections()

    threads = [
        threading.Thread(target=act, args=(first, max(0.0, -lead))),
        threading.Thread(target=act, args=(second, max(0.0, lead))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert errors == []


def approving(run: Run, reviewer: User) -> Callable[[], object]:
    request = ApprovalRequest.objects.get(run_id=run.pk)
    decision = verdict_on(request)
    caller = Caller.of_session(reviewer)
    return lambda: decide(request_id=request.pk, decision=decision, caller=caller)


@pytest.mark.parametrize("said", ["goal", "take_over"])
def test_a_call_ran_before_the_run_was_told_with_its_approval_spent_or_it_never_runs(
    site: Stack, operator: User, reviewer: User, said: str
) -> None:
    caller = Caller.of_session(operator)

    def tell(run: Run) -> Callable[[], object]:
        if said == "goal":
            return lambda: change_goal(run_id=run.pk, text="Refund nothing.", caller=caller)
        return lambda: take_over(run_id=run.pk, reason="", caller=caller)

    edge, ran = Edge(0.02, finest=STEP_SECONDS), 0
    for run in parked(site, operator):
        together(approving(run, reviewer), tell(run), edge.lead)
        site.wait_for(lambda run=run: settled(run, said), 40, "the round is over")
        sent = ran_before(run, said)
        ran += sent
        edge.after(bool(sent))
    assert 0 < ran < ROUNDS
    calls_made = [str(call["key"]) for call in site.provider_calls()]
    assert len(calls_made) == len(set(calls_made)) == ran


def settled(run: Run, said: str) -> bool:
    """Whether nothing is left to happen in the run's round."""
    now = Run.objects.get(pk=run.pk)
    if now.ended or said == "goal":
        return now.ended
    asked = ApprovalRequest.objects.filter(run_id=run.pk, kind="hand_back", state="pending")
    return now.state == "waiting" and asked.exists()


def ran_before(run: Run, said: str) -> bool:
    """Whether the call ran; if so before the run was told, and otherwise not at all."""
    request = ApprovalRequest.objects.get(run_id=run.pk, kind="action")
    effect = EffectRecord.objects.filter(run=run).first()
    told = RunMessage.objects.filter(run=run).first()
    if effect is None:
        assert request.state in (("superseded",) if said == "goal" else ("approved", "pending"))
        assert told is not None
        return False
    assert (effect.state, request.state) == ("succeeded", "consumed")
    assert effect.approval_id == request.pk
    assert told is None or (effect.dispatched_at or told.sent_at) < told.sent_at
    return True
