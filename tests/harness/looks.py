"""How a page looks: to axe, and to whoever has a narrow window; in both themes.

A page is loaded once and looked at in place: the theme follows the system's colours, and the layout the
window, without a script of ours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

#: Where each page's picture goes in both themes, at 1280 and 390; no pictures without it.
PICTURES = os.environ.get("PICTURES_OF_LOOKS")
PHONE, DESK, PICTURED_PHONE = 320, 1280, 390
AXE = Path(AXE_FILE_PATH).read_text()


class View(NamedTuple):
    """The system's colours, and the width of the window in CSS pixels."""

    scheme: str
    width: int


VIEWS = (View("light", PHONE), View("dark", DESK))
EVERY_VIEW = tuple(View(scheme, width) for scheme in ("light", "dark") for width in (DESK, PHONE))


def violations(page: Page, within: str | None = None) -> list[str]:
    """What axe finds in the document, or in that part of it, a line each."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    found: list[str] = page.evaluate(
        """async (within) => {
            // Colours that are on their way are nobody's: they are looked at where they arrive.
            document.getAnimations()
                .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
                .forEach((each) => each.finish());
            const said = await axe.run(within ?? document, {resultTypes: ["violations"]});
            return said.violations.flatMap((each) => each.nodes.map(
                (node) => `${each.id}: ${node.target} ${node.html.slice(0, 160)}`));
        }""",
        within,
    )
    return found


def sticks_out(page: Page) -> list[str]:
    """The page is laid out wider than the window: what sticks out."""
    found: list[str] = page.evaluate(
        """(width) => {
            if (document.documentElement.scrollWidth <= width) return [];
            const out = [...document.querySelectorAll("main *")]
                .filter((element) => element.getBoundingClientRect().right > width + 1)
                .slice(0, 3).map((element) => `: ${element.outerHTML.slice(0, 160)}`);
            return (out.length ? out : [""]).map((line) => `wider than ${width}${line}`);
        }""",
        width_of(page),
    )
    return found


def scrolls_behind(page: Page) -> list[str]:
    """The page scrolls though a request's panes fill the window and scroll by themselves."""
    by = page.evaluate(
        "innerWidth > 1000 && document.querySelector('.request-scroll')"
        " ? document.documentElement.scrollHeight - innerHeight : 0"
    )
    return [f"scrolls by {by} behind its panes"] if by > 0 else []


def take_pictures(page: Page, folder: Path) -> None:
    """The whole page in both themes and widths, under the name of its address; who looks wants to see it all."""
    folder.mkdir(parents=True, exist_ok=True)
    url = urlsplit(page.url)
    name = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", f"{url.path}{url.query}")
    name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80]
    number = len(list(folder.glob(f"{name}-[0-9]*-light-1280.png")))
    for scheme in ("light", "dark"):
        for width in (DESK, PICTURED_PHONE):
            show(page, scheme, width)
            # Colours on their way would be in the picture.
            page.evaluate("document.getAnimations().forEach((each) => each.finish())")
            path = folder / f"{name}-{number}-{scheme}-{width}.png"
            page.screenshot(path=path, full_page=True, animations="disabled")


def troubles_of(
    page: Page, views: Iterable[View] = VIEWS, *, within: str | None = None
) -> list[str]:
    """All of that for the page as it stands, in each of the views; the last of them is left in place."""
    found = []
    if PICTURES:
        take_pictures(page, Path(PICTURES))
    for scheme, width in views:
        show(page, scheme, width)
        said = violations(page, within) + sticks_out(page) + scrolls_behind(page)
        found += [f"{page.url} ({scheme}, {width}): {line}" for line in said]
    return found


def show(page: Page, scheme: str, width: int) -> None:
    """Let the page be seen in these colours, and as wide."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    if width != width_of(page):
        page.set_viewport_size({"width": width, "height": 800})


def width_of(page: Page) -> int:
    """How wide the window is, in CSS pixels."""
    return page.viewport_size["width"] if page.viewport_size else 0
