"""Effects: sent once, and when a worker dies in between, what the tool's class allows and no more."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F

from accounts.callers import Caller
from accounts.models import User
from agents import registry
from agents.authoring import Retryable, Terminal, ToolContext
from agents.models import EffectRecord, Run
from agents.services.operate_agent import disable_agent, enable_agent
from agents.sweep import sweep_once
from approvals.services.undo import undo
from approvals.vocabulary import Verdict
from audit.clock import database_now
from audit.models import Event
from tests.agents.bank import Bank, Payment, Receipt
from tests.agents.conftest import TEST, Counter
from tests.model_server import call, calls, final, judged

PAY = judged({"account": "A1", "amount": "42.00"})


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


def die() -> None:
    raise Killed


def approved(counter: Counter, reviewer: User, tool: str) -> Run:
    """A run whose payment is approved and not yet sent."""
    run = counter.start([calls(call(tool, PAY)), final(summary="done")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    return Run.objects.get(pk=run.pk)


def killed_while_sending(counter: Counter, bank: Bank, reviewer: User, tool: str) -> Run:
    """Like `approved`, but the worker dies in the call and the lease runs out."""
    run = approved(counter, reviewer, tool)
    bank.trouble = die
    with pytest.raises(Killed):
        counter.go_on(run)
    bank.trouble = None
    Run.objects.filter(pk=run.pk).update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    assert sweep_once()["leases_expired"] == 1
    return Run.objects.get(pk=run.pk)


def test_an_idempotent_call_is_sent_again_with_the_same_key(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "pay"))
    assert run.state == "succeeded"
    assert len(bank.sent) == 2
    assert len({key for key, _, _ in bank.sent}) == 1


def test_a_call_that_is_sent_again_is_told_the_same_moment(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    take = bank.take

    def noting(ctx: ToolContext, payment: Payment) -> Receipt:
        told.append(ctx.now)
        return take(ctx, payment)

    monkeypatch.setattr(bank, "take", noting)
    counter.go_on(killed_while_sending(counter, bank, reviewer, "pay"))
    assert told == [EffectRecord.objects.get().dispatched_at] * 2


def test_a_transactional_call_is_done_when_its_body_has_ended(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    ended: list[datetime] = []

    def take_time() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01)")
        ended.append(database_now())

    bank.trouble = take_time
    counter.go_on(approved(counter, reviewer, "book"))
    finished = EffectRecord.objects.get().finished_at
    assert finished is not None
    assert finished > ended[0]


@pytest.mark.parametrize("name", ["pay", "order", "book"])
def test_what_another_version_of_its_tool_has_sent_is_not_sent_again_by_this_one(
    counter: Counter, bank: Bank, reviewer: User, name: str
) -> None:
    run = killed_while_sending(counter, bank, reviewer, name)
    tool = registry.get("teller").tool(name)
    assert tool is not None
    tool.version = "another"
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("waiting", 1)
    assert counter.request(run).kind == "in_doubt"


def test_an_opaque_call_is_never_sent_again_and_a_person_is_asked(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "wire"))
    assert (run.state, len(bank.sent)) == ("waiting", 1)
    request = counter.request(run)
    assert request.kind == "in_doubt"
    assert request.review_deadline is None
    assert EffectRecord.objects.get(run=run).state == "in_doubt"


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(Verdict.HAPPENED, "succeeded"), (Verdict.DID_NOT, "failed"), (Verdict.COMPENSATE, "failed")],
)
def test_an_effect_in_doubt_is_settled_as_a_person_found(
    counter: Counter,
    bank: Bank,
    reviewer: User,
    second_reviewer: User,
    verdict: Verdict,
    state: str,
) -> None:
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "wire"))
    counter.decide(counter.request(run), verdict, second_reviewer)
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("succeeded", 1)
    assert EffectRecord.objects.get(run=run).state == state
    assert Event.objects.filter(run=run.pk, type="effect.resolved").count() == 1


def test_a_transactional_call_that_did_not_commit_runs_again(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "book"))
    assert run.state == "succeeded"
    assert EffectRecord.objects.get(run=run).state == "succeeded"


def test_a_queryable_call_that_the_provider_knows_is_settled_without_sending(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = killed_while_sending(counter, bank, reviewer, "order")
    bank.known[bank.sent[0][0]] = Receipt(reference="R1")
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("succeeded", 1)


def test_a_queryable_call_that_the_provider_does_not_know_yet_is_in_doubt(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "order"))
    assert (run.state, len(bank.sent)) == ("waiting", 1)
    assert counter.request(run).kind == "in_doubt"


@pytest.mark.parametrize(
    ("known", "state", "effect"), [(True, "succeeded", "succeeded"), (False, "waiting", "in_doubt")]
)
def test_a_queryable_call_whose_answer_was_lost_is_looked_up_before_a_person_is_asked(
    counter: Counter, bank: Bank, reviewer: User, known: bool, state: str, effect: str
) -> None:
    def lost() -> None:
        if known:
            bank.known[bank.sent[0][0]] = Receipt(reference="R1")
        raise TimeoutError

    run = approved(counter, reviewer, "order")
    bank.trouble = lost
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == (state, 1)
    assert EffectRecord.objects.get(run=run).state == effect


def test_a_call_that_failed_before_it_did_anything_is_sent_again(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    troubles = iter([True, False])

    def busy() -> None:
        if next(troubles):
            raise Retryable("The bank is busy.")

    bank.trouble = busy
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 2


def test_a_call_that_the_tool_refuses_fails_and_the_agent_reads_why(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    def closed() -> None:
        raise Terminal("The account is closed.")

    bank.trouble = closed
    run = counter.go_on(approved(counter, reviewer, "wire"))
    assert run.state == "succeeded"
    assert EffectRecord.objects.get(run=run).state == "failed"
    assert "The account is closed." in counter.model.requests[-1]["messages"][-1]["content"]


def test_an_unexpected_error_of_an_opaque_call_leaves_its_outcome_in_doubt(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    def broken() -> None:
        raise ConnectionResetError

    bank.trouble = broken
    run = counter.go_on(approved(counter, reviewer, "wire"))
    assert (run.state, len(bank.sent)) == ("waiting", 1)
    assert counter.request(run).kind == "in_doubt"


def test_a_refusal_after_a_sending_of_unknown_outcome_settles_nothing(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = killed_while_sending(counter, bank, reviewer, "pay")

    def refused() -> None:
        raise Terminal("No.")

    bank.trouble = refused
    run = counter.go_on(run)
    assert counter.request(run).kind == "in_doubt"


def test_a_worker_that_lost_its_lease_writes_nothing(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")

    # The tool's thread has a connection of its own, which does not see what this transaction wrote.
    ours = connection.connection

    def overtaken() -> None:
        ours.execute("UPDATE agents_run SET epoch = epoch + 1 WHERE id = %s", [run.pk])

    bank.trouble = overtaken
    run = counter.go_on(run)
    assert EffectRecord.objects.get(run=run).state == "dispatched"
    assert run.state == "running"


def test_what_was_approved_is_not_sent_when_the_world_has_changed(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    world = {"balance": "100"}
    agent = registry.get("teller")
    wire = agent.tool("wire")
    assert wire is not None

    @wire.state_token
    def read(ctx: ToolContext, payment: Payment) -> str:
        return world["balance"]

    run = approved(counter, reviewer, "wire")
    world["balance"] = "0"
    run = counter.go_on(run)
    request = counter.request(run)
    assert (request.revision, run.state, bank.sent) == (2, "waiting", [])
    counter.decide(request, Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_an_edited_call_is_compared_with_the_world_that_its_editor_was_shown(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    world = {"A1": "100", "B2": "7"}
    wire = registry.get("teller").tool("wire")
    assert wire is not None

    @wire.state_token
    def read(ctx: ToolContext, payment: Payment) -> str:
        return world[payment.account]

    run = counter.start([calls(call("wire", PAY)), final(summary="done")])
    request = counter.request(run)
    edited = {**request.arguments, "account": "B2"}
    counter.decide(request, Verdict.EDIT, reviewer, arguments=edited)
    request = counter.request(run)
    # Of the account that is paid to no more nobody has to hear.
    world["A1"] = "0"
    counter.decide(request, Verdict.APPROVE, second_reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_the_kill_switch_holds_an_approved_call_and_takes_nothing_away(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    disable_agent(slug="teller", reason="Incident.", caller=TEST)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("ready", [])
    enable_agent(slug="teller", caller=TEST)
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_an_undone_approval_sends_the_run_back_to_waiting(
    counter: Counter, bank: Bank, reviewer: User
) -> None:

    run = counter.start([calls(call("wire", PAY)), final(summary="done")])
    request = counter.request(run)
    counter.decide(request, Verdict.APPROVE, reviewer)
    request.refresh_from_db()
    if request.ready_at is not None:
        type(request).objects.filter(pk=request.pk).update(
            ready_at=F("ready_at") + timedelta(hours=1)
        )
    undo(request_id=request.pk, caller=Caller.of_session(reviewer))
    run.refresh_from_db()
    assert run.state == "waiting"
    assert counter.go_on(run).state == "waiting"
    assert bank.sent == []
