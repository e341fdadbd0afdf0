"""Guessing is counted by account, by address and by both, at every door where something can be guessed."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from audit.models import Event
from tests.accounts.conftest import Bodies
from tests.harness.factors import LOGIN, SECOND_STEP, code, give_app
from tests.harness.people import PASSWORD, person

ELSEWHERE = "203.0.113.9"


@pytest.fixture(autouse=True)
def few_attempts(settings: Settings) -> None:
    """Hashing takes long, on purpose."""
    settings.AXES_FAILURE_LIMIT = 3
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"sign_in_address_attempts": 4, "sign_in_account_attempts": 6}
    )


def attempt(username: str, password: str = "wrong", *, address: str = "198.51.100.1") -> int:
    """The status of an attempt from the address, by somebody who keeps no cookies."""
    form = {"login": username, "password": password}
    headers = {"User-Agent": f"a browser for {username}"}
    return Client(headers=headers).post(LOGIN, form, REMOTE_ADDR=address).status_code


def test_one_password_on_many_accounts_closes_the_address(
    reviewer: User, admin: User, bodies: Bodies
) -> None:
    person("emptyhanded")
    for number in range(2):
        assert attempt(f"name-{number}") == 200
    # Who has one account is not forgiven what they tried on others.
    assert attempt("emptyhanded", PASSWORD) == 302
    assert [attempt(f"name-{number}") for number in range(2, 4)] == [200, 429]
    assert attempt("reviewer", PASSWORD) == 429
    assert attempt("reviewer", PASSWORD, address=ELSEWHERE) == 302
    (event,) = bodies("signin.locked")
    assert event["facts"] == {"why": "address"}
    assert b"198.51.100.1" not in bytes(Event.objects.of_type("signin.locked").get().body)
    (told,) = mail.outbox
    assert (told.to, "198.51.100.1" in told.body) == ([admin.email], False)


def test_many_addresses_on_one_account_close_the_account(
    reviewer: User, second_reviewer: User, admin: User, bodies: Bodies
) -> None:
    answers = [attempt("Reviewer", address=f"198.51.100.{number}") for number in range(6)]
    assert answers == [200, 200, 200, 200, 200, 429]
    assert attempt("reviewer", PASSWORD, address=ELSEWHERE) == 429
    assert attempt("second-reviewer", PASSWORD, address=ELSEWHERE) == 302
    (event,) = bodies("signin.locked")
    assert (event["facts"], event["stream"]) == ({"why": "account"}, f"person:{reviewer.pk}")
    assert len(mail.outbox) == 1


def test_nobody_elsewhere_closes_the_emergency_account(reviewer: User, settings: Settings) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"break_glass": ("Reviewer",)})
    for number in range(7):
        attempt("reviewer", address=f"198.51.100.{number}")
    assert attempt("reviewer", PASSWORD, address=ELSEWHERE) == 302
    assert [attempt("reviewer") for _ in range(2)] == [200, 429]


def test_ones_own_mistakes_alarm_nobody_and_are_one_event(
    reviewer: User, admin: User, bodies: Bodies
) -> None:
    assert [attempt("reviewer") for _ in range(4)] == [200, 200, 429, 429]
    (event,) = bodies("signin.locked")
    assert event["facts"] == {"why": "account_from_address"}
    assert mail.outbox == []


def test_the_answer_is_the_same_for_a_script_and_names_nobody(reviewer: User) -> None:
    headers = {"X-Requested-With": "XMLHttpRequest"}
    for _ in range(3):
        form = {"login": "reviewer", "password": "wrong"}
        answer: Any = Client(headers=headers).post(LOGIN, form)
    assert answer.status_code == 429
    assert answer["Content-Type"].startswith("text/html")
    assert answer["Retry-After"] == "900"
    assert "Access-Control-Allow-Origin" not in answer
    assert b"reviewer" not in answer.content


def test_codes_at_sign_in_close_and_somebody_is_told(
    reviewer: User, admin: User, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    give_app(reviewer)
    client.post(LOGIN, {"login": "reviewer", "password": PASSWORD})
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(5):
            client.post(SECOND_STEP, {"code": "wrong"})
    assert "_auth_user_id" not in client.session
    client.post(SECOND_STEP, {"code": code()})
    assert "_auth_user_id" not in client.session
    (told,) = mail.outbox
    assert told.to == [admin.email]
    assert "reviewer" in told.body
