"""Runs and agents over REST: what programs may do, and what they are told when they may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from accounts.services.create_token import create_token
from agents.models import Run, Step
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import TEST, Counter
from tests.model_server import call, calls, final, judged

Api = Callable[..., Any]
NO_RUN = "00000000-0000-7000-8000-000000000000"
BALANCE = [calls(call("read_balance", judged({"account": "A1"}))), final(summary="100.00")]


@pytest.fixture
def api() -> Api:
    """Ask as a person through a token of theirs: `api(user, "get", "runs", …)`."""

    def ask(
        user: User | None,
        method: str,
        path: str,
        body: object = None,
        scopes: str = "",
        **more: Any,
    ) -> Any:
        headers = {}
        if user is not None:
            made = create_token(
                person=user,
                name=uuid4().hex[:8],
                scopes=scopes.split() if scopes else None,
                caller=TEST,
            )
            headers["Authorization"] = f"Bearer {made.bearer}"
        if body is not None:
            more |= {"data": body, "content_type": "application/json"}
        return getattr(Client(), method)(f"/api/v1/{path}", headers=headers, **more)

    return ask


def start(api: Api, user: User, **more: Any) -> Any:
    return api(user, "post", "runs", {"agent": "teller", "input": "Please.", **more})


def test_a_program_starts_a_run_and_reads_how_it_ended(
    api: Api, bank: Bank, counter: Counter, operator: User
) -> None:
    counter.model.follow(BALANCE)
    started = start(api, operator)
    assert started.status_code == 201
    run = Run.objects.get(pk=started.json()["id"])
    counter.go_on(run)
    told = api(operator, "get", f"runs/{run.pk}").json()
    assert (told["state"], told["outcome"]) == ("succeeded", "done")
    assert told["output"] == {"summary": "100.00", "done": []}
    assert {"id", "agent", "agent_version", "waiting_on", "usage"} <= told.keys()


def test_a_parked_run_says_what_it_waits_on(
    api: Api, counter: Counter, operator: User, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", judged({"account": "A1", "amount": "5.00"})))])
    waits = api(operator, "get", f"runs/{run.pk}").json()["waiting_on"]
    assert [(wait["kind"], wait["name"]) for wait in waits] == [("action", "pay")]
    assert waits[0]["approval"] == str(counter.request(run).pk)


def test_waiting_for_a_run_that_ended_answers_at_once(
    api: Api, counter: Counter, operator: User
) -> None:
    run = counter.start(BALANCE)
    assert api(operator, "get", f"runs/{run.pk}?wait=30").json()["state"] == "succeeded"


def test_the_same_idempotency_key_gives_the_first_run_again(
    api: Api, bank: Bank, operator: User
) -> None:
    first = start(api, operator, idempotency_key="k1")
    again = start(api, operator, idempotency_key="k1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert Run.objects.count() == 1


def test_an_idempotency_key_with_another_input_is_refused(
    api: Api, bank: Bank, operator: User
) -> None:
    start(api, operator, idempotency_key="k1")
    answer = api(
        operator,
        "post",
        "runs",
        {"agent": "teller", "input": "Something else.", "idempotency_key": "k1"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"agent": "nobody", "input": "x"}, 404, "unknown_agent"),
        ({"agent": "teller", "input": ""}, 422, "invalid_input"),
        ({"agent": "teller", "input": {"text": "x", "more": 1}}, 422, "invalid_input"),
        ({"agent": "teller", "input": 7}, 422, "invalid_input"),
        ({"agent": "teller", "input": "x", "fast": True}, 422, "invalid_request"),
        ({"agent": "teller"}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_started_is_refused_with_a_problem_and_nothing_is_written(
    api: Api, bank: Bank, operator: User, body: dict[str, object], status: int, code: str
) -> None:
    answer = api(operator, "post", "runs", body)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Run.objects.count() == 0


def test_a_switched_off_agent_starts_nothing(
    api: Api, bank: Bank, operator: User, admin: User
) -> None:
    assert api(admin, "post", "agents/teller/disable", {"reason": "Incident."}).status_code == 200
    answer = start(api, operator)
    assert (answer.status_code, answer.json()["code"]) == (409, "agent_disabled")
    assert api(admin, "post", "agents/teller/enable").status_code == 200
    assert start(api, operator).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "runs", None),
        ("post", "runs", {"agent": "teller", "input": "x"}),
        ("get", "agents", None),
        ("get", "agents/teller", None),
        ("post", "agents/teller/disable", {}),
        ("post", "agents/teller/enable", None),
        ("post", f"agents/teller/versions/sha256:{'0' * 64}/activate", None),
        ("get", f"runs/{NO_RUN}", None),
        ("get", f"runs/{NO_RUN}/steps", None),
        ("post", f"runs/{NO_RUN}/cancel", {}),
        ("post", f"runs/{NO_RUN}/pause", {}),
        ("post", f"runs/{NO_RUN}/resume", None),
    ],
)
def test_nobody_comes_in_without_a_token(
    api: Api, bank: Bank, method: str, path: str, body: object
) -> None:
    answer = api(None, method, path, body)
    assert answer.status_code == 401
    assert Run.objects.count() == 0


def test_an_outsider_sees_no_run_and_starts_none(
    api: Api, counter: Counter, outsider: User
) -> None:
    run = counter.start(BALANCE)
    assert api(outsider, "get", "runs").json()["items"] == []
    assert api(outsider, "get", f"runs/{run.pk}").status_code == 404
    assert api(outsider, "get", f"runs/{run.pk}/steps").status_code == 404
    assert api(outsider, "post", f"runs/{run.pk}/cancel", {}).status_code == 404
    assert api(outsider, "get", "agents").json()["items"] == []
    assert start(api, outsider).status_code == 403
    assert api(outsider, "post", "agents/teller/disable", {}).status_code == 403


def test_a_token_needs_the_scope_of_what_it_does(api: Api, bank: Bank, operator: User) -> None:
    body = {"agent": "teller", "input": "x"}
    answer = api(operator, "post", "runs", body, scopes="read")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert api(operator, "get", "runs", scopes="run").status_code == 403


def test_a_parked_run_is_cancelled_at_once_and_its_request_with_it(
    api: Api, counter: Counter, operator: User
) -> None:
    run = counter.start([calls(call("pay", judged({"account": "A1", "amount": "5.00"})))])
    request = counter.request(run)
    answer = api(operator, "post", f"runs/{run.pk}/cancel", {"reason": "Not needed."})
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    request.refresh_from_db()
    assert request.state == "cancelled"
    again = api(operator, "post", f"runs/{run.pk}/cancel", {})
    assert (again.status_code, again.json()["code"]) == (409, "run_ended")


def test_a_paused_run_takes_decisions_and_goes_on_when_resumed(
    api: Api, bank: Bank, counter: Counter, operator: User, reviewer: User
) -> None:
    run = counter.start(
        [calls(call("pay", judged({"account": "A1", "amount": "5.00"}))), final(summary="ok")]
    )
    assert api(operator, "post", f"runs/{run.pk}/pause", {}).json()["paused"] is True
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "ready"
    assert bank.sent == []
    assert api(operator, "post", f"runs/{run.pk}/resume").json()["paused"] is False
    assert counter.go_on(run).state == "succeeded"


def test_steps_carry_raw_requests_and_responses_in_order(
    api: Api, counter: Counter, operator: User
) -> None:
    run = counter.start(BALANCE)
    first = api(operator, "get", f"runs/{run.pk}/steps?limit=2").json()
    rest = api(operator, "get", f"runs/{run.pk}/steps?cursor={first['next_cursor']}").json()
    steps = [*first["items"], *rest["items"]]
    assert [step["seq"] for step in steps] == [1, 2, 3, 4]
    assert steps[0]["request"]["messages"][0]["role"] == "system"
    assert steps[0]["response"]["choices"]


def test_a_hidden_score_is_nowhere_in_the_steps_until_it_is_decided(
    api: Api, counter: Counter, operator: User, reviewer: User
) -> None:
    run = counter.start(
        [calls(call("pay", judged({"account": "A1", "amount": "5.00"}, 0.4321))), final(summary="")]
    )
    Step.objects.filter(run=run, name="pay").update(
        coin={"value": 0, "rate": 1, "propensity": 1, "is_sample": False, "score_visible": False}
    )
    assert "4321" not in api(operator, "get", f"runs/{run.pk}/steps").content.decode()
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    counter.go_on(run)
    assert "4321" in api(operator, "get", f"runs/{run.pk}/steps").content.decode()


def test_the_lists_do_not_ask_the_database_more_often_for_more_runs(
    counter: Counter, operator: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        counter.start(BALANCE)
    client = Client()
    client.force_login(operator)
    client.get("/api/v1/runs")
    with django_assert_max_num_queries(10):
        answer = client.get("/api/v1/runs")
    assert len(answer.json()["items"]) == 5
