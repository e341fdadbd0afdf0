"""Pages as people set their eyes and hands to them: by Tab alone, without motion, in forced colours, at 200 %, printed.

Each page is loaded once and looked at in every way.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from agents.models import Run
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from approvals.services.drafts import begin_draft
from approvals.services.policies import current
from approvals.vocabulary import Risk
from audit.models import Event
from demo.agents import refund_desk
from tests.harness.people import person
from tests.harness.stack import Stack

expect.set_options(timeout=20_000)
WIDE, ZOOMED = {"width": 1280, "height": 800}, {"width": 640, "height": 400}
MOST_STOPS = 400

MOVING = """() => [...document.querySelectorAll("*")].filter((element) => {
  const style = getComputedStyle(element);
  return style.animationName !== "none" || style.transitionDuration.split(",").some((time) => parseFloat(time) > 0);
}).map((element) => element.outerHTML.slice(0, 120)).slice(0, 3)"""

# Text that its box cuts off without saying so.
CUT = """() => [...document.querySelectorAll("main *")].filter((element) => {
  const style = getComputedStyle(element);
  const isRead = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim());
  return isRead && element.checkVisibility() && element.clientWidth > 1 && style.textOverflow !== "ellipsis"
    && ["hidden", "clip"].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1;
}).map((element) => element.outerHTML.slice(0, 120)).slice(0, 3)"""
CHROME = ".rail, .banner.strip, .dock, .skip-link, dialog, .request-back, .audit-filter, .back"
WIDTH = "document.documentElement.scrollWidth"

# Where Tab has come to: what is wrong with it, if anything. `last` is kept on the window.
STOP = """() => {
  const here = document.activeElement;
  const last = window.lastStop;
  if (!here || here === document.body) return { over: true };
  if (window.firstStop === here) return { over: true };
  window.firstStop ??= here;
  // The parts of a date are one control, whose own ring the browser draws.
  if (last === here) return { over: false, wrong: [] };
  window.lastStop = here;
  const wrong = [];
  const style = getComputedStyle(here);
  const box = here.getBoundingClientRect();
  if (!here.matches(":focus-visible")) wrong.push("focus is not shown");
  if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) wrong.push("no outline");
  if (box.width < 2 || box.height < 2) wrong.push("nothing to be seen");
  if (box.bottom <= 0 || box.right <= 0 || box.top >= innerHeight || box.left >= innerWidth) wrong.push("out of sight");
  if (here.tabIndex > 0) wrong.push("jumps the order");
  if (last && !(last.compareDocumentPosition(here) & Node.DOCUMENT_POSITION_FOLLOWING)) wrong.push("goes back");
  return { over: false, wrong: wrong.map((each) => `${each}: ${here.outerHTML.slice(0, 140)}`) };
}"""
NAMELESS = re.compile(
    r"^\s*- (?:button|link|textbox|searchbox|checkbox|radio|combobox|slider|spinbutton)(?:$|:| \[)",
    re.MULTILINE,
)


def moving(page: Page) -> list[str]:
    """What would move although the person asked for no motion."""
    page.emulate_media(reduced_motion="reduce")
    found: list[str] = page.evaluate(MOVING)
    page.emulate_media(reduced_motion="no-preference")
    return [f"moves: {each}" for each in found]


def unseen_by_tab(page: Page) -> list[str]:
    """What is wrong with the way from one control to the next, from the first to the last."""
    page.evaluate("document.activeElement?.blur(), window.firstStop = window.lastStop = undefined")
    page.evaluate("scrollTo(0, 0)")
    found = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop["over"]:
            return found
        found += stop["wrong"]
    return [*found, "Tab never comes to the end"]


def nameless(page: Page) -> list[str]:
    """Controls that a screen reader would call by their kind alone."""
    return [
        f"no name: {each.strip()}"
        for each in NAMELESS.findall(page.locator("body").aria_snapshot())
    ]


def cut_when_zoomed(page: Page) -> list[str]:
    """What cannot be read at 200 %, or makes the page scroll sideways."""
    page.set_viewport_size(ZOOMED)
    wide = page.evaluate(WIDTH)
    found = [f"cut: {each}" for each in page.evaluate(CUT)]
    page.set_viewport_size(WIDE)
    return [*found, *([f"{wide} wide at 200 %"] if wide > ZOOMED["width"] else [])]


def unmarked_in_forced_colours(page: Page) -> list[str]:
    """What only colour would say where the person forces their own."""
    page.emulate_media(forced_colors="active")
    found: list[str] = page.evaluate(
        """() => {
          const wrong = [];
          const outlined = (element) => getComputedStyle(element).outlineStyle !== "none";
          for (const current of document.querySelectorAll(".nav-item[aria-current], .row-link[aria-current]")) {
            if (!outlined(current)) wrong.push(`not marked: ${current.outerHTML.slice(0, 120)}`);
          }
          for (const glyph of document.querySelectorAll("main .glyph")) {
            if (!glyph.textContent.trim()) wrong.push("a risk without its glyph");
          }
          for (const chip of document.querySelectorAll("main .chip")) {
            const { borderTopStyle } = getComputedStyle(chip);
            if (chip.checkVisibility() && borderTopStyle === "none") wrong.push("a chip without an edge");
          }
          return wrong;
        }"""
    )
    page.emulate_media(forced_colors="none")
    return found


def chrome_in_print(page: Page) -> list[str]:
    """What stands on paper and is of no use there, and what is cut off."""
    page.emulate_media(media="print")
    found: list[str] = page.evaluate(
        """(chrome) => [...document.querySelectorAll(chrome)].filter((element) => element.checkVisibility())
            .map((element) => `printed: ${element.className}`)""",
        CHROME,
    )
    found += [f"cut on paper: {each}" for each in page.evaluate(CUT)]
    page.emulate_media(media="screen")
    return found


def printed(page: Page) -> str:
    """The text that stands on paper."""
    page.emulate_media(media="print")
    text = str(page.locator("main").inner_text())
    page.emulate_media(media="screen")
    return text


@pytest.mark.timeout(400)
def test_every_way_of_looking_shows_the_whole_page(
    site: Stack,
    context_for: Callable[..., BrowserContext],
    operator: User,
    finance: ReviewGroup,
) -> None:
    roles = ("operator", "reviewer", "auditor", "admin")
    everybody: User = person("everybody", *roles, groups=(finance,))
    run, _ = start_run(
        agent="refund-desk",
        input=refund_desk.examples[0].input,
        caller=Caller.of_session(operator),
    )
    site.wait_for(
        lambda: Run.objects.filter(pk=run.pk, state="waiting").exists(), what="the run is waiting"
    )
    # Of a risk that may be decided with others, as the page of a batch shows it.
    ApprovalRequest.objects.filter(run_id=run.pk).update(risk=Risk.MEDIUM)
    request = ApprovalRequest.objects.get(run_id=run.pk)
    event = Event.objects.filter(request=request.pk).oldest_first().first()
    assert event is not None
    published = current()
    draft = begin_draft(
        document=published.policy.document(),
        base_version=published.version,
        caller=Caller.of_session(everybody),
    )
    page = context_for(everybody, site.url, viewport=WIDE, device_scale_factor=2).new_page()
    troubles: list[str] = []
    for path in (
        "/settings/",
        "/settings/keys/",
        "/agents/",
        "/agents/refund-desk/",
        "/policies/",
        "/runs/",
        f"/runs/{run.pk}/",
        "/audit/",
        f"/audit/events/{event.pk}/",
        "/insights/",
        "/people/",
        "/kill-switches/",
        f"/policies/drafts/{draft.pk}/",
        "/inbox/",
        f"/inbox/batch/?verdict=reject&tab=team&id={request.pk}",
        f"/requests/{request.pk}/",
    ):
        page.goto(path)
        expect(page.locator("#live-pill")).to_have_text("Live")
        found = [
            each
            for look in (
                moving,
                unseen_by_tab,
                nameless,
                cut_when_zoomed,
                unmarked_in_forced_colours,
                chrome_in_print,
            )
            for each in look(page)
        ]
        troubles += [f"{path} {each}" for each in found]
        if path.startswith("/audit/events/"):
            paper = printed(page)
            assert event.leaf_hex in paper
            assert event.type in paper
    # The last page is the request's: what it is decided on is on paper whole.
    paper = printed(page)
    for value in (request.digest, request.shown_sha256, *map(str, request.arguments.values())):
        assert value in paper, value
    assert not troubles, "\n".join(troubles)
