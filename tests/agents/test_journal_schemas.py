"""Journals of schema 1 and 2: what is stored once, and that what was sent is read back exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core import serializers
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from agents import conversations, registry
from agents.conversations import read_requests
from agents.journal_schemas import TOO_NEW, shortened, whole_request
from agents.models import EffectRecord, OfferedTools, Run, Step
from agents.services.call_model import digest_of
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.harness.people import person
from tests.model_server import ModelServer, call, calls, error, final, judged

FIXTURE = Path(__file__).parent / "fixtures" / "parked_run_schema_1.json"
READS = [calls(call("read_balance", judged({"account": f"A{n}"}))) for n in range(5)]

messages = st.lists(st.sampled_from([{"role": "user", "content": text} for text in "abc"]))
tools = st.sampled_from([None, [{"name": "one"}], [{"name": "two"}]])
requests = st.lists(st.tuples(messages, tools, st.sampled_from([1, 2])), max_size=8)


@given(requests)
def test_whatever_was_sent_is_read_back_exactly(made: Any) -> None:
    steps: list[Step] = []
    offers: dict[str, Any] = {}
    sent = []
    for seq, (said, offered, schema) in enumerate(made, start=1):
        request: dict[str, Any] = {"messages": said, "temperature": 0}
        if offered is not None:
            request["tools"] = offered
        sent.append(request)
        stored = request
        if schema == 2:
            kept = shortened(request, steps)
            stored = json.loads(json.dumps(kept.request))
            if kept.offer is not None:
                offers[kept.offer["digest"]] = kept.offer["tools"]
        steps.append(Step(seq=seq, kind="model", schema=schema, request=stored))
    assert [whole_request(step, steps, offers) for step in steps] == sent


def test_a_journal_holds_each_message_once_and_reads_as_it_was_sent(
    counter: Counter, model: ModelServer, operator: User, client: Client
) -> None:
    run = counter.start([*READS[:2], error(500), *READS[2:], final(summary="ok")])
    assert run.state == "succeeded"
    asked = list(Step.objects.filter(run=run, kind="model").in_order())
    whole = read_requests(run, [step.seq for step in asked])
    heard = [request for n, request in enumerate(model.requests) if n != 3]
    for step, request in zip(asked, heard, strict=True):
        assert whole[step.seq] == {"messages": request["messages"], "tools": request["tools"]}
        assert digest_of(whole[step.seq]) == step.input_digest
    stored = sum(len(step.request["messages"]) for step in asked)
    assert stored == len(whole[asked[-1].seq]["messages"])
    assert not any("tools" in step.request for step in asked)
    assert OfferedTools.objects.count() == 1
    client.force_login(operator, backend="allauth.account.auth_backends.AuthenticationBackend")
    read = client.get(f"/api/v1/runs/{run.pk}/steps").json()["items"]
    assert [each["request"] for each in read if each["kind"] == "model"] == list(whole.values())
    page = client.get(reverse("run-step", args=[run.pk, asked[-1].seq])).content.decode()
    assert "You serve at the counter" in page
    assert "final_answer" in page


def test_only_as_much_of_a_journal_is_read_as_a_request_repeats(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(conversations, "FIRST_READS", 1)
    monkeypatch.setattr(conversations, "READS_GROW", 2)
    run = counter.start([*READS, final(summary="ok")])
    first, *_, last = Step.objects.filter(run=run, kind="model").in_order()
    # 1 + 2 + 4 steps hold all six; the last query is for the tools.
    with django_assert_num_queries(4):
        whole = read_requests(run, [last.seq])
    assert digest_of(whole[last.seq]) == last.input_digest
    with django_assert_num_queries(2):
        assert digest_of(read_requests(run, [first.seq])[first.seq]) == first.input_digest
    assert read_requests(run, [first.seq, last.seq]).keys() == {first.seq, last.seq}
    # One that repeats nothing, however many there were before.
    Step.objects.filter(pk=last.pk).update(request=whole[last.seq])
    with django_assert_num_queries(1):
        assert read_requests(run, [last.seq]) == whole
    assert read_requests(run, []) == {}


def test_a_request_of_a_newer_schema_is_not_interpreted(counter: Counter) -> None:
    run = counter.start([final(summary="ok")])
    Step.objects.filter(run=run, kind="model").update(schema=99)
    assert read_requests(run, [1]) == {1: TOO_NEW}


def restored(bank: Bank) -> Run:
    """The parked run that the release of schema 1 left: one payment made, one waiting for its reviewer."""
    for row in serializers.deserialize("json", FIXTURE.read_text(), ignorenonexistent=True):
        row.save()
    ApprovalRequest.objects.update(review_deadline=None)
    person("reviewer", "reviewer")
    person("operator", "operator")
    return Run.objects.get()


@pytest.mark.parametrize("newer", [False, True])
def test_a_run_that_schema_1_parked_goes_on_and_acts_once(
    db: None,
    model: ModelServer,
    django_capture_on_commit_callbacks: Any,
    client: Client,
    newer: bool,
) -> None:
    bank = Bank()
    run = restored(bank)
    operator, reviewer = (
        User.objects.get(username="operator"),
        User.objects.get(username="reviewer"),
    )
    host(teller(bank, instructions="Newer words.") if newer else teller(bank))
    counter = Counter(operator, model, django_capture_on_commit_callbacks)
    (paid,) = EffectRecord.objects.all()
    model.follow([final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    registry.unregister("teller")
    assert (run.state, len(bank.sent)) == ("succeeded", 1)
    assert bank.sent[0][1:] == ("A2", "7.50")
    assert EffectRecord.objects.exclude(pk=paid.pk).get().state == "succeeded"
    (asked,) = model.requests
    assert asked["messages"][0]["content"].startswith("You serve at the counter of a bank.")
    client.force_login(operator, backend="allauth.account.auth_backends.AuthenticationBackend")
    items = client.get(f"/api/v1/runs/{run.pk}/steps").json()["items"]
    sent = {each["seq"]: each["request"] for each in items if each["kind"] == "model"}
    asks = Step.objects.filter(run=run, kind="model").in_order()
    assert list(asks.values_list("schema", flat=True)) == [1, 1, 2]
    assert len(sent) == 3
    for each in items:
        if each["kind"] == "model":
            assert digest_of(each["request"]) == each["input_digest"]
    assert sent[6]["messages"] == asked["messages"]
    assert sent[4]["messages"] == asked["messages"][: len(sent[4]["messages"])]


def test_a_run_that_schema_1_parked_meets_changed_tools_as_any_other(
    db: None, model: ModelServer, django_capture_on_commit_callbacks: Any
) -> None:
    bank = Bank()
    run = restored(bank)
    operator, reviewer = (
        User.objects.get(username="operator"),
        User.objects.get(username="reviewer"),
    )
    host(teller(bank, tools=[each for each in teller(bank).tools if each.name != "pay"]))
    counter = Counter(operator, model, django_capture_on_commit_callbacks)
    payment = counter.request(run)
    counter.decide(payment, Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    model.follow([final(summary="ok")])
    counter.decide(counter.request(run), Verdict.CHANGE, reviewer, choice="use_new")
    run = counter.go_on(run)
    registry.unregister("teller")
    payment.refresh_from_db()
    assert (run.state, payment.state, bank.sent) == ("succeeded", "lapsed", [])
