"""Second factors in a real browser: passkeys from a virtual authenticator, apps, and how the pages look."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, expect

from accounts.models import User
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import Requirements
from approvals.vocabulary import Friction
from tests.harness.browser import Troubles
from tests.harness.factors import code, give_app
from tests.harness.looks import DESK, View, looks_at, troubles_of
from tests.harness.people import PASSWORD
from tests.pages.live_desk import Desk, title, verdict

SETTINGS = "/settings/second-factor/"


def by_name(desk: Desk) -> str:
    """Browsers make no passkey for a bare address."""
    return desk.site.url.replace("127.0.0.1", "localhost")


def with_device(page: Page) -> Page:
    """Give this page's browser an authenticator that always says yes."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


def guarded(desk: Desk, **needs: Any) -> ApprovalRequest:
    return desk.request(needs=Requirements(friction=Friction.SECOND_FACTOR, **needs))


def type_password(page: Page) -> None:
    page.get_by_label("User name").fill("reviewer")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_passkey_is_made_signs_in_and_confirms_a_decision(desk: Desk, reviewer: User) -> None:
    request = guarded(desk)
    page = with_device(desk.context_for(None, by_name(desk)).new_page())
    page.goto("/accounts/login/?next=/settings/second-factor/passkeys/add/")
    type_password(page)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name").fill("Office key")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("cell", name="Office key", exact=True)).to_be_visible()
    made = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    assert made.user_id == reviewer.pk

    # Added in this session, it has confirmed nothing yet.
    page.goto(f"/requests/{request.pk}/?tab=team")
    expect(page.locator("#second-factor-note")).to_contain_text("asks for your second factor")
    verdict(page).click()
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(title(page)).to_have_text("Refund €20.00 to Acme GmbH")
    expect(page.locator("#second-factor-note")).to_contain_text("Confirmed with your passkey")
    verdict(page).click()
    desk.becomes(request, "approved")
    assert Vote.objects.get(request=request).second_factor == "passkey"

    # Without a password.
    page.goto("/settings/")
    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("#live-pill")).to_have_text("Live")

    # As the second step after the password.
    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    type_password(page)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.locator("#live-pill")).to_have_text("Live")


def test_a_cancelled_passkey_says_so_and_changes_nothing(desk: Desk, reviewer: User) -> None:
    give_app(reviewer)
    page = desk.context_for(None, by_name(desk)).new_page()
    page.goto("/accounts/login/")
    page.evaluate(
        "() => { navigator.credentials.get = async () => "
        "{ throw new DOMException('', 'NotAllowedError'); }; }"
    )
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("[data-passkey-problem]")).to_contain_text("it was cancelled")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


def test_what_was_typed_stands_in_its_fields_after_the_confirmation(
    desk: Desk, reviewer: User
) -> None:
    give_app(reviewer)
    request = guarded(desk)
    page = desk.open(reviewer, request, "&mode=edit")
    page.get_by_role("textbox", name="Amount").fill("17.50")
    verdict(page, "edit").click()
    page.get_by_label("Code").fill(code())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("textbox", name="Amount")).to_have_value("17.50")
    expect(page.locator("#second-factor-note")).to_contain_text("Confirmed with your authenticator")


def test_without_javascript_a_code_confirms_and_one_more_press_decides(
    desk: Desk, reviewer: User
) -> None:
    give_app(reviewer)
    request = guarded(desk)
    page = desk.context_for(reviewer, desk.site.url, java_script_enabled=False).new_page()
    page.goto(f"/requests/{request.pk}/?tab=team")
    verdict(page).click()
    page.get_by_label("Code").fill(code())
    page.get_by_role("button", name="Confirm").click()
    expect(title(page)).to_be_visible()
    verdict(page).click()
    desk.becomes(request, "approved")


@pytest.mark.timeout(400)
@looks_at(
    "second-factor",
    "second-factor-confirm",
    "second-factor-app-add",
    "second-factor-passkey-add",
    "second-factor-passkey-edit",
    "second-factor-remove",
    "second-factor-codes",
    "password-confirm",
    "mfa_authenticate",
    "person-factors-reset",
)
def test_the_pages_are_sound_in_both_themes_and_on_a_phone(
    desk: Desk, reviewer: User, second_reviewer: User, admin: User, troubles: Troubles
) -> None:
    troubles.expect("status of 422")
    app = give_app(second_reviewer)
    asks = guarded(desk)
    found: list[str] = []

    def look(page: Page, path: str = "") -> None:
        if path:
            page.goto(path)
        expect(page.locator("h1").first).to_be_visible()
        found.extend(troubles_of(page, (View("light", DESK), View("dark", 390))))

    page = desk.context_for(reviewer, by_name(desk)).new_page()
    for path in (SETTINGS, f"{SETTINGS}confirm/", f"{SETTINGS}password/", "/settings/"):
        look(page, path)
    look(page, f"/requests/{asks.pk}/?tab=team")
    page.goto(f"{SETTINGS}password/?next={SETTINGS}app/")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    look(page)
    look(page, f"{SETTINGS}passkeys/add/")

    page = with_device(desk.context_for(second_reviewer, by_name(desk)).new_page())
    look(page, f"{SETTINGS}confirm/?next={SETTINGS}")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Confirm").click()
    look(page)
    page.get_by_label("Code").fill(code())
    page.get_by_role("button", name="Confirm").click()
    look(page)
    for path in (f"{app.pk}/remove/", "codes/"):
        look(page, f"{SETTINGS}{path}")
    page.get_by_role("button", name="Make the codes").click()
    expect(page.get_by_role("list", name="Recovery codes")).to_be_visible()
    look(page)
    page.goto(f"{SETTINGS}passkeys/add/")
    page.get_by_label("Name").fill("A key with a long name that somebody gave it")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("link", name="Rename").first).to_be_visible()
    look(page)
    page.get_by_role("link", name="Rename").first.click()
    look(page)
    look(page, f"/requests/{asks.pk}/?tab=team")

    page = desk.context_for(None, by_name(desk)).new_page()
    look(page, "/accounts/login/")
    page.get_by_label("User name").fill("second-reviewer")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_label("Code")).to_be_visible()
    look(page)

    page = desk.context_for(admin, by_name(desk)).new_page()
    look(page, f"/people/{second_reviewer.pk}/")
    page.goto(f"{SETTINGS}password/?next=/people/{second_reviewer.pk}/second-factor/reset/")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Reset it")).to_be_visible()
    look(page)
    assert found == []
