"""An approval is given, or taken back, while its run has something else to do: that is not put off by it."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F

from accounts.callers import Caller
from accounts.models import User
from agents.models import EffectRecord, Run
from agents.services.ask_undo import ask_undo
from agents.sweep import sweep_once
from approvals.models import ApprovalRequest
from approvals.services.undo import undo
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller, tools_of
from tests.agents.conftest import Counter, host
from tests.agents.saying import parked, taken
from tests.agents.test_effects import Killed, die
from tests.model_server import call, calls, final, judged

FIRST, SECOND = (judged({"account": account, "amount": "42.00"}) for account in ("A1", "B2"))


def asked_for(run: Run, account: str) -> ApprovalRequest:
    return ApprovalRequest.objects.get(run_id=run.pk, arguments__account=account)


def approved_for_now(counter: Counter, request: ApprovalRequest, person: User) -> None:
    """Approved, and for a while that can be taken back."""
    ApprovalRequest.objects.filter(pk=request.pk).update(undo_seconds=60)
    request.refresh_from_db()
    counter.decide(request, Verdict.APPROVE, person)


def taken_back(request: ApprovalRequest, person: User) -> None:
    undo(request_id=request.pk, caller=Caller.of_session(person))


def test_who_took_a_run_over_is_asked_to_hand_it_back_though_an_approval_is_taken_back_meanwhile(
    counter: Counter, operator: User, reviewer: User
) -> None:
    run = parked(counter)
    request = counter.request(run)
    approved_for_now(counter, request, reviewer)
    taken(run, operator)
    taken_back(request, reviewer)
    counter.go_on(run)
    assert ApprovalRequest.objects.filter(run_id=run.pk, kind="hand_back").exists()


def died_in_the_first(counter: Counter, bank: Bank, reviewer: User) -> Run:
    """A run whose worker died in the first of two calls; the second one waits for a decision."""
    both = calls(call("pay", FIRST), call("pay", SECOND))
    run = counter.start([both, final(summary="ok")])
    counter.decide(asked_for(run, "A1"), Verdict.APPROVE, reviewer)
    bank.trouble = die
    try:
        counter.go_on(run)
    except Killed:
        bank.trouble = None
    Run.objects.filter(pk=run.pk).update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    assert sweep_once()["leases_expired"] == 1
    return run


def test_a_call_whose_worker_died_is_found_out_though_another_approval_is_taken_back(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = died_in_the_first(counter, bank, reviewer)
    approved_for_now(counter, asked_for(run, "B2"), reviewer)
    taken_back(asked_for(run, "B2"), reviewer)
    counter.go_on(run)
    assert EffectRecord.objects.get(run=run).state == "succeeded"
    assert asked_for(run, "B2").state == "pending"


def test_a_call_whose_worker_died_does_not_wait_for_the_undo_time_of_another(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = died_in_the_first(counter, bank, reviewer)
    approved_for_now(counter, asked_for(run, "B2"), reviewer)
    run = counter.go_on(run)
    assert EffectRecord.objects.get(run=run).state == "succeeded"
    assert (run.state, asked_for(run, "B2").state) == ("ready", "approved")
    assert run.ready_at == asked_for(run, "B2").ready_at


def test_an_undo_that_was_asked_for_is_proposed_though_another_approval_is_taken_back(
    counter: Counter, bank: Bank, operator: User, reviewer: User
) -> None:
    tools = tools_of(bank)
    next(tool for tool in tools if tool.name == "pay").undo(lambda ctx, payment, receipt: None)
    host(teller(bank, tools=tools))
    both = calls(call("pay", FIRST), call("pay", SECOND))
    run = counter.start([both, final(summary="ok")])
    counter.decide(asked_for(run, "A1"), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    approved_for_now(counter, asked_for(run, "B2"), reviewer)
    caller, effect = Caller.of_session(operator), EffectRecord.objects.get(run=run)
    ask_undo(run_id=run.pk, effect_id=effect.pk, reason="Wrong.", caller=caller)
    taken_back(ApprovalRequest.objects.get(run_id=run.pk, state="approved"), reviewer)
    counter.go_on(run)
    assert ApprovalRequest.objects.filter(run_id=run.pk, tool="undo_pay").exists()


def test_a_run_that_only_waited_for_the_end_of_an_undo_time_waits_for_people_again(
    counter: Counter, reviewer: User
) -> None:
    run = parked(counter)
    approved_for_now(counter, counter.request(run), reviewer)
    taken_back(ApprovalRequest.objects.get(run_id=run.pk), reviewer)
    run.refresh_from_db()
    assert run.state == "waiting"
