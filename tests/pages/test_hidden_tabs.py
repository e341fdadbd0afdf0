"""A tab that nobody looks at keeps its notification true, and takes it along."""

from __future__ import annotations

from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from accounts.models import SignedIn, User
from accounts.services.end_sessions import end_other_sessions
from tests.approvals.till import by
from tests.pages.live_desk import Desk, Line
from tests.pages.test_notifications import UNSEEN

MINUTE_MS = 60_000
#: Says what a browser would show: one that draws for no screen shows nothing, and refuses all of it.
SHOWN = """() => {
  window.notified = [];
  window.Notification = class extends EventTarget {
    static permission = "granted";
    static requestPermission = async () => "granted";
    constructor(title) {
      super();
      this.note(title);
    }
    close() {
      this.note("closed");
    }
    note(what) {
      window.notified.push(what);
      sessionStorage.setItem("notified", what);
    }
  };
}"""


def test_what_is_decided_while_the_tab_is_hidden_is_told_no_more_also_where_its_hint_is_lost(
    desk: Desk,
    reviewer: User,
    second_reviewer: User,
) -> None:
    page = desk.context_for(reviewer, desk.site.url).new_page()
    page.add_init_script(f"({SHOWN})()")
    line = Line(page)
    page.goto("/settings/")
    page.locator("#notifications-button").click()
    page.clock.install()
    page.goto("/inbox/?tab=team")
    expect(page.locator("#live-pill")).to_have_text("Live")
    page.evaluate(UNSEEN, True)

    def told(last: str) -> None:
        page.wait_for_function("last => window.notified.at(-1) === last", arg=last)

    # By the hint, as a rule.
    first = desk.request(amount="20.00")
    told("One new request waits for you")
    desk.decide(first, second_reviewer)
    told("closed")
    # By itself, where the hint is lost on its way.
    second = desk.request(amount="30.00")
    told("One new request waits for you")
    line.is_deaf = True
    desk.decide(second, second_reviewer)
    page.clock.fast_forward(MINUTE_MS)
    told("closed")
    line.is_deaf = False
    # Nobody keeps it true any more: whoever reads here is signed out elsewhere, or the tab goes away.
    desk.request(amount="40.00")
    told("One new request waits for you")
    page.goto("/settings/")
    page.wait_for_function("() => sessionStorage.getItem('notified') === 'closed'")
    page.goto("/inbox/?tab=team")
    expect(page.locator("#live-pill")).to_have_text("Live")
    page.evaluate(UNSEEN, True)
    desk.request(amount="50.00")
    told("One new request waits for you")
    for session in Session.objects.all():
        SignedIn.objects.create(session=session, user=reviewer)
    end_other_sessions(keep="", caller=by(reviewer))
    told("closed")
    expect(page.locator("#live-pill")).to_have_text("Signed out")
