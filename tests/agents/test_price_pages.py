"""The page and the API of prices, and where costs are shown: a call, a run, its tree, an agent's month."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from agents.models import HostedAgent, ModelPrice, Run, Step
from agents.spending import spending_of_month, spending_of_tree
from audit.clock import database_now
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_prices import price
from tests.harness.people import person
from tests.model_server import ModelServer, call, completion, judged

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
USAGE = {"prompt_tokens": 10_000, "completion_tokens": 2_000, "total_tokens": 12_000}
READ = completion({"tool_calls": [call("read_balance", judged({"account": "A1"}))]}, usage=USAGE)
ENDS = completion(
    {"tool_calls": [call("final_answer", {"summary": "ok", "relies_on": []})]}, usage=USAGE
)
GIVEN = {
    "model": "scripted",
    "input_price": "2",
    "cached_price": "0.5",
    "output_price": "8.000001",
    "holds_from": "2026-01-01",
}


def as_seen_by(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


def test_an_admin_sets_a_price_from_a_day_on_and_sees_who_set_it(
    bank: Bank, model: ModelServer, admin: User
) -> None:
    client = as_seen_by(admin)
    page = client.get("/prices/").content.decode()
    assert "<strong>scripted</strong> has no price" in page
    assert client.post("/prices/", GIVEN).status_code == 302
    made = ModelPrice.objects.get(model="scripted")
    assert (made.input_micros, made.cached_micros, made.output_micros) == (
        2_000_000,
        500_000,
        8_000_001,
    )
    assert made.holds_from.isoformat() == "2026-01-01T00:00:00+00:00"
    page = client.get("/prices/").content.decode()
    assert "has no price" not in page
    assert "$2.00" in page
    assert f"{admin} <time" in page


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("model", "", "Say which model."),
        ("model", "two words", "Write the model as agents name it"),
        ("input_price", "", "0 where it costs nothing"),
        ("input_price", "-1", "greater than or equal to 0"),
        ("output_price", "1e99", "Enter a number|digits|less than"),
        ("cached_price", "NaN", "Enter a number"),
        ("holds_from", "31.12.2026 noon", "valid date"),
    ],
)
def test_a_price_that_does_not_fit_is_said_at_its_field_and_nothing_is_set(
    db: None, admin: User, field: str, value: str, words: str
) -> None:
    answer = as_seen_by(admin).post("/prices/", {**GIVEN, field: value})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert any(word in page for word in words.split("|"))
    assert f'id="id_{field}"' in page
    assert not ModelPrice.objects.exists()


def test_auditors_read_prices_and_set_none_and_others_see_none(db: None, operator: User) -> None:
    auditor = as_seen_by(person("watcher", "auditor"))
    page = auditor.get("/prices/")
    assert (page.status_code, b"Set the price" in page.content) == (200, False)
    assert auditor.post("/prices/", GIVEN).status_code == 403
    assert auditor.post("/api/v1/prices", BODY, "application/json").status_code == 403
    assert as_seen_by(operator).get("/prices/").status_code == 403
    assert as_seen_by(operator).get("/api/v1/prices").status_code == 403
    assert not ModelPrice.objects.exists()


BODY: dict[str, Any] = {
    "model": "local/qwen",
    "input_micros": 1,
    "cached_micros": 0,
    "output_micros": 2,
    "holds_from": "2026-01-01T00:00:00Z",
}


def test_prices_are_set_and_listed_over_the_api(db: None, admin: User) -> None:
    client = as_seen_by(admin)
    made = client.post("/api/v1/prices", BODY, "application/json")
    assert made.status_code == 201
    assert made.json()["set_by"] == admin.username
    client.post("/api/v1/prices", {**BODY, "model": "other"}, "application/json")
    listed = client.get("/api/v1/prices?model=local/qwen").json()["items"]
    assert [each["input_micros"] for each in listed] == [1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_micros": -1},
        {"input_micros": 1.5},
        {"input_micros": "1"},
        {"output_micros": 10**11},
        {"holds_from": "2026-01-01"},
        {"holds_from": "2026-01-01T00:00:00"},
        {"model": ""},
        {"model": "two words"},
        {"currency": "EUR"},
    ],
)
def test_a_price_that_does_not_fit_is_refused_over_the_api(
    db: None, admin: User, wrong: dict[str, Any]
) -> None:
    answer = as_seen_by(admin).post("/api/v1/prices", {**BODY, **wrong}, "application/json")
    assert answer.status_code == 422
    assert not ModelPrice.objects.exists()


def test_a_call_and_its_run_show_what_they_cost(counter: Counter, admin: User) -> None:
    price(admin)
    run = counter.start([READ, ENDS])
    page = as_seen_by(counter.operator).get(f"/runs/{run.pk}/").content.decode()
    assert "$0.036" in page
    assert "<dt>Cost</dt><dd>$0.072" in page


def test_a_call_without_a_price_says_so_and_so_does_its_run(counter: Counter) -> None:
    run = counter.start([ENDS])
    page = as_seen_by(counter.operator).get(f"/runs/{run.pk}/").content.decode()
    assert "<dt>Cost</dt><dd>No price</dd>" in page
    assert "no price <span" in page


def test_a_tree_of_runs_costs_what_its_calls_cost_whatever_was_charged_to_the_parent(
    counter: Counter, admin: User
) -> None:
    price(admin)
    parent = counter.start([ENDS])
    assert spending_of_tree(parent) is None
    child = counter.start([READ, ENDS])
    grandchild = counter.start([ENDS])
    Run.objects.filter(pk=child.pk).update(parent=parent)
    Run.objects.filter(pk=grandchild.pk).update(parent=child)
    Run.objects.filter(pk=parent.pk).update(cost_micros=10**9)
    tree = spending_of_tree(parent)
    assert tree is not None
    assert (tree.cost_micros, tree.runs) == (4 * 36_000, 3)
    page = as_seen_by(counter.operator).get(f"/runs/{parent.pk}/").content.decode()
    assert "With the 2 runs it started" in page
    assert "$0.14" in page


def test_the_month_of_an_agent_counts_its_calls_and_names_those_without_a_price(
    counter: Counter, admin: User
) -> None:
    counter.start([ENDS])
    price(admin)
    counter.start([READ, ENDS])
    month = spending_of_month(HostedAgent.objects.get(slug="teller"), database_now())
    assert (month.cost_micros, month.unpriced_calls, month.runs) == (72_000, 1, 2)
    page = as_seen_by(admin).get("/agents/teller/").content.decode()
    assert "$0.072" in page
    assert "1 call without a price" in page
    other = as_seen_by(counter.operator).get("/agents/teller/").content.decode()
    assert 'id="month"' not in other


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_shown_folded_and_never_sent_back(
    counter: Counter, model: ModelServer, field: str
) -> None:
    thought = "PLANTED: I wonder <b>whether</b> they notice."
    thinks = completion(
        {field: thought, "tool_calls": [call("read_balance", judged({"account": "A1"}))]}
    )
    run = counter.start([thinks, ENDS])
    assert "PLANTED" not in str(model.requests[1])
    page = as_seen_by(counter.operator).get(f"/runs/{run.pk}/").content.decode()
    assert "What the model thought before" in page
    assert "&lt;b&gt;whether" in page
    assert f'<blockquote class="says"><p>{thought}' not in page


def test_reasoning_is_hidden_with_the_reply_it_belongs_to(
    counter: Counter, settings: Any, steps_of: Callable[[Run], list[Step]]
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"hidden_score_rate": 1.0})
    arguments = judged({"account": "A1", "amount": "42.00"})
    thinks = completion(
        {"reasoning": "PLANTED: 0.95 sure.", "tool_calls": [call("pay", arguments)]}
    )
    run = counter.start([thinks])
    assert run.state == "waiting"
    client = as_seen_by(counter.operator)
    for path in (f"/runs/{run.pk}/", f"/runs/{run.pk}/steps/1/", f"/api/v1/runs/{run.pk}/steps"):
        assert "PLANTED" not in client.get(path).content.decode()


@pytest.mark.parametrize("odd", [7, ["x"], {"a": 1}, None, ""])
def test_reasoning_of_an_odd_form_is_not_shown_and_stops_nothing(
    counter: Counter, odd: Any
) -> None:
    reply = completion({"reasoning": odd, "tool_calls": [call("abstain", {"reason": "No."})]})
    run = counter.start([reply])
    page = as_seen_by(counter.operator).get(f"/runs/{run.pk}/")
    assert (run.state, page.status_code) == ("succeeded", 200)
