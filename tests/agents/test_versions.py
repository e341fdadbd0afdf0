"""Runs that outlive releases: a changed prompt, changed tools, and what a person chooses then."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pydantic import BaseModel, ConfigDict, Field

from accounts.models import User
from agents.authoring import Budget, Effect, EffectClass, Preview, Risk, Tool, ToolContext, tool
from agents.conversations import read_requests
from agents.models import EffectRecord, Run, Step
from agents.services.call_model import digest_of
from approvals.errors import BadBody, VerdictNotOffered
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.models import Event
from tests.agents.bank import Bank, Payment, Receipt, teller, tools_of
from tests.agents.conftest import Counter, host
from tests.agents.test_effects import PAY, approved
from tests.agents.test_guards import left_long
from tests.model_server import ModelServer, call, calls, final, judged

NEW_WORDS = "You are polite beyond measure."


class Transfer(BaseModel):
    """A payment with a field that came later."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    account: str
    amount: Decimal = Field(gt=0, max_digits=10, decimal_places=2)
    urgent: bool = False


class Checked(BaseModel):
    """A payment that asks for more than it did."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    account: str
    amount: Decimal = Field(gt=0, max_digits=10, decimal_places=2)
    checked_by: str


def pay(bank: Bank, takes: Any = Payment, **changes: Any) -> Tool:
    """The tool `pay` as another release might declare it."""
    told = {
        "risk": Risk.HIGH,
        "reversible": True,
        "version": "1",
        "effect_class": EffectClass.IDEMPOTENT,
        **changes,
    }

    def move(ctx: ToolContext, payment: Any) -> Receipt:
        """Pay money to an account."""
        return bank.take(ctx, payment)

    move.__annotations__["payment"] = takes
    made = tool(name="pay", effects={Effect.MONEY}, identity={"account"}, **told)(move)
    made.preview(lambda ctx, payment: Preview(title=f"Pay {payment.amount}"))
    return made


def deploy(bank: Bank, *changed: Tool, without: str = "", **more: Any) -> None:
    """Install and activate another release of the teller."""
    names = {each.name for each in changed} | {without}
    tools = [each for each in tools_of(bank) if each.name not in names]
    host(teller(bank, tools=[*tools, *changed], **more))


def system_prompt(request: dict[str, Any]) -> str:
    return str(request["messages"][0]["content"])


def offered(request: dict[str, Any]) -> dict[str, Any]:
    return {each["function"]["name"]: each["function"] for each in request["tools"]}


def attention_of(counter: Counter, run: Run) -> ApprovalRequest:
    """Let the run meet the deploy; the request about it."""
    Run.objects.filter(pk=run.pk).update(state="ready", ready_at=None)
    assert counter.go_on(run).state == "waiting"
    return ApprovalRequest.objects.get(run_id=run.pk, kind="attention", state="pending")


def kinds_of(run: Run) -> list[str]:
    rows = ApprovalRequest.objects.filter(run_id=run.pk).order_by("created_at")
    return [str(kind) for kind in rows.values_list("kind", flat=True)]


def choose(counter: Counter, run: Run, person: User, choice: str) -> Run:
    counter.decide(attention_of(counter, run), Verdict.CHANGE, person, choice=choice)
    return counter.go_on(run)


def test_a_changed_prompt_alone_finishes_on_the_old_definition_by_itself(
    counter: Counter, bank: Bank, model: ModelServer, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    reworded = pay(bank)
    reworded.description = "Send money away."
    deploy(bank, reworded, instructions=NEW_WORDS, budget=Budget(model_calls=1))
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1
    first, second = model.requests
    assert second["tools"] == first["tools"]
    assert system_prompt(second) == system_prompt(first)
    assert "counter of a bank" in system_prompt(second)


def test_a_new_run_after_the_deploy_has_the_new_prompt(
    counter: Counter, bank: Bank, model: ModelServer
) -> None:
    deploy(bank, instructions=NEW_WORDS)
    counter.start([final(summary="ok")])
    assert NEW_WORDS in system_prompt(model.requests[0])


def test_the_limits_of_the_old_definition_count_for_its_runs(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(tool_calls=1)))
    run = approved(counter, reviewer, "pay")
    deploy(bank, budget=Budget(tool_calls=9))
    run = counter.go_on(run)
    assert (run.state, counter.request(run).kind) == ("waiting", "budget")


class Sum(BaseModel):
    """An answer with a number."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    total: int


