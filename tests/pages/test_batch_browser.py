"""Several requests ticked and decided together, in a real browser."""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.schemas import Requirements
from approvals.vocabulary import Risk
from tests.approvals.till import refund
from tests.harness.looks import DESK, EVERY_VIEW, View, looks_at, troubles_of
from tests.pages.live_desk import Desk, row, title


def safe(desk: Desk, amount: str, **more: str) -> ApprovalRequest:
    """A refund of medium risk: it may stand in a batch."""
    return desk.request(amount=amount, action=refund(amount, risk=Risk.MEDIUM, **more))


def in_order(*requests: ApprovalRequest) -> None:
    """Let lists show them in this order."""
    for hours, request in enumerate(requests, start=1):
        soon = timezone.now() + timedelta(hours=hours)
        ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=soon)


def box(page: Page, request: ApprovalRequest) -> Locator:
    return row(page, request).get_by_role("checkbox")


def count(page: Page) -> Locator:
    return page.locator("[data-batch-count]")


def test_rows_are_selected_by_key_and_range_and_stay_so_while_the_list_changes(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    first, second, third, fourth = (safe(desk, f"{n}0.00") for n in range(1, 5))
    risky = desk.request(amount="50.00")
    other = safe(desk, "60.00", tool="charge")
    in_order(first, second, third, fourth, risky, other)
    page = desk.page(reviewer)
    bar = page.locator("#batch-form")
    expect(bar).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(box(page, first)).to_be_checked()
    expect(count(page)).to_have_text("1 selected")
    expect(bar).to_be_visible()
    # What does not go with it says so, and a box that cannot be ticked does nothing.
    expect(row(page, risky)).to_contain_text("one by one: high risk")
    expect(row(page, other).locator(".row-apart")).to_be_visible()
    expect(box(page, other)).to_be_disabled()
    box(page, fourth).click(modifiers=["Shift"])
    expect(count(page)).to_have_text("4 selected")
    box(page, second).click()
    expect(count(page)).to_have_text("3 selected")
    # Keys work on from a box, and the list goes on living under what is ticked.
    page.keyboard.press("k")
    expect(row(page, first).locator("a")).to_be_focused()
    desk.decide(third, second_reviewer)
    safe(desk, "70.00")
    expect(row(page, third)).to_have_class("row closed")
    expect(page.locator("#new-rows")).to_contain_text("1 new")
    expect(count(page)).to_have_text("2 selected")
    page.keyboard.press(".")
    expect(page.locator("#rows > .row")).to_have_count(6)
    page.keyboard.press("o")
    expect(title(page)).to_have_text("Refund €10.00 to Acme GmbH")
    expect(box(page, first)).to_be_checked()
    expect(box(page, fourth)).to_be_checked()
    expect(count(page)).to_have_text("2 selected")
    page.keyboard.press("x")
    expect(count(page)).to_have_text("1 selected")
    expect(box(page, fourth)).to_be_checked()


def test_a_row_that_is_decided_alone_says_why_when_it_is_selected_by_key(
    desk: Desk, reviewer: User
) -> None:
    risky = desk.request(amount="50.00")
    page = desk.page(reviewer)
    why = row(page, risky).locator(".row-alone")
    expect(why).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(why).to_be_visible()
    expect(page.locator("#live-region")).to_contain_text("one by one: high risk")
    expect(page.locator("#batch-form")).to_be_hidden()


def test_several_are_approved_together_and_each_says_what_came_of_it(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    first, second, third = (safe(desk, f"{n}0.00") for n in range(1, 4))
    page = desk.page(reviewer)
    for request in (first, second, third):
        box(page, request).check()
    page.get_by_role("button", name="Approve…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve together")
    expect(page.locator(".batch-item")).to_have_count(3)
    for amount in ("10.00", "20.00", "30.00"):
        expect(page.locator(".arguments", has_text=amount)).to_be_visible()
    desk.decide(second, second_reviewer, "reject", reason="No.")
    page.get_by_role("button", name="Approve what is ticked").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 of 3 verdicts counted")
    lines = page.locator(".batch-list li")
    expect(lines.nth(1)).to_contain_text("Rejected by second-reviewer")
    desk.becomes(first, "approved")
    desk.becomes(third, "approved")
    # Sent again by a reload: the same answers, and nothing is decided twice.
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 of 3 verdicts counted")
    assert first.votes.count() == 1


@looks_at("inbox-batch")
def test_nothing_is_wrong_with_the_pages_of_a_batch_in_either_theme_nor_on_a_phone(
    desk: Desk, reviewer: User
) -> None:
    first, second = safe(desk, "10.00"), safe(desk, "20.00")
    risky = desk.request(amount="30.00", needs=Requirements(undo_seconds=30))
    page = desk.page(reviewer)
    for request in (first, second):
        box(page, request).check()
    expect(page.locator("#batch-form")).to_be_visible()
    assert troubles_of(page, (View("light", DESK), View("dark", DESK))) == []
    page.goto(f"/inbox/batch/?verdict=reject&tab=team&id={first.pk}&id={second.pk}&id={risky.pk}")
    assert troubles_of(page, EVERY_VIEW) == []
    page.get_by_label("Wrong amount").check()
    page.get_by_role("button", name="Reject what is ticked").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 of 2 verdicts counted")
    assert troubles_of(page, EVERY_VIEW) == []


def test_several_are_selected_and_decided_with_javascript_off(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    first, second, stale = (safe(desk, f"{n}0.00") for n in (1, 2, 4))
    risky = desk.request(amount="30.00")
    page = desk.context_for(reviewer, desk.site.url, java_script_enabled=False).new_page()
    page.goto("/inbox/")
    bar = page.locator("#batch-form")
    expect(bar).to_be_hidden()
    box(page, first).check()
    box(page, second).check()
    box(page, stale).check()
    expect(bar).to_be_visible()
    expect(row(page, risky)).to_contain_text("one by one: high risk")
    page.get_by_role("button", name="Approve…").click()
    desk.decide(stale, second_reviewer, "reject", reason="No.")
    page.get_by_role("button", name="Approve what is ticked").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 of 3 verdicts counted")
    expect(page.locator(".batch-list")).to_contain_text("Rejected by second-reviewer")
    expect(page).to_have_url(re.compile(r"/inbox/batch/$"))
    desk.becomes(first, "approved")
    desk.becomes(second, "approved")
