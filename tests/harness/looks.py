"""How a page looks: to axe, and to whoever has a narrow window; in both themes.

A page is loaded once and looked at in place: the theme follows the system's colours, and the layout the
window, without a script of ours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import NamedTuple, TypeVar, cast
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from axe_playwright_python.base import AXE_FILE_PATH
from django.urls import Resolver404, resolve
from playwright.sync_api import CDPSession, Page

#: Where each page's picture goes in both themes, at 1280 and 390; no pictures without it.
PICTURES = os.environ.get("PICTURES_OF_LOOKS")
PHONE, DESK, PICTURED_PHONE = 320, 1280, 390
AXE = Path(AXE_FILE_PATH).read_text()
#: A window up to this wide is held in the hand, and touched.
TOUCHED = 640
#: The smallest letters that are read, as they come out on the screen, in CSS pixels; of a drawing, as it is scaled.
LETTERS = 10
#: Height and width of what a finger presses, in CSS pixels; a field or a fold is at least as high.
FINGER = 44
#: How many pixels of the panes of a request are scrolled to.
HIDDEN = """() => Math.max(0, ...[...document.querySelectorAll(".request-scroll, .rows, .step-panel")]
    .map((pane) => pane.scrollHeight - pane.clientHeight))"""
#: What else a page answers with that is the page: a form that says what is wrong with what was sent.
IS_THE_PAGE = (200, 422)
#: How a page is touched, and whether it is; each page and theme that was looked at in this test.
_HANDS: WeakKeyDictionary[Page, tuple[CDPSession, bool]] = WeakKeyDictionary()
_seen: set[tuple[str, str]] = set()
Test = TypeVar("Test", bound=Callable[..., None])


class View(NamedTuple):
    """The system's colours, and the width of the window in CSS pixels."""

    scheme: str
    width: int


VIEWS = (View("light", PHONE), View("dark", DESK))
EVERY_VIEW = tuple(View(scheme, width) for scheme in ("light", "dark") for width in (DESK, PHONE))


