"""Decisions that ask for a second factor: on the page, over the API, once per window and session."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.callers import Caller
from accounts.confirmations import KEY
from accounts.models import User
from accounts.services.create_token import create_token
from accounts.services.reset_factors import reset_factors
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import Requirements
from approvals.services import policies
from approvals.services.publish import publish
from approvals.vocabulary import Friction
from audit.actors import Actor
from audit.models import Event
from tests.approvals.conftest import Opener
from tests.harness.factors import CONFIRM, SECOND_STEP, code, confirm, give_app
from tests.harness.people import PASSWORD, person

WINDOW = 120
Login = Callable[[Client, User], Client]


@pytest.fixture
def guarded(opened: Opener) -> ApprovalRequest:
    """A request that asks for a second factor."""
    return opened(needs=Requirements(friction=Friction.SECOND_FACTOR, friction_seconds=WINDOW))


@pytest.fixture
def at_desk(client: Client, login: Login, reviewer: User) -> Client:
    """The reviewer, who has an authenticator app, signed in."""
    give_app(reviewer)
    return login(client, reviewer)


def page_of(request: ApprovalRequest, query: str = "") -> str:
    return f"/requests/{request.pk}/{query}"


def post(client: Client, request: ApprovalRequest, verdict: str = "approve", **more: str) -> Any:
    """Press a verdict on the page as it stands now."""
    request.refresh_from_db()
    body = {
        "verdict": verdict,
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "nonce": uuid.uuid4().hex,
        "tab": "team",
    }
    return client.post(page_of(request, "decide/"), body | more)


def state_of(request: ApprovalRequest) -> str:
    request.refresh_from_db()
    return str(request.state)


def age_confirmation(client: Client, seconds: float) -> None:
    """Make the confirmation in this session so much older."""
    session = client.session
    kept = session[KEY]
    at = datetime.fromisoformat(kept["at"]) - timedelta(seconds=seconds)
    session[KEY] = kept | {"at": at.isoformat()}
    session.save()


def decided(request: ApprovalRequest) -> dict[str, Any]:
    """The facts of the event that closed the request."""
    event = Event.objects.of_type("request.decided").get(request=request.pk)
    facts: dict[str, Any] = json.loads(bytes(event.body))["facts"]
    return facts


def test_an_approval_leads_through_the_confirmation_and_one_more_press_decides(
    at_desk: Client, guarded: ApprovalRequest
) -> None:
    assert b"Approving asks for your second factor" in at_desk.get(page_of(guarded)).content
    answer = post(at_desk, guarded)
    assert answer["Location"].startswith(CONFIRM)
    assert state_of(guarded) == "pending"
    back = parse_qs(urlsplit(answer["Location"]).query)["next"][0]
    assert back == page_of(guarded, "?tab=team")
    assert back in at_desk.get(answer["Location"]).content.decode()
    confirm(at_desk)
    assert b"Confirmed with your authenticator app" in at_desk.get(back).content
    assert state_of(guarded) == "pending"
    assert post(at_desk, guarded).status_code == 302
    assert state_of(guarded) == "approved"
    vote = Vote.objects.get(request=guarded)
    assert vote.second_factor == "authenticator_app"
    assert vote.second_factor_age_seconds is not None
    assert 0 <= vote.second_factor_age_seconds <= 60
    facts = decided(guarded)
    assert facts["second_factor"] == "authenticator_app"
    assert facts["second_factor_age_seconds"] == vote.second_factor_age_seconds


def test_an_edit_is_kept_over_the_confirmation(at_desk: Client, guarded: ApprovalRequest) -> None:
    typed = {
        "arguments.order": "10291",
        "arguments.amount": "17.50",
        "arguments.note": "less <b>of</b> it",
    }
    answer = post(at_desk, guarded, "edit", **typed)
    back = parse_qs(urlsplit(answer["Location"]).query)["next"][0]
    assert back == page_of(guarded, "?tab=team&mode=edit")
    confirm(at_desk)
    page = at_desk.get(back).content.decode()
    assert "17.50" in page
    assert "less &lt;b&gt;of&lt;/b&gt; it" in page
    assert at_desk.get(page_of(guarded)).status_code == 200
    assert post(at_desk, guarded, "edit", **typed).status_code == 302
    guarded.refresh_from_db()
    assert (guarded.arguments["amount"], guarded.revision) == ("17.50", 2)
    assert Vote.objects.get(request=guarded).second_factor == "authenticator_app"
    assert "17.50" not in str(dict(at_desk.session))


def test_a_draft_on_what_changed_meanwhile_is_shown_beside_it(
    at_desk: Client, guarded: ApprovalRequest, login: Login, second_reviewer: User
) -> None:
    typed = {"arguments.order": "10291", "arguments.amount": "17.50", "arguments.note": "less"}
    post(at_desk, guarded, "edit", **typed)
    give_app(second_reviewer)
    other = login(Client(), second_reviewer)
    confirm(other)
    assert post(other, guarded, "edit", **typed | {"arguments.amount": "12.00"}).status_code == 302
    confirm(at_desk)
    page = at_desk.get(page_of(guarded, "?tab=team&mode=edit")).content.decode()
    assert "It changed since you opened it" in page
    assert "17.50" in page
    assert "conflict" not in at_desk.get(page_of(guarded)).content.decode()


def test_an_old_confirmation_is_asked_for_again(at_desk: Client, guarded: ApprovalRequest) -> None:
    confirm(at_desk)
    age_confirmation(at_desk, WINDOW + 5)
    assert b"Approving asks for your second factor" in at_desk.get(page_of(guarded)).content
    assert post(at_desk, guarded)["Location"].startswith(CONFIRM)
    confirm(at_desk, steps=1)
    age_confirmation(at_desk, WINDOW - 30)
    post(at_desk, guarded)
    assert state_of(guarded) == "approved"
    assert decided(guarded)["second_factor_age_seconds"] >= WINDOW - 30


def test_it_is_asked_for_once_per_window(
    at_desk: Client, guarded: ApprovalRequest, opened: Opener
) -> None:
    confirm(at_desk)
    other = opened(
        amount="30.00", needs=Requirements(friction=Friction.SECOND_FACTOR, friction_seconds=0)
    )
    for request in (guarded, other):
        post(at_desk, request)
        assert state_of(request) == "approved"


def test_another_session_inherits_nothing(
    at_desk: Client, guarded: ApprovalRequest, login: Login, reviewer: User
) -> None:
    confirm(at_desk)
    other = login(Client(), reviewer)
    assert post(other, guarded)["Location"].startswith(CONFIRM)
    at_desk.post("/accounts/logout/")
    login(at_desk, reviewer)
    assert post(at_desk, guarded)["Location"].startswith(CONFIRM)
    assert state_of(guarded) == "pending"


def test_somebody_else_in_the_same_browser_inherits_nothing(
    at_desk: Client, guarded: ApprovalRequest, login: Login, second_reviewer: User
) -> None:
    confirm(at_desk)
    kept = at_desk.session[KEY]
    give_app(second_reviewer)
    login(at_desk, second_reviewer)
    session = at_desk.session
    session[KEY] = kept
    session.save()
    assert post(at_desk, guarded)["Location"].startswith(CONFIRM)


def test_a_reset_ends_what_the_factor_confirmed(
    at_desk: Client, guarded: ApprovalRequest, admin: User, reviewer: User
) -> None:
    confirm(at_desk)
    reset_factors(person=reviewer, caller=Caller.of_session(admin))
    answer = post(at_desk, guarded)
    assert answer.status_code == 403
    assert state_of(guarded) == "pending"


def test_who_has_no_factor_is_told_where_to_add_one(
    client: Client, login: Login, reviewer: User, guarded: ApprovalRequest
) -> None:
    login(client, reviewer)
    page = client.get(page_of(guarded)).content.decode()
    assert re.search(r'you have none\. <a href="/settings/second-factor/">', page)
    typed = {"arguments.order": "1", "arguments.amount": "17.50", "arguments.note": "less"}
    answer = post(client, guarded, "edit", **typed)
    assert answer.status_code == 403
    assert "17.50" in answer.content.decode()
    assert state_of(guarded) == "pending"
    assert "you have none yet" in client.get(CONFIRM).content.decode()


def test_an_admin_confirms_like_everybody(
    client: Client, login: Login, finance: Any, support: Any, guarded: ApprovalRequest
) -> None:
    chief = person("chief", "admin", "reviewer", groups=(finance, support))
    User.objects.filter(pk=chief.pk).update(is_superuser=True)
    login(client, chief)
    assert post(client, guarded).status_code == 403
    give_app(chief)
    assert post(client, guarded)["Location"].startswith(CONFIRM)
    assert state_of(guarded) == "pending"


def test_refusing_needs_no_second_factor(at_desk: Client, guarded: ApprovalRequest) -> None:
    assert post(at_desk, guarded, "reject", reason="Paid already.").status_code == 302
    assert state_of(guarded) == "rejected"
    assert Vote.objects.get(request=guarded).second_factor == ""


def test_what_asks_for_none_says_nothing_of_one(at_desk: Client, opened: Opener) -> None:
    plain = opened()
    confirm(at_desk)
    assert b"second factor" not in at_desk.get(page_of(plain)).content
    post(at_desk, plain)
    assert state_of(plain) == "approved"
    assert "second_factor" not in decided(plain)


def test_signing_in_with_the_second_factor_confirms(
    client: Client, reviewer: User, guarded: ApprovalRequest
) -> None:
    give_app(reviewer)
    client.post("/accounts/login/", {"login": "reviewer", "password": PASSWORD})
    assert post(client, guarded)["Location"].startswith("/accounts/login/")
    client.post(SECOND_STEP, {"code": code()})
    post(client, guarded)
    assert state_of(guarded) == "approved"


def test_an_edit_into_what_asks_for_a_second_factor_asks_for_it(
    opened: Opener, at_desk: Client
) -> None:
    document = policies.current().policy.document()
    document["baseline"][1]["requirements"]["editor_may_approve"] = True
    large = {
        "name": "large",
        "effect": "review",
        "when": {"condition": "double(args.amount) > 50.0"},
        "requirements": {"friction": "second_factor", "editor_may_approve": True},
    }
    publish(
        document=document | {"rules": [large]},
        base_version=1,
        caller=Actor.system("test"),
        why="Large ones.",
    )
    request = opened(needs=Requirements(editor_may_approve=True, friction=Friction.NONE))
    typed = {"arguments.order": "10291", "arguments.amount": "60.00", "arguments.note": "broken"}
    assert post(at_desk, request, "edit", **typed)["Location"].startswith(CONFIRM)
    request.refresh_from_db()
    assert (request.state, request.revision) == ("pending", 1)
    confirm(at_desk)
    post(at_desk, request, "edit", **typed)
    assert state_of(request) == "approved"
    assert decided(request)["second_factor"] == "authenticator_app"


def api_decision(request: ApprovalRequest) -> dict[str, Any]:
    return {
        "verdict": "approve",
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "nonce": uuid.uuid4().hex,
    }


def test_a_session_at_the_api_is_told_where_to_confirm(
    at_desk: Client, guarded: ApprovalRequest
) -> None:
    path = f"/api/v1/approvals/{guarded.pk}/decisions"
    refused = at_desk.post(path, api_decision(guarded), content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    way = refused.json()["params"]["confirm_url"]
    assert urlsplit(way).path == CONFIRM
    assert parse_qs(urlsplit(way).query)["next"] == [page_of(guarded)]
    confirm(at_desk)
    taken = at_desk.post(path, api_decision(guarded), content_type="application/json")
    assert taken.status_code == 200, taken.content
    assert state_of(guarded) == "approved"


def test_a_token_is_refused_beside_a_confirmed_session(
    at_desk: Client, guarded: ApprovalRequest, reviewer: User
) -> None:
    confirm(at_desk)
    made = create_token(person=reviewer, name="of the tests", caller=Actor.system("tests"))
    refused = at_desk.post(
        f"/api/v1/approvals/{guarded.pk}/decisions",
        api_decision(guarded),
        content_type="application/json",
        headers={"Authorization": f"Bearer {made.bearer}"},
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    assert refused.json()["params"] == {}
    assert state_of(guarded) == "pending"


def test_a_script_of_the_page_is_led_to_the_confirmation_too(
    at_desk: Client, guarded: ApprovalRequest
) -> None:
    body = api_decision(guarded) | {"tab": "team"}
    answer = at_desk.post(page_of(guarded, "decide/"), body, headers={"HX-Request": "true"})
    assert answer["HX-Redirect"].startswith(CONFIRM)
