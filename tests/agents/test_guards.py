"""Bounds and conditions that keep a run from being lost, doubled, or at work without end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db.models import F

from accounts.models import User
from agents.journal import Journal
from agents.models import EffectRecord, Run, Step
from agents.services.claim import claim
from agents.services.operate_agent import disable_agent
from agents.services.park import park
from agents.services.take_up import approved_next
from agents.sweep import sweep_once
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.clock import database_now
from tests.agents.bank import Bank
from tests.agents.conftest import TEST, Counter
from tests.agents.test_effects import PAY, approved
from tests.model_server import ModelServer, call, calls, error, final

HOUR = timedelta(hours=1)


def left_long() -> dict[str, str]:
    """As of a run that was left to processes of another release, and none of them came."""
    now = database_now()
    return {"since": (now - HOUR).isoformat(), "last": now.isoformat()}


def test_a_decision_that_lands_while_the_run_parks_makes_it_ready_instead(counter: Counter) -> None:
    run = counter.start([calls(call("pay", PAY))])
    Run.objects.filter(pk=run.pk).update(state="ready")
    claimed = claim(run.pk, owner="test")
    assert claimed is not None
    Run.objects.filter(pk=run.pk).update(wake_seq=F("wake_seq") + 1)
    park(claimed.lease, [])
    run.refresh_from_db()
    assert run.state == "ready"


def test_only_one_worker_claims_a_run(counter: Counter) -> None:
    run = counter.start([calls(call("pay", PAY))])
    Run.objects.filter(pk=run.pk).update(state="ready")
    assert claim(run.pk, owner="one") is not None
    assert claim(run.pk, owner="two") is None


@pytest.mark.parametrize("halt", ["paused", "disabled"])
def test_a_run_that_stands_still_is_not_claimed(counter: Counter, halt: str) -> None:
    run = counter.start([calls(call("pay", PAY))])
    Run.objects.filter(pk=run.pk).update(state="ready")
    if halt == "paused":
        Run.objects.filter(pk=run.pk).update(paused_at=F("created_at"))
    else:
        disable_agent(slug="teller", reason="Incident.", caller=TEST)
    assert claim(run.pk, owner="test") is None


def test_a_run_is_not_claimed_before_the_undo_time_is_over(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    Run.objects.filter(pk=run.pk).update(ready_at=database_now() + HOUR)
    assert counter.go_on(run).state == "ready"
    assert bank.sent == []


def test_an_approval_whose_undo_time_runs_is_not_used_even_when_the_run_is_at_work(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY), call("wire", PAY)), final(summary="ok")])
    for request in ApprovalRequest.objects.filter(run_id=run.pk):
        counter.decide(request, Verdict.APPROVE, reviewer)
    wire = Step.objects.get(run=run, name="wire")
    assert wire.resolution is not None
    later = (database_now() + HOUR).isoformat()
    Step.objects.filter(pk=wire.pk).update(resolution={**wire.resolution, "ready_at": later})
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("ready", 1)
    assert run.ready_at is not None
    assert run.ready_at.isoformat() == later


def test_arguments_other_than_the_approved_ones_are_never_sent(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    other = {"account": "A1", "amount": "43.00"}
    Step.objects.filter(run=run, name="pay").update(arguments=other)
    assert counter.go_on(run).state == "succeeded"
    assert bank.sent == []
    assert not EffectRecord.objects.filter(run=run).exists()


def test_an_approval_that_lapsed_is_never_used(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    ApprovalRequest.objects.filter(run_id=run.pk).update(execute_by=database_now())
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("succeeded", [])
    assert ApprovalRequest.objects.get(run_id=run.pk).state == "lapsed"
    assert "not used in time" in counter.model.requests[-1]["messages"][-1]["content"]


def test_an_approved_call_waits_for_a_person_while_its_run_is_at_a_limit(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    Run.objects.filter(pk=run.pk).update(tool_calls=30)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    budget = counter.request(run)
    assert budget.kind == "budget"
    counter.decide(budget, Verdict.EXTEND, reviewer, caps={"tool_calls": 5})
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_an_approved_call_does_not_go_out_while_somebody_is_to_look_at_its_run(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.start([calls(call("wire", PAY)), final(summary="ok")])
    payment = counter.request(run)
    Run.objects.filter(pk=run.pk).update(state="ready", stalled_claims=5)
    run = counter.go_on(run)
    look = ApprovalRequest.objects.get(run_id=run.pk, kind="attention")
    counter.decide(payment, Verdict.APPROVE, reviewer)
    Run.objects.filter(pk=run.pk).update(state="ready", ready_at=None)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    counter.decide(look, Verdict.CONTINUE, reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_an_approved_call_that_gets_nowhere_is_not_tried_for_ever(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    Run.objects.filter(pk=run.pk).update(stalled_claims=5)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert counter.request(run).kind == "attention"


def test_a_run_that_is_to_end_sends_nothing_more(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    Run.objects.filter(pk=run.pk).update(cancel_requested_at=database_now())
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("cancelled", [])


def test_a_sleeping_run_wakes_in_time_and_not_before(counter: Counter) -> None:
    run = counter.start([error(500)] * 3)
    assert (run.state, run.sleeps) == ("sleeping", 1)
    assert sweep_once()["sleepers_woken"] == 0
    Run.objects.filter(pk=run.pk).update(wake_at=database_now())
    assert sweep_once()["sleepers_woken"] == 1
    counter.model.follow([final(summary="ok")])
    run = counter.go_on(run)
    assert (run.state, run.sleeps) == ("succeeded", 0)


def test_a_run_sleeps_so_often_and_then_a_person_looks(counter: Counter) -> None:
    run = counter.start(lambda _request: error(500))
    Run.objects.filter(pk=run.pk).update(state="ready", wake_at=None, sleeps=5)
    run = counter.go_on(run)
    assert run.state == "waiting"
    assert counter.request(run).kind == "attention"


@pytest.mark.parametrize(("claims", "kind"), [(5, "action"), (6, "attention")])
def test_a_run_that_gets_nowhere_is_looked_at_by_a_person(
    counter: Counter, claims: int, kind: str
) -> None:
    run = counter.start([error(500)] * 3)
    counter.model.follow([calls(call("pay", PAY))])
    Run.objects.filter(pk=run.pk).update(state="ready", stalled_claims=claims - 1)
    run = counter.go_on(run)
    assert (run.state, run.stalled_claims) == ("waiting", 0)
    assert counter.request(run).kind == kind


def test_a_run_whose_approved_call_cannot_be_read_is_claimed_and_counted_and_shown_to_a_person(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = approved(counter, reviewer, "wire")

    def broken(self: object, arguments: object) -> object:
        raise RuntimeError("a validator of the tool's own")

    monkeypatch.setattr("agents.tools.Tool.parse", broken)
    for claims in range(1, 6):
        with pytest.raises(RuntimeError):
            counter.go_on(run)
        run.refresh_from_db()
        assert (run.state, run.stalled_claims) == ("running", claims)
        Run.objects.filter(pk=run.pk).update(lease_expires_at=F("created_at") - HOUR)
        sweep_once()
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert counter.request(run).kind == "attention"


def test_a_model_call_that_kills_its_workers_is_given_up(
    counter: Counter, model: ModelServer
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    died = [{"code": "interrupted"}] * 5
    Step.objects.filter(run=run, kind="tool").delete()
    Step.objects.filter(run=run, kind="model").update(state="started", attempts=died)
    Run.objects.filter(pk=run.pk).update(state="ready")
    run = counter.go_on(run)
    assert (run.state, len(model.requests)) == ("waiting", 1)
    assert ApprovalRequest.objects.get(run_id=run.pk, kind="attention").state == "pending"


def test_a_journal_of_a_newer_release_is_not_read(counter: Counter, bank: Bank) -> None:
    run = counter.start([calls(call("pay", PAY))])
    Step.objects.filter(run=run, kind="model").update(schema=99)
    Run.objects.filter(pk=run.pk).update(state="ready", left=left_long())
    counter.go_on(run)
    assert ApprovalRequest.objects.filter(run_id=run.pk, kind="attention").exists()


def test_one_poisonous_run_does_not_stop_the_sweep_for_the_others(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [counter.start([error(500)] * 3) for _ in range(2)]
    for run, ago in zip(runs, (2, 1), strict=True):
        Run.objects.filter(pk=run.pk).update(wake_at=database_now() - ago * HOUR)
    move = type(Run.objects.all()).move

    def poisoned(self: object, pk: object, *args: object, **more: object) -> bool:
        if pk == runs[0].pk:
            raise ValueError
        return move(self, pk, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(type(Run.objects.all()), "move", poisoned)
    monkeypatch.setattr(Run.objects, "move", lambda *a, **k: poisoned(Run.objects.all(), *a, **k))
    assert sweep_once()["sleepers_woken"] == 1
    assert [Run.objects.get(pk=run.pk).state for run in runs] == ["sleeping", "ready"]


def test_an_approved_call_is_taken_up_only_where_no_allowed_one_goes_before_it() -> None:
    approved = Step(seq=2, kind="tool", state="waiting", resolution={"kind": "approved"})
    allowed = Step(seq=3, kind="tool", state="proposed", judgement=_judged_as("allow"))
    reviewed = Step(seq=3, kind="tool", state="proposed", judgement=_judged_as("review"))
    now = datetime.now(UTC)
    assert approved_next(Journal([approved]), now) is approved
    assert approved_next(Journal([approved, reviewed]), now) is approved
    assert approved_next(Journal([approved, allowed]), now) is None


def _judged_as(outcome: str) -> dict[str, dict[str, str]]:
    return {"verdict": {"outcome": outcome}}


def test_a_run_sleeps_until_the_first_of_its_tools_may_be_called(counter: Counter) -> None:
    run = counter.start([calls(call("pay", PAY))])
    Run.objects.filter(pk=run.pk).update(state="ready")
    claimed = claim(run.pk, owner="test")
    assert claimed is not None
    before = database_now()
    park(claimed.lease, [], held_back={uuid4(): 500.0, uuid4(): 100.0})
    run.refresh_from_db()
    assert run.state == "sleeping"
    assert run.wake_at is not None
    assert timedelta(seconds=100) < run.wake_at - before < timedelta(seconds=200)