#: Each takes what `troubles_of` gives and says what it finds, a line each; all are asked in one go.
MEASURES = {
    # The page is laid out wider than the window: what sticks out.
    "sticks_out": """({ width }) => {
        if (document.documentElement.scrollWidth <= width) return [];
        const out = [...document.querySelectorAll("main *")]
            .filter((element) => element.getBoundingClientRect().right > width + 1)
            .slice(0, 3).map((element) => `: ${element.outerHTML.slice(0, 160)}`);
        return (out.length ? out : [""]).map((line) => `wider than ${width}${line}`);
    }""",
    # The page scrolls though the inbox's panes fill the window and scroll by themselves.
    "scrolls_behind": """() => {
        const isFull = innerWidth > 1000 && document.querySelector(".inbox");
        const by = isFull ? document.documentElement.scrollHeight - innerHeight : 0;
        return by > 0 ? [`scrolls by ${by} behind its panes`] : [];
    }""",
    # Letters that nobody reads, such as those of a drawing that is narrower than it was drawn.
    "too_small": """({ letters }) => [...document.querySelectorAll("main *")].filter((element) => {
        const isRead = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim());
        if (!isRead || element.closest("[aria-hidden=true]") || !element.checkVisibility()) return false;
        const scale = element.getScreenCTM?.().a ?? 1;
        const size = parseFloat(getComputedStyle(element).fontSize) * scale;
        // Of no size at all is what only its glyph says.
        return size > 0 && size < letters;
    }).slice(0, 3).map((element) => `letters too small: ${element.outerHTML.slice(0, 140)}`)""",
    # Buttons that send no form: pressed, they do nothing. Those of the style guide are pictures of buttons.
    "dead": """() => [...document.querySelectorAll("main button[type=submit]")]
        .filter((button) => !button.form && !button.closest(".specimen"))
        .map((button) => `sends nothing: ${button.outerHTML.slice(0, 140)}`)""",
    # Values beside a long name that are left with a few letters a line, or words that their button cuts off.
    "squeezed": """() => [
        ...[...document.querySelectorAll("main dd")].filter(
            (value) => value.checkVisibility() && value.textContent.trim().length > 9 && value.clientWidth < 80),
        ...[...document.querySelectorAll("main .button")].filter(
            (button) => button.checkVisibility() && button.scrollWidth > button.clientWidth + 1),
    ].slice(0, 3).map((element) => `squeezed: ${element.outerHTML.slice(0, 140)}`)""",
    # Buttons, tabs, folds, fields and boxes that are smaller than a finger, and ways back that are.
    "hard_to_press": """({ finger, isTouched }) => {
        const pressed = "button, summary, a:is(.button, .tab, .brand, .nav-item), .back a, input, select, textarea";
        const wrong = [];
        for (const element of isTouched ? document.querySelectorAll(pressed) : []) {
            const ticked = element.matches("[type=checkbox], [type=radio]");
            const target = ticked && element.labels.length ? element.labels[0] : element;
            const { width, height } = target.getBoundingClientRect();
            const isSeen = target.checkVisibility({ visibilityProperty: true, opacityProperty: true });
            if (!isSeen || width < 2 || height < 2) continue;
            const isWide = width >= finger - 0.5 || element.matches(".back a") || ticked;
            if (height >= finger - 0.5 && isWide) continue;
            const size = `${Math.round(width)} by ${Math.round(height)}`;
            wrong.push(`${size} to press: ${element.outerHTML.slice(0, 140)}`);
        }
        return wrong;
    }""",
}
#: Controls that stick out of the field they stand in, so that they lie over their neighbours.
OUT_OF_PLACE = """() => [...document.querySelectorAll(".field :is(input, select, textarea)")].filter((element) => {
    const box = element.getBoundingClientRect();
    const field = element.closest(".field").getBoundingClientRect();
    return element.checkVisibility() && box.width > 2 && box.right > field.right + 1;
}).map((element) => `sticks out of its field: ${element.outerHTML.slice(0, 140)}`)"""
#: What axe finds, and then what is measured; null where axe is not there yet.
LOOK = (
    """async (given) => {
    if (typeof axe === "undefined") return null;
    // Colours that are on their way are nobody's: they are looked at where they arrive.
    document.getAnimations()
        .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
        .forEach((each) => each.finish());
    // What lies under a bar that stays is no smaller for that: it is scrolled out from there.
    const was = scrollY;
    scrollTo({top: 0, behavior: "instant"});
    // WCAG 2.2 asks for it at AA, and axe only when told to.
    const rules = {"target-size": {enabled: true}};
    const said = await axe.run(given.within ?? document, {resultTypes: ["violations"], rules});
    scrollTo({top: was, behavior: "instant"});
    const found = said.violations.flatMap((each) => each.nodes.map(
        (node) => `${each.id}: ${node.target} ${node.html.slice(0, 160)}`));
    return found.concat(...["""
    + ",".join(f"({each})" for each in MEASURES.values())
    + """].map((measure) => measure(given)));
}"""
)


def take_pictures(page: Page, folder: Path) -> None:
    """The whole page in both themes and widths, under the name of its address and of the test that looks: others
    look at the same address at the same time. Who looks wants to see it all."""
    folder.mkdir(parents=True, exist_ok=True)
    url = urlsplit(page.url)
    name = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", f"{url.path}{url.query}")
    name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80]
    test = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].removesuffix(" (call)")
    name = f"{name}-{re.sub('[^a-z0-9]+', '-', test.lower()).removeprefix('test-').strip('-')[:60]}"
    number = len(list(folder.glob(f"{name}-[0-9]*-light-1280.png")))
    was = page.evaluate("scrollY")
    for scheme in ("light", "dark"):
        for width in (DESK, PICTURED_PHONE):
            show(page, scheme, width)
            # What a pane scrolls by itself is seen in a window that is higher by that.
            hidden = page.evaluate(HIDDEN)
            page.set_viewport_size({"width": width, "height": 800 + hidden})
            # A bar that stays would be drawn where the page was scrolled to, in the middle of the picture.
            page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
            # Colours on their way would be in the picture.
            page.evaluate("document.getAnimations().forEach((each) => each.finish())")
            path = folder / f"{name}-{number}-{scheme}-{width}.png"
            page.screenshot(path=path, full_page=True, animations="disabled")
            page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("(top) => scrollTo({top, behavior: 'instant'})", was)


