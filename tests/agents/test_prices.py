"""Prices are data with dates; every model call is charged to its step and its run by the one that holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from accounts.callers import Caller, PermissionMissing
from accounts.models import User
from agents.authoring import Route
from agents.checks import check_prices
from agents.errors import PriceInvalid
from agents.masking import mask_for
from agents.models import ModelPrice, Run, Step
from agents.prices import cost_micros, price_of, upper_estimate
from agents.representations import step_as_json
from agents.services.set_price import set_price
from agents.services.ship_prices import ship_prices
from agents.unpriced import unpriced_models
from audit.actors import Actor
from audit.clock import database_now
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.scoring import Cast, review, score_by
from tests.agents.test_scores import pay
from tests.model_server import ModelServer, call, calls, completion, final, judged

Steps = Callable[[Run], list[Step]]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
READ = call("read_balance", judged({"account": "A1"}))


def price(who: User, model: str = "scripted", **changes: object) -> ModelPrice:
    """2 for a million tokens of input, 0.50 where cached, 8 of output, from long ago."""
    given: dict[str, object] = {
        "input_micros": 2_000_000,
        "cached_micros": 500_000,
        "output_micros": 8_000_000,
        "holds_from": datetime(2026, 1, 1, tzinfo=UTC),
        **changes,
    }
    return set_price(model=model, caller=Caller.of_session(who), **given)  # type: ignore[arg-type]


def test_a_call_is_charged_to_its_step_and_its_run(
    counter: Counter, admin: User, steps_of: Steps
) -> None:
    price(admin)
    run = counter.start([calls(READ), final(summary="ok")])
    # Input at 2 and output at 8 a million.
    asked = [step for step in steps_of(run) if step.kind == "model"]
    assert [s.cost_micros for s in asked] == [2 * s.tokens_in + 8 * s.tokens_out for s in asked]
    assert (run.cost_micros, run.unpriced_calls) == (sum(s.cost_micros or 0 for s in asked), 0)


def test_tokens_that_the_server_had_cached_cost_what_cached_ones_cost(
    counter: Counter, admin: User, steps_of: Steps
) -> None:
    price(admin)
    usage = {
        "prompt_tokens": 1_000,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 900},
    }
    counted = completion(
        {"tool_calls": [call("abstain", {"reason": "I cannot know."})]}, usage=usage
    )
    run = counter.start([counted])
    assert steps_of(run)[0].cost_micros == 100 * 2 + 450 + 80


@pytest.mark.parametrize(
    "details",
    [None, 7, [], {"cached_tokens": -1}, {"cached_tokens": "all"}, {"cached_tokens": 5_000}],
)
def test_nonsense_about_cached_tokens_neither_stops_the_run_nor_makes_a_call_cheaper_than_cached(
    counter: Counter, admin: User, details: object
) -> None:
    price(admin)
    usage = {"prompt_tokens": 1_000, "completion_tokens": 10, "prompt_tokens_details": details}
    counted = completion(
        {"tool_calls": [call("abstain", {"reason": "I cannot know."})]}, usage=usage
    )
    run = counter.start([counted])
    assert run.state == "succeeded"
    assert run.cost_micros >= 500 + 80


def test_a_model_without_a_price_costs_nobody_knows_what(counter: Counter, steps_of: Steps) -> None:
    run = counter.start([final(summary="ok")])
    assert steps_of(run)[0].cost_micros is None
    assert (run.cost_micros, run.unpriced_calls) == (0, 1)


@pytest.mark.parametrize("usage", [None, 7, {}, {"prompt_tokens": "many"}])
def test_a_server_that_does_not_count_tokens_makes_no_call_look_free(
    counter: Counter, admin: User, steps_of: Steps, usage: object
) -> None:
    price(admin)
    counted = completion({"tool_calls": [call("abstain", {"reason": "No."})]}, usage=usage)
    run = counter.start([counted])
    assert run.state == "succeeded"
    asked = steps_of(run)[0]
    assert asked.tokens_in >= 500
    assert asked.cost_micros == 2 * asked.tokens_in + 8 * asked.tokens_out
    assert run.unpriced_calls == 0


def test_a_model_that_is_said_to_cost_nothing_costs_nothing(
    counter: Counter, admin: User, steps_of: Steps
) -> None:
    price(admin, input_micros=0, cached_micros=0, output_micros=0)
    run = counter.start([final(summary="ok")])
    assert steps_of(run)[0].cost_micros == 0
    assert run.unpriced_calls == 0


def test_a_call_that_gathers_a_score_is_charged_and_its_cost_is_secret_with_it(
    counter: Counter, admin: User, settings: object, steps_of: Steps
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(  # type: ignore[attr-defined]
        update={"hidden_score_rate": 1.0}
    )
    price(admin)
    score_by({"source": "verifier"})
    run = counter.start(Cast([pay(confidence=0.9)], [review(0.5, "An objection.")]))
    steps = steps_of(run)
    score = next(step for step in steps if step.kind == "score")
    assert score.cost_micros == 2 * score.tokens_in + 8 * score.tokens_out
    assert run.cost_micros > score.cost_micros
    assert step_as_json(score, mask_for(steps))["cost_micros"] is None


def test_the_price_that_holds_is_the_latest_one_that_has_begun(admin: User) -> None:
    price(admin)
    price(admin, input_micros=5_000_000, holds_from=NOW)

    def cost(at: datetime) -> int | None:
        return cost_micros("scripted", tokens_in=1_000_000, cached_in=0, tokens_out=0, at=at)

    assert cost(datetime(2025, 12, 31, tzinfo=UTC)) is None
    assert cost(NOW - timedelta(seconds=1)) == 2_000_000
    assert cost(NOW) == 5_000_000


def test_of_two_prices_from_the_same_moment_the_one_set_last_holds_and_both_are_kept(
    admin: User,
) -> None:
    price(admin)
    price(admin, input_micros=9_000_000)
    held = price_of("scripted", NOW)
    assert held is not None
    assert held.input_micros == 9_000_000
    assert ModelPrice.objects.filter(model="scripted").count() == 2


def test_a_cost_is_rounded_up_so_that_only_what_is_free_costs_nothing(admin: User) -> None:
    price(admin, input_micros=1)
    assert cost_micros("scripted", tokens_in=1, cached_in=0, tokens_out=0, at=NOW) == 1


def test_the_upper_estimate_counts_nothing_as_cached_and_a_long_reply(
    admin: User, settings: object
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(  # type: ignore[attr-defined]
        update={"model_reply_tokens": 1_000}
    )
    price(admin)
    assert upper_estimate("scripted", 1_000, NOW) == 2_000 + 8_000
    assert upper_estimate("unheard-of", 1_000, NOW) is None


def test_a_price_is_recorded_with_who_set_it(admin: User) -> None:
    made = price(admin)
    assert made.set_by == admin
    event = Event.objects.get(type="price.set")
    assert b'"input_micros":2000000' in bytes(event.body)
    assert f'"id":"{admin.pk}"'.encode() in bytes(event.body)


def test_only_those_who_manage_agents_set_prices(operator: User) -> None:
    with pytest.raises(PermissionMissing):
        price(operator)
    assert not ModelPrice.objects.filter(model="scripted").exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model": ""}, "model"),
        ({"model": "a model"}, "model"),
        ({"model": "x" * 201}, "model"),
        ({"input_micros": -1}, "input_micros"),
        ({"cached_micros": 10**18}, "cached_micros"),
        ({"output_micros": -1}, "output_micros"),
    ],
)
def test_a_price_that_cannot_be_is_refused_with_its_field(
    admin: User, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(PriceInvalid) as refused:
        price(admin, **changes)  # type: ignore[arg-type]
    assert refused.value.params["field"] == field
    assert not ModelPrice.objects.exists()


def test_shipped_prices_come_once_and_say_that_the_practice_model_costs_nothing(db: None) -> None:
    first = ship_prices(actor=Actor.system("test"))
    assert "practice" in first
    assert ship_prices(actor=Actor.system("test")) == []
    held = price_of("practice", database_now())
    assert held is not None
    assert (held.input_micros, held.output_micros, held.set_by) == (0, 0, None)


def test_shipped_prices_leave_alone_what_somebody_set(admin: User) -> None:
    price(admin, model="gpt-4o")
    assert "gpt-4o" not in ship_prices(actor=Actor.system("test"))


def test_sync_agents_names_the_models_that_nobody_priced(
    bank: Bank, model: ModelServer, admin: User
) -> None:
    told = StringIO()
    call_command("sync_agents", stdout=told)
    assert "The model scripted has no price" in told.getvalue()
    price(admin)
    told = StringIO()
    call_command("sync_agents", stdout=told)
    assert "no price" not in told.getvalue()


def test_a_model_that_nobody_priced_is_an_error_where_the_database_is_asked(
    bank: Bank, model: ModelServer, admin: User
) -> None:
    with pytest.raises(SystemCheckError, match=r"E031\) The model scripted .*\s+HINT:.*say 0"):
        call_command("check", databases=["default"])
    # Not of `migrate`, which works as the owner: a price is set once the tables are there.
    for other in (None, [], ["owner"]):
        assert check_prices(None, databases=other) == []
    price(admin, input_micros=0, cached_micros=0, output_micros=0)
    assert check_prices(None, databases=["default"]) == []


def test_every_model_of_a_chain_a_route_and_a_verifier_needs_a_price(
    bank: Bank, model: ModelServer, admin: User
) -> None:
    # The demo's agents ask it.
    price(admin)
    route = Route(entry=("cheap", "dear"), classifier="sorter")
    host(teller(bank, route=route, verifier="doubter"))
    assert list(unpriced_models(NOW)) == ["cheap", "dear", "doubter", "sorter"]
    price(admin, model="cheap")
    # One that holds later is none yet.
    price(admin, model="dear", holds_from=NOW + timedelta(days=1))
    assert list(unpriced_models(NOW)) == ["dear", "doubter", "sorter"]
