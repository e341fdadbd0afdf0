"""Pages and numbers of the house itself."""

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.test import Client, RequestFactory

from accounts.callers import Caller
from accounts.models import User
from countersign.views import forbidden

Login = Callable[[Client, User], Client]


def asked_by(person: User) -> HttpRequest:
    """A request as the middleware leaves it."""
    request = RequestFactory().get("/people/")
    request.user = person
    request.caller = Caller.of_session(person)  # type: ignore[attr-defined]
    return request


def test_a_refused_page_says_why_and_names_who_can_help(
    client: Client, outsider: User, admin: User, login: Login
) -> None:
    request = asked_by(outsider)
    answer = forbidden(request, PermissionDenied("Managing people is for admins."))
    assert answer.status_code == 403
    assert "Managing people is for admins." in answer.content.decode()
    assert admin.get_username() in answer.content.decode()


def test_who_is_gone_is_not_named(outsider: User, second_admin: User) -> None:
    second_admin.is_active = False
    second_admin.save()
    request = asked_by(outsider)
    assert second_admin.get_username() not in forbidden(request).content.decode()


def test_a_page_that_is_not_theirs_is_refused_with_the_product_s_own_page(
    client: Client, outsider: User, admin: User, login: Login
) -> None:
    answer = login(client, outsider).get("/people/")
    assert answer.status_code == 403
    assert admin.get_username() in answer.content.decode()


def test_metrics_are_counts_in_the_text_format(client: Client, db: None) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE countersign_runs gauge" in answer.content.decode()
    assert "# TYPE countersign_requests gauge" in answer.content.decode()


@pytest.mark.parametrize(
    "directive",
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ],
)
def test_every_page_carries_the_strict_policy(client: Client, db: None, directive: str) -> None:
    policy = client.get("/accounts/login/")["Content-Security-Policy"]
    assert directive in policy.split("; ")
    assert "unsafe" not in policy
