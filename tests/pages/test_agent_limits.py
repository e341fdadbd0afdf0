# ruff: noqa: F811 - fixtures are imported, and taken by name
"""The page and the address on which admins set what an agent may use."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from agents.authoring import Budget
from agents.models import HostedAgent
from tests.agents.bank import Bank, teller
from tests.agents.test_api import Api, api  # noqa: F401
from tests.agents.test_budgets import limit, spend
from tests.pages.run_fixtures import Counter, Login, host, steady  # noqa: F401
from tests.pages.run_reading import text_of

PAGE = "/agents/teller/limits/"
FORM = {"extend_times": "10", "over_percent": "10"}


@pytest.fixture
def office(client: Client, login: Login, admin: User, bank: Bank) -> Client:
    """A browser in which the admin is signed in."""
    return login(client, admin)


def stored() -> dict[str, Any]:
    found: dict[str, Any] = HostedAgent.objects.get(slug="teller").limits
    return found


def test_an_admin_sets_limits_in_units_for_people(office: Client) -> None:
    written = {"cap_steps": "20", "cap_active_seconds": "1.5", "cap_cost_micros": "0.25"}
    written |= {"day_cost_micros": "2.50", "month_tokens": "1000000", "over_percent": "0"}
    answer = office.post(PAGE, FORM | written)
    assert answer.headers["Location"] == "/agents/teller/"
    assert stored() == {
        "caps": {"steps": 20, "active_seconds": 90, "cost_micros": 250_000},
        "day": {"cost_micros": 2_500_000},
        "month": {"tokens": 1_000_000},
        "over_percent": 0,
    }
    page = office.get(PAGE).content.decode()
    for value in ("20", "1.5", "0.25", "2.5", "1000000"):
        assert f'value="{value}"' in page


@pytest.mark.parametrize(
    ("field", "written", "said"),
    [
        ("cap_steps", "41", "declared with at most 40"),
        ("cap_steps", "0", "greater than or equal to 1"),
        ("cap_steps", "many", "Enter a number"),
        ("cap_tokens", "1.5", "no more than 0 decimal places"),
        ("day_cost_micros", "-1", "greater than or equal to 0"),
        ("over_percent", "101", "less than or equal to 100"),
        ("extend_times", "", "required"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field_and_nothing_is_set(
    office: Client, field: str, written: str, said: str
) -> None:
    answer = office.post(PAGE, FORM | {"cap_errors": "5", field: written})
    assert answer.status_code == 422
    assert said in str(answer.context["form"].errors[field])
    assert stored() == {}
    assert 'value="5"' in answer.content.decode()


def test_an_agent_may_declare_that_its_caps_can_be_raised(office: Client, bank: Bank) -> None:
    host(teller(bank, limits=Budget(steps=100)))
    assert "Declared: 40. At most 100." in text_of(office.get(PAGE))
    assert office.post(PAGE, FORM | {"cap_steps": "100"}).status_code == 302
    assert stored() == {"caps": {"steps": 100}}


@pytest.mark.parametrize(
    ("who", "status"), [("operator", 403), ("reviewer", 403), ("auditor", 403), ("outsider", 404)]
)
def test_nobody_else_sees_or_sets_them(
    client: Client, login: Login, bank: Bank, request: pytest.FixtureRequest, who: str, status: int
) -> None:
    login(client, request.getfixturevalue(who))
    assert client.get(PAGE).status_code == status
    assert client.post(PAGE, FORM | {"cap_steps": "5"}).status_code == status
    assert stored() == {}


def test_the_page_of_the_agent_shows_what_it_spent_and_what_holds(
    office: Client, admin: User
) -> None:
    limit(admin, caps={"steps": 12}, day={"cost_micros": 2_000_000})
    spend(cost_micros=500_000, tokens=1_234)
    page = office.get("/agents/teller/")
    text = text_of(page)
    assert "Steps 12, set by an admin" in text
    assert "Time at work 1 hour" in text
    assert "Money today $0.50 of $2.00" in text
    assert "Tokens this month 1,234" in text
    assert 'aria-label="Money today"' in page.content.decode()
    assert 'width="25.0"' in page.content.decode()


def test_who_decides_does_not_read_sums_of_the_moment(
    client: Client, login: Login, api: Api, bank: Bank, reviewer: User, admin: User
) -> None:
    limit(admin, day={"tokens": 2_000})
    spend(tokens=1_234)
    login(client, reviewer)
    assert "1,234" not in text_of(client.get("/agents/teller/"))
    assert api(reviewer, "get", "agents/teller/limits").json()["spent"] is None


def test_a_budget_that_is_spent_is_said_where_a_run_is_started(
    client: Client, login: Login, bank: Bank, operator: User, admin: User
) -> None:
    limit(admin, month={"tokens": 10})
    spend(tokens=10)
    login(client, operator)
    answer = client.post(
        "/runs/start/", {"agent": "teller", "text": "Pay.", "key": "k"}, follow=True
    )
    assert "No new run of it starts until the month ends or an admin allows more." in text_of(
        answer
    )


# -- over REST


def test_a_program_reads_and_sets_limits(api: Api, bank: Bank, admin: User) -> None:
    body = {"caps": {"steps": 20}, "day": {"tokens": 5_000}}
    answer = api(admin, "put", "agents/teller/limits", body)
    assert answer.status_code == 200
    told = answer.json()
    assert told["caps"] == {"steps": 20}
    assert (told["in_force"]["steps"], told["declared"]["steps"]) == (20, 40)
    assert told["day"] == {"cost_micros": None, "tokens": 5_000}
    spend(tokens=70)
    read = api(admin, "get", "agents/teller/limits").json()
    assert read["spent"]["month"]["tokens"] == 70
    assert api(admin, "put", "agents/teller/limits", {}).json()["caps"] == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"caps": {"steps": 41}}, "limits_invalid"),
        ({"caps": {"steps": "20"}}, None),
        ({"day": {"tokens": -1}}, None),
        ({"week": {}}, None),
    ],
)
def test_limits_that_do_not_fit_are_a_problem(
    api: Api, bank: Bank, admin: User, body: dict[str, Any], code: str | None
) -> None:
    answer = api(admin, "put", "agents/teller/limits", body)
    assert answer.status_code == 422
    assert code is None or answer.json()["code"] == code
    assert stored() == {}


def test_who_sees_the_agent_reads_its_limits_and_sets_none(
    api: Api, bank: Bank, reviewer: User, outsider: User
) -> None:
    assert api(reviewer, "get", "agents/teller/limits").status_code == 200
    assert api(reviewer, "put", "agents/teller/limits", {}).status_code == 403
    assert api(outsider, "get", "agents/teller/limits").status_code == 404


def test_a_run_of_an_agent_that_has_spent_its_budget_is_a_conflict(
    api: Api, bank: Bank, operator: User, admin: User
) -> None:
    limit(admin, day={"tokens": 10})
    spend(tokens=10)
    answer = api(operator, "post", "runs", {"agent": "teller", "input": "Pay."})
    assert (answer.status_code, answer.json()["code"]) == (409, "budget_spent")
