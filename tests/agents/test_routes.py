"""A classification picks where on its chain a run begins and with which tools; whatever goes wrong widens it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.callers import Caller
from accounts.models import User
from agents.authoring import Budget, DefinitionError, Path, Route
from agents.models import Run, Step
from agents.runner import advance
from agents.services.start_run import start_run
from agents.step_details import note_of
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller, tools_of
from tests.agents.conftest import Counter, host
from tests.agents.test_prices import price
from tests.model_server import Answer, ModelServer, call, calls, error, final, judged, says

Steps = Callable[[Run], list[Step]]
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
READS = calls(call("read_balance", judged({"account": "A1"})))
ROUTE = Route(
    entry=("small", "large"),
    classifier="sorter",
    classify=(
        Path(name="balance", when="Somebody asks what they have.", tools=("read_balance",)),
        Path(name="payment", when="Money is to be paid.", entry="large"),
    ),
)


@pytest.fixture
def routed(counter: Counter, bank: Bank) -> Counter:
    """The teller with a route."""
    host(teller(bank, route=ROUTE))
    return counter


def sorted_as(answer: Answer, *then: Answer) -> Callable[[dict[str, Any]], Answer]:
    following = iter(then)
    return lambda request: (
        answer if request["model"] == "sorter" else next(following, final(summary="ok"))
    )


def kind(name: str) -> Answer:
    return says(json.dumps({"kind": name}))


def asked(model: ModelServer) -> list[str]:
    return [request["model"] for request in model.requests]


def offered(request: dict[str, Any]) -> set[str]:
    return {tool["function"]["name"] for tool in request["tools"]}


def test_a_run_begins_with_the_model_of_its_path(routed: Counter, model: ModelServer) -> None:
    run = routed.start(sorted_as(kind("payment")))
    assert run.state == "succeeded"
    assert asked(model) == ["sorter", "large"]
    assert {"pay", "read_balance"} <= offered(model.requests[1])


def test_a_run_is_offered_the_tools_of_its_path_and_no_others(
    routed: Counter, model: ModelServer, bank: Bank, steps_of: Steps
) -> None:
    pays = calls(call("pay", judged({"account": "A1", "amount": "1.00"})))
    run = routed.start(sorted_as(kind("balance"), pays))
    own = {tool.name for tool in tools_of(bank)}
    assert offered(model.requests[1]) & own == {"read_balance"}
    assert next(s for s in steps_of(run) if s.name == "pay").problem == "unknown_tool"
    assert bank.sent == []
    assert asked(model) == ["sorter", "small", "small"]


def test_the_classification_is_journalled_charged_and_told(
    routed: Counter, admin: User, steps_of: Steps
) -> None:
    price(admin, model="sorter")
    run = routed.start(sorted_as(kind("balance")))
    step = steps_of(run)[0]
    assert (step.kind, step.state, step.cost_micros) == ("route", "succeeded", 360)
    assert run.cost_micros == 360
    assert (run.model_calls, run.step_count) == (2, 2)
    client = Client()
    client.force_login(routed.operator, backend=BACKEND)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert "Had a model sort the task" in page
    assert "small is asked first, with these tools: read balance." in page
    assert client.get(f"/runs/{run.pk}/steps/1/").status_code == 200
    told = client.get(f"/api/v1/runs/{run.pk}/steps").json()["items"][0]
    assert told["output"]["path"] == "balance"


@pytest.mark.parametrize(
    "answer",
    [
        says("Something else."),
        kind("theft"),
        says('{"kind": ["balance"]}'),
        says("[" * 5_000),
        says(""),
        READS,
    ],
)
def test_a_nonsense_classification_leaves_the_run_all_tools_and_says_so(
    routed: Counter, model: ModelServer, steps_of: Steps, answer: Answer
) -> None:
    run = routed.start(sorted_as(answer))
    assert run.state == "succeeded"
    assert {"pay", "read_balance"} <= offered(model.requests[1])
    assert asked(model) == ["sorter", "small"]
    assert "It named none of the kinds" in note_of(steps_of(run)[0])


def test_a_classifier_that_stays_away_does_not_stop_the_run(
    routed: Counter, model: ModelServer, steps_of: Steps
) -> None:
    run = routed.start(sorted_as(error(500)))
    assert run.state == "succeeded"
    assert asked(model) == ["sorter"] * 3 + ["small"]
    step = steps_of(run)[0]
    assert [attempt["code"] for attempt in step.attempts] == ["model_server_error"] * 3
    assert "It could not be asked" in note_of(step)


def test_a_bare_name_is_a_classification_too(routed: Counter, model: ModelServer) -> None:
    routed.start(sorted_as(says(" payment\n")))
    assert asked(model) == ["sorter", "large"]


def test_a_path_keeps_its_chain_when_its_models_cannot_be_repaired(
    routed: Counter, model: ModelServer
) -> None:
    run = routed.start(sorted_as(kind("payment"), *[says("Hm.")] * 3))
    assert (run.state, routed.request(run).kind) == ("waiting", "attention")
    assert asked(model) == ["sorter", "large", "large", "large"]


def test_a_classification_that_a_process_died_in_is_made_again(
    routed: Counter, model: ModelServer, steps_of: Steps
) -> None:
    run, _ = start_run(
        agent="teller", input="What have I?", caller=Caller.of_session(routed.operator)
    )
    model.follow(sorted_as(kind("balance")))
    advance(run.pk, owner="test", stopping=lambda: True)
    step = steps_of(run)[0]
    Step.objects.filter(pk=step.pk).update(state="started", output=None, finished_at=None)
    run = routed.go_on(Run.objects.get(pk=run.pk))
    assert run.state == "succeeded"
    first = steps_of(run)[0]
    assert [attempt["code"] for attempt in first.attempts] == ["interrupted"]
    assert (first.output or {})["path"] == "balance"


def test_a_parked_run_goes_on_along_the_path_that_was_picked(
    routed: Counter, model: ModelServer, reviewer: User
) -> None:
    pays = calls(call("pay", judged({"account": "A1", "amount": "1.00"})))
    run = routed.start(sorted_as(kind("payment"), pays))
    assert run.state == "waiting"
    routed.decide(routed.request(run), Verdict.REJECT, reviewer, reason="No.")
    assert routed.go_on(run).state == "succeeded"
    assert asked(model) == ["sorter", "large", "large"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": ("a",)}, "Name them in the route alone"),
        (
            {"route": Route(entry=("a",), classify=(Path(name="x", when="x", entry="b"),))},
            "begins with b, which is not on the chain",
        ),
        (
            {"route": Route(entry=("a",), classify=(Path(name="x", when="x", tools=("y",)),))},
            "names the tool y, which it does not have",
        ),
        (
            {"route": Route(entry=("a",), classify=(Path(name="x", when="x"),) * 2)},
            "the same name",
        ),
    ],
)
def test_a_route_that_cannot_be_is_refused_where_it_is_declared(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(DefinitionError, match=words):
        teller(Bank(), **{"route": ROUTE, **changes})


def test_an_agent_without_a_route_keeps_the_digest_it_had() -> None:
    assert "route" not in teller(Bank()).definition
    assert teller(Bank(), route=ROUTE).definition["route"]["entry"] == ["small", "large"]


def test_a_classification_that_would_pass_a_cap_is_not_made_before_a_person_raised_it(
    counter: Counter, bank: Bank, model: ModelServer
) -> None:
    host(teller(bank, route=ROUTE, budget=Budget(tokens=50)))
    run = counter.start(sorted_as(kind("balance")))
    request = counter.request(run)
    assert (run.state, request.kind, model.requests) == ("waiting", "budget", [])
