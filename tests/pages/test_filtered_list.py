"""A filtered list in the browser: found, walked, kept, saved; and a request that is put off by its key."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from accounts.models import User
from approvals.models import ApprovalRequest
from tests.harness.looks import View, troubles_of
from tests.pages.live_desk import Desk, grow_old, row, title

PHONE = {"width": 390, "height": 800}
ON_A_PHONE = (View("dark", 390), View("light", 390))
FILTERED = re.compile(r"tab=team&agent=front")
CLOSED = re.compile(r"\bclosed\b")
SHOWN_ANEW = """() => {
  const detail = { ...document.getElementById("request").dataset };
  document.dispatchEvent(new CustomEvent("request:shown", { detail }));
}"""


@pytest.mark.timeout(300)
def test_a_filtered_list_is_walked_to_its_end_and_found_again(desk: Desk, reviewer: User) -> None:
    first, second, other = (desk.request(amount=amount) for amount in ("20.00", "30.00", "40.00"))
    fit = ApprovalRequest.objects.filter(pk__in=[first.pk, second.pk])
    fit.update(agent="front", agent_title="Front desk")
    page = desk.page(reviewer)
    page.get_by_role("link", name="Filters").click()
    page.get_by_label("Agent", exact=True).select_option("Front desk")
    page.get_by_role("button", name="Show these").click()
    expect(page.locator(".filter-chips .chip").first).to_contain_text("Front desk")
    expect(page.locator(".row")).to_have_count(2)
    expect(page.locator("[data-count-of=team]")).to_have_text("3")
    row(page, first).locator("a").click()
    expect(page).to_have_url(FILTERED)
    grow_old(page)
    page.keyboard.press("a")
    page.get_by_role("link", name="Next").click()
    expect(title(page)).to_have_text("Refund €30.00 to Acme GmbH")
    expect(page).to_have_url(FILTERED)
    page.go_back()
    expect(title(page)).to_have_text("Refund €20.00 to Acme GmbH")
    expect(page.locator("#request")).to_have_attribute("data-state", "approved")
    # What arrives and does not fit stays out of the list, and is in the number.
    desk.request(amount="50.00")
    expect(page.locator("[data-count-of=team]")).to_have_text("3")
    expect(page.locator("#new-rows")).to_be_hidden()
    page.get_by_text("Save as a view…").click()
    page.get_by_label("Name of these filters").fill("The front desk's")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("The front desk's")
    page.goto("/inbox/")
    page.locator(".views > summary").click()
    page.get_by_role("link", name="The front desk's").click()
    expect(page.locator(".row")).to_have_count(1)
    expect(row(page, other)).to_have_count(0)


@pytest.mark.timeout(300)
def test_a_request_is_put_off_by_its_key_and_on_a_phone_by_its_button(
    desk: Desk, reviewer: User
) -> None:
    request = desk.request(amount="20.00")
    page = desk.open(reviewer, request)
    page.get_by_label("For how long").select_option("4 hours")
    title(page).focus()
    page.keyboard.press("s")
    expect(page.locator(".request-tags")).to_contain_text("Snoozed until")
    expect(page.locator("[data-count-of=snoozed]")).to_have_text("1")
    expect(page.locator("[data-count-of=team]")).to_have_text("0")
    listed = row(page, request)
    expect(listed).to_have_class(CLOSED)
    # Shown anew, as after a hint, it is as far out of the list as before.
    listed.locator(".row-sub").evaluate("sub => { sub.textContent = '' }")
    page.evaluate(SHOWN_ANEW)
    expect(listed).to_have_class(CLOSED)
    expect(listed).to_contain_text("Snoozed")
    # Not a letter of what is being written.
    page.locator("#comment-text").press("s")
    expect(page.locator(".request-tags")).to_contain_text("Snoozed until")
    page.locator("#comment-text").fill("")
    title(page).focus()
    page.keyboard.press("s")
    expect(page.locator(".request-tags")).not_to_contain_text("Snoozed until")
    expect(page.locator("[data-count-of=team]")).to_have_text("1")
    phone = desk.open(reviewer, request, viewport=PHONE, has_touch=True)
    assert troubles_of(phone, ON_A_PHONE) == []
    phone.get_by_role("button", name="Snooze").tap()
    expect(phone.locator(".request-tags")).to_contain_text("Snoozed until")
    assert troubles_of(phone, ON_A_PHONE) == []
