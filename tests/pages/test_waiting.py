"""What a pane shows while an answer is on its way, in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Route, expect

from accounts.models import User
from approvals.models import ApprovalRequest
from tests.harness.browser import Troubles
from tests.harness.looks import DESK, View, troubles_of
from tests.pages.live_desk import Desk, posts, row, title, verdict

PHONE = {"width": 390, "height": 800}


class Held:
    """The request's page and the claim on it are answered when the test says so."""

    def __init__(self, page: Page, request: ApprovalRequest) -> None:
        self.routes: list[Route] = []
        page.route(re.compile(rf"/{request.pk}/(claim/)?(\?|$)"), self._hold)

    def _hold(self, route: Route) -> None:
        self.routes.append(route)

    def let_go(self) -> None:
        for route in self.routes:
            route.continue_()
        self.routes.clear()

    def cut(self) -> None:
        self.routes.pop(0).abort("connectionrefused")


def test_an_answer_that_takes_its_time_is_seen_to_be_on_its_way(
    desk: Desk, reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("ERR_CONNECTION_REFUSED|Failed to fetch")
    first, slow, other = (desk.request(amount=f"{n}0.00") for n in (2, 3, 4))
    page = desk.open(reviewer, first)
    held, pane = Held(page, slow), page.locator("#detail")
    sent = posts(page)
    row(page, slow).click()
    expect(pane).to_have_class(re.compile(r"\bwaiting\b"))
    expect(pane).to_have_attribute("aria-busy", "true")
    # What stood there is kept, and neither read nor pressed as if it were what was asked for.
    expect(title(page)).to_contain_text("€20.00")
    expect(title(page)).to_be_hidden()
    verdict(page).evaluate("(button) => button.click()")
    assert sent == []
    assert troubles_of(page, (View("light", DESK), View("dark", DESK)), within="#inbox") == []
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
    # Whoever goes elsewhere meanwhile gets that, and nothing afterwards takes its place.
    with page.expect_event("requestfailed", lambda gone: str(slow.pk) in gone.url):
        row(page, other).click()
    expect(title(page)).to_contain_text("€40.00")
    expect(title(page)).to_be_visible()
    expect(pane).not_to_have_attribute("aria-busy", "true")
    held.routes.clear()

    # Not reached, it says so over what stood there.
    row(page, slow).click()
    expect(pane).to_have_class(re.compile(r"\bwaiting\b"))
    held.cut()
    expect(page.locator("#problem")).to_be_visible()
    expect(title(page)).to_contain_text("€40.00")
    expect(title(page)).to_be_visible()
    row(page, slow).click()
    expect(pane).to_have_class(re.compile(r"\bwaiting\b"))
    held.let_go()
    expect(title(page)).to_contain_text("€30.00")
    expect(pane).not_to_have_class(re.compile("waiting"))

    # A change of what stands there leaves it in sight.
    page.locator("[data-claim] button").click()
    expect(pane).to_have_class(re.compile(r"\bworking\b"))
    expect(title(page)).to_be_visible()
    held.let_go()
    expect(page.locator("[data-claimed]")).to_be_visible()
    expect(pane).not_to_have_class(re.compile("working"))


def test_on_a_phone_the_list_gives_way_at_once_can_be_had_back_and_says_what_did_not_come(
    desk: Desk, reviewer: User, troubles: Troubles
) -> None:
    troubles.expect("ERR_CONNECTION_REFUSED|Failed to fetch")
    slow = desk.request(amount="30.00")
    page = desk.page(reviewer, viewport=PHONE)
    held = Held(page, slow)
    row(page, slow).click()
    expect(page.locator("#detail")).to_be_visible()
    expect(page.locator("#rows")).to_be_hidden()
    # Whoever does not want to wait for it goes back.
    page.locator("#inbox").get_by_role("link", name="Inbox").click()
    expect(page.locator("#live-pill")).to_have_text("Live")
    held.routes.clear()
    row(page, slow).click()
    expect(page.locator("#rows")).to_be_hidden()
    held.cut()
    expect(page.locator("#problem")).to_be_visible()
    expect(row(page, slow)).to_be_visible()
    row(page, slow).click()
    expect(page.locator("#detail")).to_be_visible()
    held.let_go()
    expect(title(page)).to_be_focused()
    expect(page.locator("#problem")).to_have_count(0)
