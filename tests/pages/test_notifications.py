"""Desktop notifications: asked for, one for all, without a title, and gone when they are seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from accounts.models import User
from tests.harness.browser import ARGUMENTS, WHOLE, installed_chromium
from tests.pages.live_desk import Desk, row

UNSEEN = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
NOTED = """() => {
  window.notified = [];
  const Real = window.Notification;
  window.Notification = class extends Real {
    constructor(title, options) {
      super(title, options);
      window.notified.push(title);
    }
    close() {
      super.close();
      window.notified.push("closed");
    }
  };
}"""


@pytest.fixture
def browser(browser: Browser) -> Iterator[Browser]:
    """A whole Chromium: the one that draws for no screen refuses every notification."""
    kind = browser.browser_type
    path = installed_chromium(WHOLE) or kind.executable_path
    whole = kind.launch(executable_path=path, args=ARGUMENTS)
    yield whole
    whole.close()


def test_one_notification_says_how_much_came_while_nobody_looked_and_goes_with_it(
    desk: Desk, reviewer: User, second_reviewer: User
) -> None:
    context = desk.context_for(reviewer, desk.site.url, permissions=["notifications"])
    page = context.new_page()
    page.add_init_script(f"({NOTED})()")
    page.goto("/inbox/?tab=team")
    expect(page.locator("#live-pill")).to_have_text("Live")
    page.evaluate(UNSEEN, True)
    unasked = desk.request(amount="20.00")
    expect(row(page, unasked)).to_be_visible()
    # Allowed by the browser is not asked for by the reader.
    assert page.evaluate("window.notified") == []
    page.goto("/settings/")
    expect(page.locator("#notifications-state")).to_have_text("Off in this browser.")
    page.locator("#notifications-button").click()
    expect(page.locator("#notifications-state")).to_have_text("On in this browser.")
    page.goto("/inbox/?tab=team")
    expect(page.locator("#live-pill")).to_have_text("Live")
    page.evaluate(UNSEEN, True)
    first = desk.request(amount="30.00")
    page.wait_for_function("() => window.notified.at(-1) === 'One new request waits for you'")
    second = desk.request(amount="40.00")
    page.wait_for_function("() => window.notified.at(-1) === '2 new requests wait for you'")
    assert not any("Refund" in title for title in page.evaluate("window.notified"))
    desk.decide(first, second_reviewer)
    page.wait_for_function("() => window.notified.at(-1) === 'One new request waits for you'")
    desk.decide(second, second_reviewer)
    page.wait_for_function("() => window.notified.at(-1) === 'closed'")
    desk.request(amount="50.00")
    page.wait_for_function("() => window.notified.at(-1) === 'One new request waits for you'")
    page.evaluate(UNSEEN, False)
    page.wait_for_function("() => window.notified.at(-1) === 'closed'")


def test_a_browser_that_was_told_no_says_so_where_notifications_are_asked_for(
    desk: Desk, reviewer: User
) -> None:
    page = desk.context_for(reviewer, desk.site.url).new_page()
    protocol = page.context.new_cdp_session(page)
    profile = protocol.send("Target.getTargetInfo")["targetInfo"]["browserContextId"]
    refused = {"permission": {"name": "notifications"}, "setting": "denied"}
    protocol.send("Browser.setPermission", {**refused, "browserContextId": profile})
    page.goto("/settings/")
    expect(page.locator("#notifications-state")).to_contain_text("Blocked.")
    expect(page.locator("#notifications-button")).to_be_hidden()
    asked = {**refused, "setting": "prompt", "browserContextId": profile}
    protocol.send("Browser.setPermission", asked)
    expect(page.locator("#notifications-button")).to_be_visible()
    expect(page.locator("#notifications-state")).to_contain_text("Off in this browser.")
    assert page.evaluate("Object.keys(localStorage)") == []