def test_an_answer_is_checked_by_the_definition_that_asked_for_it(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, output=Sum))
    run = counter.start([calls(call("pay", PAY)), final(summary="words"), final(total=3)])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    deploy(bank)
    run = counter.go_on(run)
    assert (run.state, run.output) == ("succeeded", {"total": 3})
    assert Step.objects.get(run=run, problem="arguments_invalid").name == "final_answer"


def test_an_interrupted_model_call_is_repeated_as_it_was_made(
    counter: Counter, bank: Bank, model: ModelServer
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    Step.objects.filter(run=run, kind="tool").delete()
    Step.objects.filter(run=run, kind="model").update(state="started", response=None)
    host(teller(bank, instructions=NEW_WORDS))
    begun = Step.objects.get(run=run, kind="model")
    whole = read_requests(run, [begun.seq])[begun.seq]
    # As a release would have written it that gives the model other words around the same definition.
    sent = {
        **begun.request,
        "messages": [*begun.request["messages"], {"role": "user", "content": "!"}],
    }
    rebuilt, made = begun.input_digest, digest_of(whole | {"messages": sent["messages"]})
    Step.objects.filter(pk=begun.pk).update(request=sent, input_digest=made)
    counter.model.follow([final(summary="ok")])
    Run.objects.filter(pk=run.pk).update(state="ready")
    assert counter.go_on(run).state == "succeeded"
    assert model.requests[-1]["messages"] == sent["messages"]
    begun.refresh_from_db()
    (attempt,) = begun.attempts
    assert (attempt["code"], attempt["rebuilt_digest"]) == ("interrupted", rebuilt)


CHANGES: list[dict[str, Any]] = [
    {"risk": Risk.CRITICAL},
    {"version": "2"},
    {"effect_class": EffectClass.OPAQUE},
    {"reversible": False},
    {"takes": Checked},
    {"takes": Transfer},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: "-".join(map(str, change)))
def test_an_approved_call_of_a_tool_that_changed_does_not_run_before_a_person_looked(
    counter: Counter, bank: Bank, reviewer: User, change: dict[str, Any]
) -> None:
    run = approved(counter, reviewer, "pay")
    deploy(bank, pay(bank, **change))
    request = attention_of(counter, run)
    assert bank.sent == []
    ways = [way["value"] for way in request.question["choices"]]
    asks_more = change.get("takes") is Checked
    assert ways == (["use_new"] if asks_more else ["finish_old", "use_new"])
    said = [fact["value"] for fact in request.preview["facts"]]
    assert any("Its tool pay changed" in value for value in said)


def test_words_that_only_the_model_reads_are_no_change_of_a_tool(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    reworded = pay(bank)
    reworded.description = "Send money away."
    deploy(bank, reworded)
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_finishing_on_the_old_definition_uses_what_was_approved_and_the_old_words(
    counter: Counter, bank: Bank, model: ModelServer, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    deploy(bank, pay(bank, Transfer), instructions=NEW_WORDS)
    run = choose(counter, run, reviewer, "finish_old")
    assert (run.state, len(bank.sent)) == ("succeeded", 1)
    assert offered(model.requests[-1])["pay"] == offered(model.requests[0])["pay"]
    assert system_prompt(model.requests[-1]) == system_prompt(model.requests[0])
    effect = EffectRecord.objects.get(run=run)
    used = ApprovalRequest.objects.get(pk=effect.approval_id)
    assert (used.state, used.digest, used.tool_version) == ("consumed", effect.digest, "1")


def test_the_choice_to_finish_on_the_old_definition_counts_for_one_release_only(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    deploy(bank, pay(bank, Transfer))
    run = choose(counter, run, reviewer, "finish_old")
    assert run.state == "waiting"
    deploy(bank, pay(bank, risk=Risk.CRITICAL))
    assert attention_of(counter, run).question["choices"]


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("choice", ["finish_old", "use_new"])
def test_a_call_of_another_tool_version_is_withdrawn_and_never_runs_unreviewed(
    counter: Counter, bank: Bank, reviewer: User, choice: str, approve: bool
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    asked = counter.request(run)
    if approve:
        counter.decide(asked, Verdict.APPROVE, reviewer)
    deploy(bank, pay(bank, version="2"))
    request = attention_of(counter, run)
    counter.model.follow([calls(call("pay", PAY)), final(summary="ok")])
    counter.decide(request, Verdict.CHANGE, reviewer, choice=choice)
    run = counter.go_on(run)
    asked.refresh_from_db()
    assert (run.state, bank.sent) == ("waiting", [])
    assert asked.state == ("lapsed" if approve else "superseded")
    again = counter.request(run)
    assert (again.tool_version, again.arguments) == ("2", asked.arguments)
    counter.decide(again, Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "succeeded"
    effect = EffectRecord.objects.get(run=run)
    again.refresh_from_db()
    assert (effect.approval_id, effect.digest, again.state) == (again.pk, again.digest, "consumed")
    assert len(bank.sent) == 1


@pytest.mark.parametrize("change", CHANGES[:4], ids=lambda change: "-".join(map(str, change)))
def test_a_worker_that_died_after_the_choice_leaves_no_old_approval_to_be_used(
    counter: Counter, bank: Bank, reviewer: User, change: dict[str, Any]
) -> None:
    run = approved(counter, reviewer, "pay")
    deploy(bank, pay(bank, **change))
    active = run.agent.__class__.objects.get(pk=run.agent_id).active_version
    # The choice is committed; what follows from it is not.
    Run.objects.filter(pk=run.pk).update(agent_version=active)
    counter.model.follow([final(summary="ok")])
    assert counter.go_on(run).state == "succeeded"
    assert bank.sent == []
    assert ApprovalRequest.objects.get(run_id=run.pk, kind="action").state == "lapsed"


def test_what_a_person_said_about_a_call_is_heard_although_its_tool_changed_since(
    counter: Counter, bank: Bank, model: ModelServer, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="Never to A1.")
    deploy(bank, pay(bank, version="2"))
    assert choose(counter, run, reviewer, "use_new").state == "succeeded"
    told = json.loads(model.requests[-1]["messages"][-1]["content"])
    assert (told["status"], told["feedback"]) == ("rejected", "Never to A1.")


def test_going_on_with_the_new_version_says_so_in_the_log_and_to_the_model(
    counter: Counter, bank: Bank, model: ModelServer, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    before = run.agent_version.digest
    deploy(bank, pay(bank, Checked), instructions=NEW_WORDS)
    request = attention_of(counter, run)
    more = judged({"account": "A1", "amount": "42.00", "checked_by": "me"})
    counter.model.follow([calls(call("pay", more)), final(summary="ok")])
    counter.decide(
        request, Verdict.CHANGE, reviewer, choice="use_new", reason="The new one is right."
    )
    run = counter.go_on(run)
    after = run.agent_version.digest
    event = Event.objects.get(type="run.version_changed", run=run.pk)
    assert json.loads(bytes(event.body))["facts"] == {"from_version": before, "to_version": after}
    assert after != before
    sent = model.requests[-1]
    assert NEW_WORDS in system_prompt(sent)
    assert "checked_by" in offered(sent)["pay"]["parameters"]["properties"]
    told = [json.loads(each["content"]) for each in sent["messages"] if each["role"] == "tool"]
    assert told[0]["code"] == "tool_changed"
    assert (run.state, bank.sent) == ("waiting", [])


def test_a_tool_that_is_gone_leaves_the_new_version_or_the_end(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    deploy(bank, without="pay")
    request = attention_of(counter, run)
    assert [way["value"] for way in request.question["choices"]] == ["use_new"]
    counter.model.follow([final(summary="ok")])
    counter.decide(request, Verdict.CHANGE, reviewer, choice="use_new")
    assert counter.go_on(run).state == "succeeded"
    assert bank.sent == []
    assert ApprovalRequest.objects.get(run_id=run.pk, kind="action").state == "lapsed"


def test_stop_ends_a_run_whose_tools_changed(counter: Counter, bank: Bank, reviewer: User) -> None:
    run = approved(counter, reviewer, "pay")
    deploy(bank, pay(bank, version="2"))
    counter.decide(attention_of(counter, run), Verdict.STOP, reviewer)
    run.refresh_from_db()
    assert (run.state, bank.sent) == ("cancelled", [])


def test_how_to_go_on_has_to_be_said_and_has_to_be_one_of_the_ways(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    deploy(bank, without="pay")
    request = attention_of(counter, run)
    with pytest.raises(VerdictNotOffered):
        counter.decide(request, Verdict.CONTINUE, reviewer)
    with pytest.raises(BadBody) as refused:
        counter.decide(request, Verdict.CHANGE, reviewer, choice="finish_old")
    assert refused.value.params["errors"][0]["field"] == "choice"
    assert "use_new" in refused.value.params["errors"][0]["message"]
    request.refresh_from_db()
    assert request.state == "pending"


def test_a_version_that_is_not_activated_moves_no_run(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    old = run.agent.active_version_id
    deploy(bank, pay(bank, version="2"))
    request = attention_of(counter, run)
    run.agent.__class__.objects.filter(pk=run.agent_id).update(active_version=old)
    counter.decide(request, Verdict.CHANGE, reviewer, choice="use_new")
    assert counter.go_on(run).agent_version_id == old
    Run.objects.filter(pk=run.pk).update(ready_at=None, left=left_long())
    run = counter.go_on(run)
    assert (run.state, run.agent_version_id, bank.sent) == ("waiting", old, [])
    again = ApprovalRequest.objects.get(run_id=run.pk, kind="attention", state="pending")
    assert "not activated" in again.preview["summary"]


def test_a_choice_about_one_release_does_not_move_the_run_to_the_next(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    before = run.agent_version_id
    deploy(bank, pay(bank, version="2"))
    request = attention_of(counter, run)
    deploy(bank, pay(bank, version="3"))
    counter.decide(request, Verdict.CHANGE, reviewer, choice="use_new")
    run = counter.go_on(run)
    assert (run.state, run.agent_version_id, bank.sent) == ("waiting", before, [])
    assert kinds_of(run) == ["action", "attention", "attention"]


def test_a_process_of_another_release_leaves_runs_of_the_active_version_to_others(
    counter: Counter, bank: Bank
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    active = run.agent.active_version_id
    deploy(bank, pay(bank, version="2"))
    run.agent.__class__.objects.filter(pk=run.agent_id).update(active_version=active)
    Run.objects.filter(pk=run.pk).update(state="ready")
    for _ in range(9):
        Run.objects.filter(pk=run.pk).update(ready_at=None)
        run = counter.go_on(run)
        assert (run.state, run.stalled_claims) == ("ready", 0)
        assert run.ready_at is not None
    assert not ApprovalRequest.objects.filter(run_id=run.pk, kind="attention").exists()
    Run.objects.filter(pk=run.pk).update(ready_at=None, left=left_long())
    run = counter.go_on(run)
    assert (run.state, kinds_of(run)) == ("waiting", ["action", "attention"])


def test_a_run_that_was_left_long_ago_is_left_again(counter: Counter, bank: Bank) -> None:
    run = counter.start([calls(call("pay", PAY))])
    active = run.agent.active_version_id
    deploy(bank, pay(bank, version="2"))
    run.agent.__class__.objects.filter(pk=run.agent_id).update(active_version=active)
    ago = dict.fromkeys(("since", "last"), "2026-01-01T00:00:00+00:00")
    Run.objects.filter(pk=run.pk).update(state="ready", left=ago)
    assert counter.go_on(run).state == "ready"


def test_the_page_says_what_changed_and_what_each_choice_means_and_takes_one(
    counter: Counter, bank: Bank, reviewer: User, client: Client
) -> None:
    run = approved(counter, reviewer, "pay")
    deploy(bank, pay(bank, Transfer), instructions=NEW_WORDS)
    request = attention_of(counter, run)
    client.force_login(reviewer, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = client.get(reverse("request-detail", args=[request.pk])).content.decode()
    for said in (
        "Its instructions changed.",
        "Its tool pay changed:",
        "Finish on the old definition",
        "keeps its instructions",
        "Go on with the new one",
        'value="finish_old"',
        'value="use_new"',
        "Stop run",
    ):
        assert said in page, said
    assert "Go on</button>" not in page
    body = {
        "verdict": "change",
        "mode": "change",
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "nonce": "nonce-of-the-page",
        "tab": "team",
    }
    url = reverse("request-decide", args=[request.pk])
    assert client.post(url, {**body, "choice": "elsewhere"}).status_code == 422
    assert client.post(url, {**body, "choice": "finish_old"}).status_code == 302
    assert counter.go_on(run).state == "succeeded"
    shown = client.get(reverse("run-detail", args=[run.pk])).content.decode()
    assert "A person let it finish on its old definition." in shown


def test_what_was_sensitive_in_the_version_of_then_stays_hidden_after_the_change(
    counter: Counter, bank: Bank, operator: User, reviewer: User, client: Client
) -> None:
    deploy(bank, pay(bank, sensitive={"account"}))
    secret = judged({"account": "ACCT-77", "amount": "42.00"})
    run = counter.start([calls(call("pay", secret)), final(summary="ok")])
    deploy(bank, pay(bank, version="2"))
    assert choose(counter, run, reviewer, "use_new").state == "succeeded"
    client.force_login(operator, backend="allauth.account.auth_backends.AuthenticationBackend")
    pages = [reverse("run-detail", args=[run.pk])]
    pages += [reverse("run-step", args=[run.pk, step.seq]) for step in Step.objects.filter(run=run)]
    for page in pages:
        assert "ACCT-77" not in client.get(page).content.decode(), page


def test_what_was_sensitive_then_is_in_no_request_and_no_case_of_later(
    counter: Counter, bank: Bank, operator: User, reviewer: User, client: Client
) -> None:
    deploy(bank, pay(bank, sensitive={"account"}))
    secret = judged({"account": "ACCT-77", "amount": "42.00"})
    again = {**judged({"account": "B2", "amount": "7.00"}), "rationale": "As for ACCT-77."}
    run = counter.start(
        [
            calls(call("pay", secret)),
            calls(call("pay", again)),
            final(summary="Paid, as for ACCT-77."),
        ]
    )
    deploy(bank, pay(bank, version="2"))
    choose(counter, run, reviewer, "use_new")
    asked = counter.request(run)
    assert asked.withheld == ["ACCT-77"]
    counter.decide(asked, Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "succeeded"
    client.force_login(operator, backend="allauth.account.auth_backends.AuthenticationBackend")
    for address in (f"/api/v1/runs/{run.pk}/evaluation-case", f"/api/v1/approvals/{asked.pk}"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "ACCT-77" not in answer.content.decode(), address
