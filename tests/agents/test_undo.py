"""Taking back what was done: an action of its own, through the same gate, decided by somebody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import User
from agents import registry
from agents.authoring import DefinitionError, EffectClass, ToolContext
from agents.errors import EditRefused, NotUndoable, UnknownRun
from agents.models import EffectRecord, Run, Step
from agents.services.ask_undo import ask_undo
from agents.services.control import cancel_run
from agents.sweep import sweep_once
from agents.timeline import read_timeline
from approvals import ports
from approvals.errors import OwnRequest
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.clock import database_now
from audit.models import Event
from tests.agents.bank import Bank, Payment, Receipt, teller, tools_of
from tests.agents.conftest import Counter, host
from tests.agents.test_effects import PAY, Killed, approved, die, killed_while_sending
from tests.agents.test_policy_and_runs import rules_published
from tests.agents.test_told_secrets import written
from tests.model_server import call, calls, final

Login = Callable[[Client, User], Client]


@dataclass
class Undos:
    """What was taken back, and trouble on demand."""

    done: list[tuple[ToolContext, Payment, Receipt | None]] = field(default_factory=list)
    trouble: Callable[[], None] | None = None

    def take(self, ctx: ToolContext, payment: Payment, receipt: Receipt | None) -> None:
        self.done.append((ctx, payment, receipt))
        if self.trouble is not None:
            self.trouble()


@pytest.fixture
def undos(bank: Bank, counter: Counter) -> Undos:
    """The bank takes back wires and payments; books and orders it does not."""
    undos, tools = Undos(), tools_of(bank)
    for tool in tools:
        if tool.name in ("wire", "pay"):
            tool.undo(undos.take)
    host(teller(bank, tools=tools))
    return undos


def wired(counter: Counter, reviewer: User, *after: Any) -> Run:
    """A run that has wired money and gone on with what comes `after`."""
    run = counter.start([calls(call("wire", PAY)), *(after or (final(summary="done"),))])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    return counter.go_on(Run.objects.get(pk=run.pk))


def effect_of(run: Run, name: str = "wire") -> EffectRecord:
    return EffectRecord.objects.get(run=run, step__name=name)


def ask(run: Run, person: User, name: str = "wire", reason: str = "Wrong account.") -> Run:
    caller = Caller.of_session(person)
    return ask_undo(run_id=run.pk, effect_id=effect_of(run, name).pk, reason=reason, caller=caller)


def why_not(run: Run, person: User, name: str = "wire") -> str:
    with pytest.raises(NotUndoable) as refused:
        ask(run, person, name)
    return str(refused.value.params["why"])


def events(type: str) -> list[dict[str, Any]]:
    return [json.loads(row.body) for row in Event.objects.filter(type=type)]


def undo_request(run: Run) -> ApprovalRequest:
    return ApprovalRequest.objects.get(run_id=run.pk, state="pending", tool="undo_wire")


def test_no_model_is_offered_an_undo_and_one_that_asks_for_it_hears_of_no_such_tool(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User
) -> None:
    run = wired(counter, reviewer, calls(call("undo_wire", PAY)), final(summary="done"))
    offered = {tool["function"]["name"] for tool in counter.model.requests[0]["tools"]}
    assert "wire" in offered
    assert not any(name.startswith("undo_") for name in offered)
    assert Step.objects.get(run=run, name="undo_wire").problem == "unknown_tool"
    assert undos.done == []


def test_an_undo_in_an_open_run_is_proposed_decided_by_somebody_else_and_told_to_the_agent(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, second_reviewer: User
) -> None:
    run = wired(counter, reviewer, calls(call("pay", PAY)), final(summary="done"))
    assert run.state == "waiting"
    assert ask(run, reviewer).pk == run.pk
    (asked,) = events("effect.undo_asked")
    assert asked["actor"]["id"] == str(reviewer.pk)
    run = counter.go_on(run)
    request = undo_request(run)
    assert request.initiator == reviewer
    assert request.title.startswith("Undo: Pay €42.00 to A1")
    facts = {fact["label"]: fact["value"] for fact in request.preview["facts"]}
    assert facts["It gave"] == '{"reference": "R1"}'
    assert (facts["Asked for by"], facts["Why"]) == (str(reviewer), "Wrong account.")
    with pytest.raises(OwnRequest):
        counter.decide(request, Verdict.APPROVE, reviewer)
    counter.decide(request, Verdict.APPROVE, second_reviewer)
    run = counter.go_on(run)
    ((ctx, payment, receipt),) = undos.done
    assert (payment.account, receipt) == ("A1", Receipt(reference="R1"))
    assert ctx.undoes is not None
    assert ctx.undoes.idempotency_key == bank.sent[0][0] != ctx.idempotency_key
    (event,) = events("effect.compensated")
    assert event["facts"]["effect"] == str(effect_of(run).pk)
    other = ApprovalRequest.objects.get(run_id=run.pk, state="pending", tool="pay")
    counter.decide(other, Verdict.REJECT, reviewer, reason="No.")
    assert counter.go_on(run).state == "succeeded"
    said = [m["content"] for m in counter.model.requests[-1]["messages"] if m["role"] == "user"]
    assert any("(wire). It was undone" in text for text in said)


def test_what_a_run_did_that_has_ended_is_undone_in_a_run_of_its_own(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, second_reviewer: User
) -> None:
    run = wired(counter, reviewer)
    asked = len(counter.model.requests)
    undo = ask(run, reviewer)
    assert (undo.parent_id, undo.undoes_id) == (run.pk, effect_of(run).pk)
    assert (undo.title, undo.initiator) == (f"Undo: {run.title}", reviewer)
    assert undo.agent_version_id == run.agent_version_id
    undo = counter.go_on(undo)
    counter.decide(undo_request(undo), Verdict.APPROVE, second_reviewer)
    undo = counter.go_on(undo)
    assert (undo.state, undo.outcome, len(undos.done)) == ("succeeded", "done", 1)
    assert len(counter.model.requests) == asked
    assert [step.name for step in Step.objects.filter(run=undo)] == ["undo_wire"]
    (event,) = events("effect.compensated")
    assert event["agent"]["run"] == str(run.pk)


def test_an_undo_that_is_rejected_leaves_things_as_they_are_and_may_be_asked_for_again(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, second_reviewer: User
) -> None:
    run = wired(counter, reviewer)
    undo = counter.go_on(ask(run, reviewer))
    counter.decide(undo_request(undo), Verdict.REJECT, second_reviewer, reason="It was right.")
    undo = counter.go_on(undo)
    assert (undo.state, undos.done) == ("failed", [])
    assert (undo.failure or {})["code"] == "rejected"
    assert events("effect.compensated") == []
    assert ask(run, reviewer).pk != undo.pk


def test_one_undo_at_a_time_and_none_after_it(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, second_reviewer: User
) -> None:
    run = wired(counter, reviewer)
    undo = ask(run, reviewer)
    assert why_not(run, second_reviewer) == "under_way"
    undo = counter.go_on(undo)
    assert why_not(run, second_reviewer) == "under_way"
    counter.decide(undo_request(undo), Verdict.APPROVE, second_reviewer)
    counter.go_on(undo)
    assert why_not(run, second_reviewer) == "undone"
    undone = EffectRecord.objects.get(run=undo)
    with pytest.raises(NotUndoable, match="not undone itself"):
        ask_undo(
            run_id=undo.pk,
            effect_id=undone.pk,
            reason="",
            caller=Caller.of_session(second_reviewer),
        )


def test_what_cannot_or_did_not_happen_cannot_be_undone(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User
) -> None:
    booked = counter.go_on(approved(counter, reviewer, "book"))
    assert why_not(booked, reviewer, "book") == "no_undo"
    doubtful = counter.go_on(killed_while_sending(counter, bank, reviewer, "wire"))
    assert why_not(doubtful, reviewer) == "did_not_happen"


def test_an_outsider_cannot_have_anything_undone(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, outsider: User
) -> None:
    run = wired(counter, reviewer)
    with pytest.raises(UnknownRun):
        ask(run, outsider)
    assert effect_of(run).undo_asked is None


def test_the_policy_judges_an_undo_by_its_own_name(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User
) -> None:
    rule = {
        "name": "no-undo",
        "title": "No undo",
        "when": {"tools": ["undo_wire"]},
        "effect": "deny",
    }
    rules_published(rule)
    assert ("teller", "undo_wire") in {(each.agent, each.tool) for each in ports.runs().catalogue()}
    run = wired(counter, reviewer)
    undo = counter.go_on(ask(run, reviewer))
    assert (undo.state, (undo.failure or {})["code"], undos.done) == ("failed", "denied", [])


def test_the_arguments_of_an_undo_are_those_of_what_it_undoes(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, second_reviewer: User
) -> None:
    undo = counter.go_on(ask(wired(counter, reviewer), reviewer))
    changed = {"account": "A1", "amount": "4200.00"}
    with pytest.raises(EditRefused) as refused:
        counter.decide(undo_request(undo), Verdict.EDIT, second_reviewer, arguments=changed)
    assert "takes the arguments" in str(refused.value.params)


def test_a_wish_that_a_run_ends_upon_is_carried_out_in_a_run_of_its_own(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, second_reviewer: User
) -> None:
    run = wired(counter, reviewer, calls(call("pay", PAY)), final(summary="done"))
    ask(run, reviewer)
    cancel_run(run_id=run.pk, reason="Enough.", caller=Caller.of_session(reviewer))
    undo = counter.go_on(Run.objects.get(parent=run))
    counter.decide(undo_request(undo), Verdict.APPROVE, second_reviewer)
    assert (counter.go_on(undo).state, len(undos.done)) == ("succeeded", 1)


def test_an_undo_run_that_is_cancelled_may_be_asked_for_again(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User
) -> None:
    run = wired(counter, reviewer)
    undo = ask(run, reviewer)
    cancel_run(run_id=undo.pk, reason="Not yet.", caller=Caller.of_session(reviewer))
    assert ask(run, reviewer).pk != undo.pk


def test_an_undo_whose_worker_died_is_sent_again_with_its_own_key(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, second_reviewer: User
) -> None:
    undo = counter.go_on(ask(wired(counter, reviewer), reviewer))
    counter.decide(undo_request(undo), Verdict.APPROVE, second_reviewer)
    undos.trouble = die
    with pytest.raises(Killed):
        counter.go_on(undo)
    undos.trouble = None
    Run.objects.filter(pk=undo.pk).update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    assert sweep_once()["leases_expired"] == 1
    assert counter.go_on(undo).state == "succeeded"
    assert len({ctx.idempotency_key for ctx, _, _ in undos.done}) == 1
    assert len(undos.done) == 2
    assert len(events("effect.compensated")) == 1


# -- compensating what was in doubt ---------------------------------------------------------------


def test_compensating_what_was_in_doubt_proposes_its_undo(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, second_reviewer: User
) -> None:
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "wire"))
    doubt = counter.request(run)
    assert (doubt.question or {})["compensate"] == "undo"
    assert "has its undo proposed" in doubt.preview["summary"]
    asked = len(counter.model.requests)
    counter.decide(doubt, Verdict.COMPENSATE, second_reviewer)
    run = counter.go_on(run)
    request = undo_request(run)
    # The agent hears of it only when it is settled.
    assert (run.state, len(counter.model.requests)) == ("waiting", asked)
    with pytest.raises(OwnRequest):
        counter.decide(request, Verdict.APPROVE, second_reviewer)
    counter.decide(request, Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    ((_, payment, receipt),) = undos.done
    assert (run.state, payment.account, receipt) == ("succeeded", "A1", None)
    assert effect_of(run).state == "succeeded"
    assert len(events("effect.compensated")) == 1
    assert "It was undone" in counter.model.requests[-1]["messages"][-1]["content"]


def test_where_nothing_can_undo_it_the_request_says_that_compensating_is_done_by_hand(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "wire"))
    doubt = counter.request(run)
    assert (doubt.question or {})["compensate"] == "by_hand"
    assert "by hand" in doubt.preview["summary"]
    counter.decide(doubt, Verdict.COMPENSATE, second_reviewer)
    run = counter.go_on(run)
    assert (run.state, effect_of(run).state) == ("succeeded", "failed")
    assert not Step.objects.filter(run=run, undoes__isnull=False).exists()


# -- what people see ------------------------------------------------------------------------------


def test_pages_and_programs_see_what_can_be_is_to_be_and_was_undone(
    counter: Counter,
    bank: Bank,
    undos: Undos,
    reviewer: User,
    second_reviewer: User,
    client: Client,
    login: Login,
) -> None:
    run = wired(counter, reviewer)
    page = login(client, reviewer)
    address = f"/runs/{run.pk}/effects/{effect_of(run).pk}/undo/"

    def seen() -> tuple[bool, str, Any]:
        rows = read_timeline(run, Caller.of_session(reviewer), now=database_now()).rows
        row = next(row for row in rows if row.step.name == "wire")
        steps = page.get(f"/api/v1/runs/{run.pk}/steps").json()["items"]
        effect = next(step["effect"] for step in steps if step["name"] == "wire")
        assert (address in page.get(f"/runs/{run.pk}/").text) == row.may_be_undone
        return row.may_be_undone, row.undo_words, effect["undo"]

    assert seen() == (True, "", None)
    assert page.post(address, {"reason": "Wrong account."}).status_code == 302
    assert seen() == (False, "A person asked to undo it.", "asked")
    undo = counter.go_on(Run.objects.get(parent=run))
    assert seen() == (False, "A person asked to undo it.", "asked")
    counter.decide(undo_request(undo), Verdict.APPROVE, second_reviewer)
    counter.go_on(undo)
    assert seen() == (False, "It was undone since.", "undone")
    request = ApprovalRequest.objects.get(run_id=run.pk)
    assert "undone since" in ports.runs().operations([request])[request.pk].sentence
    # The page of the undo's own run offers no undo of it.
    assert "/undo/" not in page.get(f"/runs/{undo.pk}/").text


def test_a_program_asks_for_an_undo_and_is_refused_a_second_one(
    counter: Counter, bank: Bank, undos: Undos, reviewer: User, client: Client, login: Login
) -> None:
    run = wired(counter, reviewer)
    address = f"/api/v1/runs/{run.pk}/effects/{effect_of(run).pk}/undo"
    program = login(client, reviewer)
    first = program.post(address, {"reason": "Wrong."}, content_type="application/json")
    assert (first.status_code, first.json()["parent"]) == (201, str(run.pk))
    second = program.post(address, {}, content_type="application/json")
    assert (second.status_code, second.json()["params"]) == (409, {"why": "under_way"})


def test_the_sensitive_arguments_of_an_undo_stay_hidden(
    bank: Bank, counter: Counter, undos: Undos, reviewer: User
) -> None:
    wire = registry.get("teller").tool("wire")
    assert wire is not None
    wire.sensitive = frozenset({"account"})
    host(teller(bank, tools=list(registry.get("teller").tools)))
    run = counter.start([calls(call("wire", PAY)), final(summary="done")])
    request = counter.request(run)
    ApprovalRequest.objects.filter(pk=request.pk).update(sensitive=[])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    undo = counter.go_on(ask(counter.go_on(run), reviewer))
    rows = read_timeline(undo, Caller.of_session(reviewer), now=database_now()).rows
    assert [row.covered for row in rows] == [True]
    assert undo_request(undo).sensitive == ["account"]


# -- declaring ------------------------------------------------------------------------------------


def test_an_undo_is_declared_with_what_differs_from_its_tool(bank: Bank) -> None:
    tools = tools_of(bank)
    (wire,) = (tool for tool in tools if tool.name == "wire")

    @wire.undo(effect_class=EffectClass.OPAQUE, reversible=False)
    def back(ctx: ToolContext, payment: Payment, receipt: Receipt | None) -> None: ...

    agent = teller(bank, slug="other", tools=tools)
    undo = agent.tool("undo_wire")
    assert undo is not None
    assert (undo.effect_class, undo.reversible) == (EffectClass.OPAQUE, False)
    assert (undo.risk, undo.effects, undo.arguments) == (wire.risk, wire.effects, wire.arguments)
    assert agent.version != teller(bank, slug="other").version


def test_an_undo_that_could_not_work_is_refused(bank: Bank) -> None:
    tools = tools_of(bank)
    (wire,) = (tool for tool in tools if tool.name == "wire")

    @wire.undo(effect_class=EffectClass.QUERYABLE)
    def back(ctx: ToolContext, payment: Payment, receipt: Receipt | None) -> None: ...

    with pytest.raises(DefinitionError, match="an undo has no lookup"):
        teller(bank, slug="other", tools=tools)


def test_a_secret_in_the_reason_for_an_undo_is_masked(
    counter: Counter, undos: Undos, reviewer: User, settings: Settings
) -> None:
    given = {"tool_secrets": {"bank_key": "bank-0815-4711"}}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=given)
    run = wired(counter, reviewer, calls(call("pay", PAY)), final(summary="done"))
    ask(run, reviewer, reason="With bank-0815-4711.")
    assert "bank-0815" not in str([effect_of(run).undo_asked, *written()])
    run = counter.go_on(run)
    facts = {fact["label"]: fact["value"] for fact in undo_request(run).preview["facts"]}
    assert facts["Why"] == "With [secret: bank_key]."
