"""Every address of the product and every operation of the API refuses an anonymous visitor.

A new address is covered without being listed; only what is open on purpose is, with the reason.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User
from countersign.api import api
from tests.accounts.conftest import MakeToken

Bearer = Callable[..., Client]

ANY_UUID: Final = "01890a5d-ac96-774b-bcce-b302099a8057"
SAMPLES: Final = {"int": "1", "uuid": ANY_UUID, "uuidstr": ANY_UUID, "slug": "x", "str": "x"}
SIGN_IN: Final = {
    "account_login",
    "account_logout",
    # Not found at all where no identity provider is set: tests/accounts/test_oidc.py.
    "oidc-sign-in",
    "oidc-callback",
    "account_inactive",
    "account_signup",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "admin:login",
    "admin:logout",
}
# Counts for a scraper, no names. Health probes are answered before any address is looked up.
PROBES: Final = {"metrics"}
# What the API looks like is no secret: it stands in the source.
DESCRIPTION: Final = {"api:openapi-json", "api:openapi-view", "api:api-root"}
# The demo's stand-in for a model; it knows only the conversation that it is sent.
PRACTICE: Final = {"practice-completions", "practice-models"}
# Sets a cookie of the visitor's own.
THEME: Final = {"theme", "language"}
READ_BY_ALL: Final = {"/api/v1/me"}
OPEN: Final = SIGN_IN | PROBES | DESCRIPTION | PRACTICE | THEME


def addresses(
    patterns: list[Any], prefix: str = "", namespace: str = ""
) -> Iterator[tuple[str, str]]:
    """Every address with sample values in it, and its full name."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from addresses(pattern.url_patterns, route, inner)
        elif isinstance(pattern, URLPattern):
            yield f"/{sample(route)}", f"{namespace}{pattern.name or ''}"


def sample(route: str) -> str:
    filled = re.sub(r"<(?:(\w+):)?\w+>", lambda found: SAMPLES.get(found[1] or "str", "x"), route)
    return re.sub(r"\(\?P<\w+>.*?\)", "x", filled).strip("^$").replace("\\Z", "")


ADDRESSES: Final = sorted(set(addresses(get_resolver().url_patterns)))
PAGES: Final = [
    (path, name) for path, name in ADDRESSES if name not in OPEN and not path.startswith("/api/")
]
# A provider has no account: its message is signed (tests/agents/test_callbacks.py).
SIGNED: Final = {("POST", "/api/v1/callbacks/x")}
EVERY_OPERATION: Final = sorted(
    (method, sample(f"/api/v1/{path}".replace("//", "/").replace("{", "<").replace("}", ">")))
    for router in api._get_bound_routers()
    for path, view in router.path_operations.items()
    for operation in view.operations
    for method in operation.methods
)


OPERATIONS: Final = [operation for operation in EVERY_OPERATION if operation not in SIGNED]


def ask(client: Client, operation: tuple[str, str], **headers: str) -> Any:
    method, path = operation
    return client.generic(method, path, "{}", "application/json", headers=headers)


def test_there_is_something_to_walk() -> None:
    names = {name for _, name in PAGES}
    assert {"people", "person-detail", "settings", "token-create", "inbox", "audit-list"} <= names
    assert ("GET", "/api/v1/me") in OPERATIONS
    assert len(OPERATIONS) > 10


def test_what_is_open_on_purpose_exists() -> None:
    assert not OPEN - {name for _, name in ADDRESSES}


@pytest.mark.parametrize("operation", sorted(SIGNED))
def test_what_is_signed_takes_no_account_for_a_signature(
    bearer: Bearer, admin: User, operation: tuple[str, str]
) -> None:
    assert operation in EVERY_OPERATION
    answer = ask(bearer(admin), operation)
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_refused")


@pytest.mark.parametrize(("path", "name"), PAGES)
def test_a_page_sends_an_anonymous_visitor_to_sign_in(
    client: Client, db: None, path: str, name: str
) -> None:
    answers = [client.get(path), client.post(path)]
    refused = [answer for answer in answers if answer.status_code != 405]
    assert refused, f"{path} takes neither GET nor POST"
    for answer in refused:
        assert answer.status_code == 302, f"{name} answered {answer.status_code}"
        assert answer["Location"].split("?")[0] in ("/accounts/login/", "/django-admin/login/")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_asks_an_anonymous_visitor_who_they_are(
    client: Client, db: None, operation: tuple[str, str]
) -> None:
    answer = ask(client, operation)
    assert answer.status_code == 401
    assert answer.json()["code"] == "authentication_required"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_refuses_a_wrong_token(
    client: Client, db: None, operation: tuple[str, str]
) -> None:
    answer = ask(client, operation, Authorization="Bearer cs_000000000000_" + "0" * 64)
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_refused"


@pytest.mark.parametrize("operation", [op for op in OPERATIONS if op[0] != "GET"])
def test_an_operation_that_changes_something_wants_the_csrf_token_from_a_session(
    reviewer: User, login: Callable[[Client, User], Client], operation: tuple[str, str]
) -> None:
    answer = ask(login(Client(enforce_csrf_checks=True), reviewer), operation)
    assert answer.status_code == 403
    assert answer.json()["code"] == "csrf_failed"


@pytest.mark.parametrize("operation", [op for op in OPERATIONS if op[1] not in READ_BY_ALL])
def test_a_person_without_role_or_group_changes_and_reads_nothing_of_others(
    bearer: Bearer, outsider: User, operation: tuple[str, str]
) -> None:
    """Lists are empty for them; everything else is refused, not found, or does not fit."""
    answer = ask(bearer(outsider), operation)
    if answer.status_code == 200:
        assert operation[0] == "GET"
        assert answer.json().get("items") == [], answer.content[:200]
    else:
        assert answer.status_code in (403, 404, 422), answer.content


@pytest.mark.parametrize("operation", [op for op in OPERATIONS if op[1] != "/api/v1/me"])
def test_an_operation_wants_a_scope(
    client: Client, admin: User, operation: tuple[str, str], make_token: MakeToken
) -> None:
    """A token with a scope that fits no operation of this kind gets nowhere with any.

    Where the address names a thing that does not exist, that may be said first.
    """
    unfitting = "run" if operation[0] == "GET" else "read"
    answer = ask(client, operation, Authorization=f"Bearer {make_token(admin, unfitting)}")
    names_a_thing = ANY_UUID in operation[1] or re.search(r"/(x|1)(/|$)", operation[1])
    assert answer.status_code in ((403, 404, 422) if names_a_thing else (403, 422)), answer.content
    if answer.status_code == 403:
        assert answer.json()["code"] in ("scope_missing", "permission_missing")
