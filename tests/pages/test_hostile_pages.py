"""Every hostile text at once, in a real browser: drawn with its marks, run by nobody, wider than no screen."""

from __future__ import annotations

import socket

import pytest
from playwright.sync_api import Page, Response, expect

from accounts.callers import Caller
from accounts.models import User
from approvals.schemas import Message, Preview
from approvals.services.comment import comment
from audit.models import Event
from tests.agents.conftest import Counter
from tests.approvals.hostile import HOSTILE, MARKER, UNSEEN
from tests.harness.browser import Troubles
from tests.harness.looks import DESK, PHONE, View, show, sticks_out
from tests.harness.people import person
from tests.model_server import call, completion
from tests.pages.live_desk import Desk, verdict

VIEWS = (View("light", DESK), View("dark", PHONE))
EVERYTHING = "\n".join(HOSTILE.values())
#: A message that tries each way out of its frame. `{there}` is a server of somebody else's, which listens.
LETTER = """<!doctype html><html><head>
<base href="{there}/base/" target="_top"><meta http-equiv="refresh" content="0;url={there}/refresh">
<link rel="stylesheet" href="{there}/sheet.css"><link rel="prefetch" href="{there}/prefetch">
<style>@import url("{there}/import.css"); @font-face {{ font-family: f; src: url({there}/font.woff2) }}
body {{ position: fixed; inset: -5000px; width: 9999px; height: 9999px; padding: 5010px; z-index: 2147483647;
font-family: f; background: red url({there}/background.png) }}</style>
<script>window.{marker} = top.{marker} = 1; top.location = "{there}/script"</script>
<script src="{there}/script.js"></script></head>
<body onload="window.{marker} = 1" onpageshow="top.{marker} = 1"><p id="said">Your refund is on its way.</p>
<img src="{there}/pixel.png" onerror="window.{marker} = 1"><svg onload="window.{marker} = 1"></svg>
<video src="{there}/film.mp4" poster="{there}/poster.png" autoplay></video>
<input autofocus onfocus="window.{marker} = 1">
<iframe src="{there}/frame"></iframe><iframe srcdoc="<script>top.{marker} = 1</script>"></iframe>
<object data="{there}/object"></object><embed src="{there}/embed">
<p><a id="script-link" target="_self" href="javascript:window.{marker}=top.{marker}=1">one</a>
<a id="top-link" href="{there}/top">two</a> <a id="new-link" target="_blank" href="{there}/new">three</a>
<a id="self-link" target="_self" href="{there}/self" ping="{there}/ping">four</a></p>
<form action="{there}/form" method="post" target="_top"><input name="code" value="1">
<button id="send">five</button></form>
</body></html>"""
CLICKED = ("script-link", "top-link", "new-link", "send")
#: How the browser says that it held something back.
HELD = r"sandboxed|Content Security Policy|violates the following|Unsafe attempt|ERR_BLOCKED_BY_CSP|: csp$"


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
    desk: Desk, counter: Counter, reviewer: User, troubles: Troubles
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
    troubles.expect(HELD)
    shown_in_its_frame(desk, page)


def shown_in_its_frame(desk: Desk, page: Page) -> None:
    """The HTML of a message is drawn by the browser as it is; fail for what it runs, asks for, or where it leads."""
    answered: list[str] = []

    def note(response: Response) -> None:
        answered.append(response.url)

    page.on("response", note)
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        there = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
        html = LETTER.format(there=there, marker=MARKER)
        message = Message(to=("ada@example.org",), subject="Yours", html=html)
        request = desk.request(preview=Preview(title="Write to Ada", message=message))
        path = f"/requests/{request.pk}/?tab=team"
        page.goto(path)
        letter = page.frame_locator("iframe.letter-frame")
        expect(letter.locator("#said")).to_have_text("Your refund is on its way.")
        expect(page.locator("#live-pill")).to_have_text("Live")
        # What the letter covers is its frame: the verdict can be reached.
        verdict(page).click(trial=True)
        for name in CLICKED:
            letter.locator(f"#{name}").dispatch_event("click")
        frame = next(each for each in page.frames if each.url.endswith("/message/"))
        assert frame.evaluate(f"window.{MARKER} === undefined")
        assert page.evaluate(f"window.{MARKER} === undefined")
        # A frame may leave for elsewhere by itself: the page around it holds it back.
        with page.expect_event("framenavigated"):
            letter.locator("#self-link").dispatch_event("click")
        assert page.url == desk.site.url + path
        assert page.context.pages == [page]
        assert [url for url in answered if not url.startswith((desk.site.url, "data:"))] == []
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