def troubles_of(
    page: Page, views: Iterable[View] = VIEWS, *, within: str | None = None
) -> list[str]:
    """All of that for the page as it stands, in each of the views; the last of them is left in place."""
    found = []
    if PICTURES:
        take_pictures(page, Path(PICTURES))
    for scheme, width in views:
        show(page, scheme, width)
        said = looked_over(page, within)
        # A wide screen may be touched as well, and what is made for fingers is larger.
        touch(page, True)
        said += page.evaluate(OUT_OF_PLACE)
        touch(page, width <= TOUCHED)
        found += [f"{page.url} ({scheme}, {width}): {line}" for line in said]
        _seen.add((name_of(page), scheme))
    return found


def looked_over(page: Page, within: str | None) -> list[str]:
    """What axe finds in the document, or in that part of it, and what is measured, a line each."""
    width = width_of(page)
    given = {
        "within": within,
        "width": width,
        "isTouched": width <= TOUCHED,
        "finger": FINGER,
        "letters": LETTERS,
    }
    found: list[str] | None = page.evaluate(LOOK, given)
    if found is None:
        page.evaluate(AXE)
        # What is opened after it brings it along, for half of what it costs to hand it in.
        page.add_init_script(AXE)
        found = page.evaluate(LOOK, given)
    assert found is not None
    return found


def sticks_out(page: Page) -> list[str]:
    """What of the page as it stands is wider than the window, a line each."""
    found: list[str] = page.evaluate(MEASURES["sticks_out"], {"width": width_of(page)})
    return found


def name_of(page: Page) -> str:
    """The name of the page's address; none where it was refused or could not be made, or has no name."""
    status = page.evaluate("performance.getEntriesByType('navigation')[0].responseStatus")
    try:
        found = resolve(urlsplit(page.url).path)
    except Resolver404:
        return ""
    return found.view_name if status in IS_THE_PAGE else ""


def looks_at(*names: str) -> Callable[[Test], Test]:
    """Say of a test at which pages it looks, by their names in the URL configuration; it fails when it does not.

    `tests/pages/test_every_page.py` reads from the source which pages are looked at elsewhere.
    """

    def held(test: Test) -> Test:
        @wraps(test)
        def run(*args: object, **kwargs: object) -> None:
            _seen.clear()
            test(*args, **kwargs)
            missed = {name for name in names if not {(name, "light"), (name, "dark")} <= _seen}
            assert not missed, f"not looked at in both themes: {', '.join(sorted(missed))}"

        return cast("Test", run)

    return held


def show(page: Page, scheme: str, width: int) -> None:
    """Let the page be seen in these colours, and as wide; a narrow window is one that is touched."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    touch(page, width <= TOUCHED)
    if width != width_of(page):
        page.set_viewport_size({"width": width, "height": 800})


def touch(page: Page, is_touched: bool) -> None:
    """Let the page be used with a finger, or with a mouse again."""
    hands, was = _HANDS.get(page) or (page.context.new_cdp_session(page), None)
    if was != is_touched:
        hands.send("Emulation.setTouchEmulationEnabled", {"enabled": is_touched})
    _HANDS[page] = hands, is_touched


def width_of(page: Page) -> int:
    """How wide the window is, in CSS pixels."""
    return page.viewport_size["width"] if page.viewport_size else 0
