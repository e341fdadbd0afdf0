"""Single keys on pages other than the inbox: every list, the overlay, and the keys that a person chose."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.callers import Caller
from accounts.keymap import ACTIONS, DEFAULTS
from accounts.models import User
from accounts.services.set_keys import set_keys
from agents.services.start_run import start_run
from demo.agents import refund_desk
from tests.harness.people import person
from tests.harness.stack import Stack
from tests.pages.pressed_keys import Keys

expect.set_options(timeout=20_000)
ROWS = "main :is(tr.linked, .rules > li, .history > li):has(a[href])"
LINK = "a[href]"
LISTS = {
    # Its rows open beside the list: test_keys.py.
    "go_inbox": ("/inbox/", ""),
    "go_runs": ("/runs/", ROWS),
    "go_agents": ("/agents/", ROWS),
    "go_audit": ("/audit/", ROWS),
    # What changes a rule stands on the same page.
    "go_policies": ("/policies/", ".history > li"),
}
"""Where each key of a place leads, and the rows that are moved through there."""
AS_IF = """(init) => (document.activeElement ?? document.body).dispatchEvent(
  new KeyboardEvent("keydown", { key: "j", bubbles: true, cancelable: true, ...init }))"""


@pytest.fixture
def everybody(db: None) -> User:
    """Somebody who is led to every page."""
    return person("everybody", "operator", "reviewer", "auditor", "admin")


@pytest.fixture
def page(site: Stack, everybody: User, context_for: Callable[..., BrowserContext]) -> Page:
    """Their page, with two runs in the list."""
    for example in refund_desk.examples[:2]:
        start_run(agent="refund-desk", input=example.input, caller=Caller.of_session(everybody))
    return context_for(everybody, site.url).new_page()


def arrived(page: Page, url: str | re.Pattern[str]) -> None:
    """There, and the page's scripts listen: a key that is pressed before goes to nobody."""
    expect(page).to_have_url(url)
    expect(page.locator("#live-pill")).to_have_text("Live")


def test_every_list_is_moved_through_opened_and_left_by_keys(page: Page) -> None:
    page.goto("/settings/")
    expect(page.locator("#live-pill")).to_have_text("Live")
    keys = Keys(page)
    keys.read()
    for place in sorted(name for name in keys.shown if name.startswith("go_")):
        path, rows = LISTS[place]
        keys.go(place)
        arrived(page, re.compile(f"{path}$"))
        if not rows:
            continue
        links = [page.locator(rows).nth(at).locator(LINK).first for at in (0, 1)]
        urls = [re.compile(re.escape(str(link.get_attribute("href"))) + "$") for link in links]
        keys.press("next")
        expect(links[0]).to_be_focused()
        keys.press("next")
        expect(links[1]).to_be_focused()
        keys.press("previous")
        expect(links[0]).to_be_focused()
        keys.press("open")
        arrived(page, urls[0])
        keys.press("open_next")
        arrived(page, urls[1])
        keys.press("open_previous")
        arrived(page, urls[0])
        keys.press("back")
        arrived(page, re.compile(f"{path}$"))
        # The row that was left is where it goes on, and Enter opens it without any focus.
        keys.press("next")
        expect(links[1]).to_be_focused()
    keys.read()
    assert {name for name in ACTIONS if ACTIONS[name].group == "go"} <= keys.shown
    assert keys.missed("everywhere", "go", "list") == set()
    page.keyboard.press("?")
    overlay = page.locator("#key-help")
    for works in ("Next row", "Go to a page", "Audit", "Ctrl K"):
        expect(overlay).to_contain_text(works.replace("Ctrl K", "Ctrl"))
    for line in ("approve", "undo", "select", "digit"):
        expect(overlay.locator(f"[data-action={line}]")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(overlay).to_be_hidden()


def test_keys_of_ones_own_work_and_are_shown_and_those_that_are_off_do_nothing(
    page: Page, everybody: User
) -> None:
    page.goto("/settings/keys/")
    page.get_by_label("Next row", exact=True).fill("n")
    page.get_by_label("Go to a page").fill("\\")
    page.get_by_label("Let new rows in").fill("")
    page.get_by_role("button", name="Keep these keys").click()
    expect(page.locator("#messages")).to_contain_text("The keys are kept")
    page.goto("/runs/")
    expect(page.locator("#live-pill")).to_have_text("Live")
    first = page.locator(ROWS).first.locator(LINK).first
    page.keyboard.press("j")
    expect(first).not_to_be_focused()
    # None works while something is typed or composed, held down, or pressed with another key.
    page.locator("select").first.focus()
    page.keyboard.press("n")
    page.evaluate("document.activeElement.blur()")
    for init in ({"repeat": True}, {"isComposing": True}, {"keyCode": 229}, {"ctrlKey": True}):
        page.evaluate(AS_IF, {"key": "n", **init})
    for held in ("metaKey", "altKey", "shiftKey"):
        page.evaluate(AS_IF, {"key": "n", held: True})
    expect(first).not_to_be_focused()
    page.locator(".account summary").click()
    page.keyboard.press("n")
    expect(first).not_to_be_focused()
    page.get_by_role("button", name="Keys of this page").click()
    overlay = page.locator("#key-help")
    expect(overlay.locator("[data-action=next] kbd")).to_have_text("n")
    expect(overlay.locator("[data-action=go_runs] kbd")).to_have_text(["\\", "r"])
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    expect(overlay).to_be_hidden()
    expect(first).not_to_be_focused()
    page.keyboard.press("n")
    expect(first).to_be_focused()
    page.keyboard.press("\\")
    page.keyboard.press("a")
    expect(page).to_have_url(re.compile("/agents/$"))
    set_keys(off=True, keys=DEFAULTS, caller=Caller.of_session(everybody))
    page.goto("/runs/")
    expect(page.locator("#live-pill")).to_have_text("Live")
    for key in ("j", "Enter", "?", "g", "a"):
        page.keyboard.press(key)
    expect(page.locator(ROWS).first.locator(LINK).first).not_to_be_focused()
    expect(page).to_have_url(re.compile("/runs/$"))
    expect(overlay).to_be_hidden()


def test_on_a_phone_the_rail_is_whole_and_the_menu_leads_to_what_it_has_no_room_for(
    page: Page,
) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    page.goto("/people/")
    rail = page.locator(".rail nav")
    assert rail.evaluate("(nav) => nav.scrollWidth <= nav.clientWidth")
    expect(rail.get_by_role("link", name="Audit")).to_be_visible()
    expect(rail.get_by_role("link", name="People")).to_be_hidden()
    page.locator(".account summary").click()
    menu = page.locator(".menu-body")
    expect(menu.get_by_role("link", name="People")).to_have_attribute("aria-current", "page")
    menu.get_by_role("link", name="Kill switches").click()
    expect(page).to_have_url(re.compile("/kill-switches/$"))
    page.set_viewport_size({"width": 1280, "height": 780})
    expect(rail.get_by_role("link", name="People")).to_be_visible()
    page.locator(".account summary").click()
    expect(menu.get_by_role("link", name="People")).to_be_hidden()
