# ruff: noqa: F811 - fixtures of other tests are imported, and taken by name
"""Every hostile text at once, in a real browser: drawn with its marks, run by nobody, wider than no screen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from accounts.callers import Caller
from accounts.models import User
from approvals.services.comment import comment
from audit.models import Event
from tests.agents.conftest import Counter
from tests.approvals.conftest import bystanders, opened, till  # noqa: F401
from tests.approvals.hostile import HOSTILE, MARKER, UNSEEN
from tests.harness.looks import DESK, PHONE, View, show, sticks_out
from tests.harness.people import person
from tests.model_server import call, completion
from tests.pages.live_desk import Desk, desk  # noqa: F401

VIEWS = (View("light", DESK), View("dark", PHONE))
EVERYTHING = "\n".join(HOSTILE.values())


def looked_at(page: Page, path: str) -> None:
    """Open the page with all its folds; fail for what ran, what cannot be seen, what is too wide."""
    page.goto(path)
    expect(page.locator("#live-pill")).to_be_visible()
    page.evaluate(
        "document.querySelectorAll('main details')"
        ".forEach((fold) => { fold.name = ''; fold.open = true })"
    )
    expect(page.locator(".step-raw-body:not([data-kept])")).to_have_count(0)
    for scheme, width in VIEWS:
        show(page, scheme, width)
        assert page.evaluate(f"window.{MARKER} === undefined"), path
        live = page.locator("main img, main svg[onload], main [onfocus], main style")
        assert live.count() == 0, path
        assert sticks_out(page) == [], path
        shown = page.evaluate("document.body.innerText") + page.title()
        assert not set(UNSEEN) & set(shown), path


@pytest.mark.timeout(600)
def test_hostile_texts_are_drawn_and_do_nothing_in_both_themes_and_on_a_phone(
    desk: Desk, counter: Counter, reviewer: User
) -> None:
    seer = person("seer", "reviewer", "auditor", groups=tuple(reviewer.review_groups.all()))
    given = {"account": EVERYTHING, "amount": "1.00", "confidence": 0.9, "rationale": EVERYTHING}
    proposed = completion({"content": EVERYTHING, "tool_calls": [call("pay", given)]})
    run = counter.start([proposed], text=EVERYTHING)
    request = counter.request(run)
    comment(request_id=request.pk, body=EVERYTHING[:5_000], caller=Caller.of_session(seer))
    event = Event.objects.get(type="request.commented")
    paths = {
        "/inbox/": ("main .revealed", 5),
        f"/requests/{request.pk}/": ("#arguments .revealed", 20),
        f"/requests/{request.pk}/?mode=edit": ("#edit-fields .revealed", 20),
        f"/runs/{run.pk}/": ("#step-2 .revealed", 20),
        f"/runs/{run.pk}/steps/2/": ("main .revealed", 20),
        "/runs/": ("main .revealed", 1),
        f"/audit/events/{event.pk}/?disclosures=shown": ("main .revealed", 20),
    }
    page = desk.context_for(seer, desk.site.url).new_page()
    page.set_default_navigation_timeout(60_000)
    for path, (marks, least) in paths.items():
        looked_at(page, path)
        assert page.locator(marks).count() >= least, path
    page.goto(f"/requests/{request.pk}/")
    warnings = page.locator("[data-address-warning]")
    for scheme, width in VIEWS:
        show(page, scheme, width)
        assert "xn--pypal-4ve.com" in " ".join(warnings.all_inner_texts())
