"""Line 1: what runs has a stored approval of exactly this digest and revision, or an allow verdict."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from accounts.callers import Caller
from accounts.models import User
from agents.models import EffectRecord, Run, Step
from agents.services.change_goal import change_goal
from agents.services.control import cancel_run
from agents.services.operate_agent import disable_agent
from approvals.models import ApprovalRequest, Vote
from approvals.services.sweep import sweep
from audit.clock import database_now
from tests.agents.bank import Bank
from tests.agents.conftest import TEST, Counter
from tests.agents.test_effects import PAY
from tests.invariants.conftest import Enter
from tests.invariants.ruling import DENIED, NOBODY_NEEDED, in_force
from tests.model_server import call, calls, final, judged

Prevent = Callable[[Run, ApprovalRequest, Any], None]


def parked(counter: Counter, tool: str = "pay") -> tuple[Run, ApprovalRequest]:
    """A run that waits for a person to approve its payment, and the request."""
    run = counter.start([calls(call(tool, PAY)), *[final(summary="ok")] * 3])
    return run, counter.request(run)


def pushed(counter: Counter, run: Run) -> Run:
    """The run after workers have taken it up as often as they are woken, and once more for nothing."""
    for _ in range(3):
        Run.objects.filter(pk=run.pk, state="waiting").update(state="ready")
        counter.go_on(run)
    return Run.objects.get(pk=run.pk)


@pytest.mark.parametrize("tool", ["pay", "wire", "book", "order"])
def test_an_approved_call_runs_once_and_is_exactly_what_was_approved(
    counter: Counter, bank: Bank, enter: Enter, reviewer: User, tool: str
) -> None:
    run, request = parked(counter, tool)
    assert bank.sent == []
    door = enter(reviewer)
    assert door.decide(request.pk, door.read(request)).taken
    assert pushed(counter, run).state == "succeeded"
    (sent,) = bank.sent
    effect, vote = EffectRecord.objects.get(), Vote.objects.get()
    assert sent[1:] == ("A1", "42.00")
    assert effect.digest == vote.digest == request.digest
    assert (effect.approval_id, effect.approval_revision) == (request.pk, vote.revision)
    request.refresh_from_db()
    assert request.state == "consumed"


def test_an_edited_call_runs_as_edited_after_somebody_else_approved_it(
    counter: Counter, bank: Bank, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    run, request = parked(counter)
    door = enter(reviewer)
    changed = {"account": "A1", "amount": "41.00"}
    assert door.decide(request.pk, door.read(request), "edit", arguments=changed).taken
    pushed(counter, run)
    assert bank.sent == []
    request.refresh_from_db()
    assert enter(second_reviewer).through(request).taken
    pushed(counter, run)
    assert [amount for _, _, amount in bank.sent] == ["41.00"]
    assert EffectRecord.objects.get().digest == request.digest


def no_word(run: Run, request: ApprovalRequest, door: Any) -> None:
    """Nobody decides."""


def rejected(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request, "reject", reason="no").taken


def stopped(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request, "stop", reason="no").taken


def sent_back(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request, "send_back", reason="no").taken


def taken_back(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request).taken
    assert door.do(request.pk, "undo").taken


def edited_alone(run: Run, request: ApprovalRequest, door: Any) -> None:
    arguments = {"account": "A1", "amount": "41.00"}
    assert door.through(request, "edit", arguments=arguments).taken


def expired(run: Run, request: ApprovalRequest, door: Any) -> None:
    past = database_now() - timedelta(seconds=1)
    ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=past)
    sweep()


def cancelled(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request).taken
    cancel_run(run_id=run.pk, reason="", caller=Caller.of_session(run.initiator))


def superseded(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request).taken
    change_goal(run_id=run.pk, text="Pay nothing.", caller=Caller.of_session(run.initiator))


def lapsed(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request).taken
    ApprovalRequest.objects.filter(pk=request.pk).update(execute_by=database_now())
    sweep()


def still_to_be_undone(run: Run, request: ApprovalRequest, door: Any) -> None:
    ApprovalRequest.objects.filter(pk=request.pk).update(undo_seconds=60)
    assert door.through(request).taken


def denied_by_now(run: Run, request: ApprovalRequest, door: Any) -> None:
    in_force(DENIED)
    door.through(request)


def denied_after_approval(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request).taken
    in_force(DENIED)


def switched_off(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request).taken
    disable_agent(slug="teller", reason="Incident.", caller=TEST)


def other_arguments(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request).taken
    Step.objects.filter(run=run, name="pay").update(arguments={"account": "A1", "amount": "43.00"})


def other_revision(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request).taken
    ApprovalRequest.objects.filter(pk=request.pk).update(revision=F("revision") + 1)


def other_digest(run: Run, request: ApprovalRequest, door: Any) -> None:
    assert door.through(request).taken
    other = "sha256:" + "0" * 64
    ApprovalRequest.objects.filter(pk=request.pk).update(digest=other)


def resolution_without_approval(run: Run, request: ApprovalRequest, door: Any) -> None:
    """The step says approved, and its request does not."""
    word = {
        "kind": "approved",
        "ready_at": None,
        "revision": 1,
        "digest": request.digest,
        "data": {},
    }
    Step.objects.filter(run=run, name="pay").update(resolution=word)


def resolution_without_request(run: Run, request: ApprovalRequest, door: Any) -> None:
    """The step says approved, and names no request at all."""
    resolution_without_approval(run, request, door)
    Step.objects.filter(run=run, name="pay").update(approval_id=None)


PREVENTS: tuple[Prevent, ...] = (
    *(no_word, rejected, stopped, sent_back, taken_back, edited_alone, expired, cancelled),
    *(superseded, lapsed, still_to_be_undone, denied_by_now, denied_after_approval, switched_off),
    *(other_arguments, other_revision, other_digest),
    *(resolution_without_approval, resolution_without_request),
)


@pytest.mark.parametrize("prevent", PREVENTS, ids=lambda prevent: prevent.__name__)
def test_nothing_is_sent_where_the_approval_is_not_exactly_this_one_and_stands(
    counter: Counter, bank: Bank, enter: Enter, reviewer: User, prevent: Prevent
) -> None:
    run, request = parked(counter)
    prevent(run, request, enter(reviewer))
    pushed(counter, run)
    assert bank.sent == []
    assert not EffectRecord.objects.exists()
    assert ApprovalRequest.objects.get(pk=request.pk).state != "consumed"


def test_an_allow_verdict_is_the_only_other_way(counter: Counter, bank: Bank) -> None:
    in_force(NOBODY_NEEDED)
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    assert (run.state, len(bank.sent)) == ("succeeded", 1)
    assert not ApprovalRequest.objects.exists()
    step = Step.objects.get(run=run, name="pay")
    assert step.judgement is not None
    assert step.judgement["verdict"]["outcome"] == "allow"
    assert step.input_digest == EffectRecord.objects.get().digest


@pytest.mark.parametrize("tool", ["pay", "wire", "book", "order", "read_balance", "read_letter"])
def test_a_denied_call_asks_nobody_and_runs_by_no_tools_own_mercy(
    counter: Counter, bank: Bank, tool: str
) -> None:
    in_force(DENIED, NOBODY_NEEDED)
    arguments = PAY if not tool.startswith("read") else judged({"account": "A1"})
    run = pushed(counter, counter.start([calls(call(tool, arguments)), final(summary="ok")]))
    step = Step.objects.get(run=run, name=tool)
    assert (step.state, step.problem, bank.sent) == ("refused", "denied", [])
    assert not ApprovalRequest.objects.exists()


@pytest.mark.parametrize("tool", ["pay", "read_balance"])
@pytest.mark.parametrize("verdict", ["deny", "review"])
def test_the_executor_looks_at_the_stored_verdict_itself(
    counter: Counter, bank: Bank, tool: str, verdict: str
) -> None:
    in_force(NOBODY_NEEDED)
    arguments = PAY if tool == "pay" else judged({"account": "A1"})
    run = counter.start([calls(call(tool, arguments)), *[final(summary="ok")] * 3])
    bank.sent.clear()
    # As if the call had come so far, by whatever way, that nothing but the executor is left.
    step = Step.objects.get(run=run, name=tool)
    assert step.judgement is not None
    step.judgement["verdict"] |= {"outcome": verdict, "requirements": None}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM agents_effect")
        cursor.execute("DELETE FROM agents_step WHERE run_id = %s AND seq > %s", [run.pk, step.seq])
    word = {"kind": "approved", "ready_at": None, "revision": 1, "digest": step.input_digest}
    Step.objects.filter(pk=step.pk).update(
        state="waiting",
        judgement=step.judgement,
        resolution=word,
        output=None,
        finished_at=None,
    )
    Run.objects.filter(pk=run.pk).update(state="ready", finished_at=None, outcome="")
    counter.go_on(run)
    assert bank.sent == []
    step.refresh_from_db()
    assert (step.state, step.problem) == ("refused", "not_approved")


def test_an_edit_into_what_is_denied_is_refused_by_every_door(
    counter: Counter, bank: Bank, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    in_force(DENIED | {"when": {"condition": "args.amount > 50.0"}})
    run, request = parked(counter)
    door = enter(reviewer)
    arguments = {"account": "A1", "amount": "50.01"}
    door.decide(request.pk, door.read(request), "edit", arguments=arguments).refused("edit_denied")
    request.refresh_from_db()
    assert (request.revision, request.arguments["amount"]) == (1, "42.00")
    assert enter(second_reviewer).through(request).taken
    pushed(counter, run)
    assert [amount for _, _, amount in bank.sent] == ["42.00"]
