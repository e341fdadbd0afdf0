# ruff: noqa: F811 - fixtures of other tests are imported, and taken by name
"""Where no script runs: every page shows what it has and offers nothing that needs one, and all can be decided."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import User
from approvals.vocabulary import Risk
from tests.approvals.till import events_of, one_of, refund
from tests.harness.browser import Troubles
from tests.harness.stack import Stack
from tests.harness.without_script import needs_a_script
from tests.pages.live_desk import Desk, title, verdict
from tests.pages.test_every_page import Look, looks  # noqa: F401
from tests.pages.test_policy_looks import draft, paths  # noqa: F401

REFUSALS = {"400": 400, "403": 403, "404": 404}


@pytest.mark.timeout(400)
def test_the_pages_of_policies_do_as_well(
    site: Stack,
    paths: list[str],
    admin: User,
    context_for: Callable[..., BrowserContext],
) -> None:
    page = context_for(admin, site.url, java_script_enabled=False).new_page()
    found: list[str] = []
    for path in paths:
        page.goto(path)
        found += [f"{path}: {line}" for line in needs_a_script(page)]
    assert not found, "\n".join(found)


@pytest.mark.timeout(400)
def test_every_page_shows_and_offers_nothing_that_only_a_script_does(
    site: Stack,
    looks: list[Look],
    context_for: Callable[..., BrowserContext],
    troubles: Troubles,
) -> None:
    troubles.expect("status of (40[034]|429|500)")
    pages: dict[User | None, Page] = {}
    found: list[str] = []
    for look in looks:
        if look.who not in pages:
            context = context_for(look.who, site.url, java_script_enabled=False)
            pages[look.who] = context.new_page()
        page = pages[look.who]
        answer = page.goto(look.path)
        assert answer is not None
        if answer.status != REFUSALS.get(look.name, 200):
            found.append(f"{look.path} answers {answer.status}")
        if look.way is not None:
            look.way(page)
        expect(page.locator("main")).to_be_visible()
        found += [f"{look.path}: {line}" for line in needs_a_script(page)]
    assert not found, "\n".join(found)


def test_every_decision_is_made_by_forms_alone(
    desk: Desk, reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("status of 422")
    page = desk.context_for(reviewer, desk.site.url, java_script_enabled=False).new_page()
    standing = page.locator("#standing")

    # What is done around a decision.
    desk.request(amount="20.00")
    page.goto("/inbox/")
    page.get_by_role("link", name="Refund €20.00").click()
    page.get_by_role("button", name="Claim").click()
    page.get_by_role("button", name="Let go").click()
    expect(page.get_by_role("button", name="Claim")).to_be_visible()
    page.get_by_label("For how long").select_option(index=0)
    page.get_by_role("button", name="Snooze").click()
    page.get_by_role("button", name="Back to my lists").click()
    page.get_by_label("Comment").fill("Asked the shop.")
    page.get_by_role("button", name="Comment").click()
    expect(page.locator(".comment-text")).to_have_text("Asked the shop.")

    # The two refusals, each with its reason.
    for mode, button, state in (
        ("Reject", "reject", "rejected"),
        ("Send back", "send_back", "superseded"),
    ):
        refused = desk.request(amount="30.00")
        page.goto(f"/requests/{refused.pk}/?tab=team")
        page.get_by_role("link", name=mode).click()
        verdict(page, button).click()
        expect(page.locator(".dock .error, .dock .form-errors").first).to_be_visible()
        page.locator("#id_reason").fill("Not covered.")
        verdict(page, button).click()
        expect(standing).to_contain_text("Not covered.")
        desk.becomes(refused, state)

    # What is critical is typed; the approval is taken back in its time, and given again.
    critical = desk.request(
        action=refund("40.00", risk=Risk.CRITICAL), needs=one_of("support", undo_seconds=60)
    )
    page.goto(f"/requests/{critical.pk}/?tab=team")
    before = page.locator(".request-deadline").inner_text()
    page.get_by_role("button", name="Extend").click()
    expect(page.locator(".request-deadline")).not_to_have_text(before)
    for typed in ("Acme", "Acme GmbH"):
        expect(page.locator("#standing")).to_have_count(0)
        page.locator("#typed").fill(typed)
        verdict(page).click()
        if typed == "Acme":
            expect(page.locator("#typed-error")).to_be_visible()
    desk.becomes(critical, "approved")
    page.get_by_role("button", name="Take it back").click()
    desk.becomes(critical, "pending")
    expect(title(page)).to_be_visible()
    assert "request.extended" in events_of(critical)
