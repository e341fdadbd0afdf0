"""Requests in real browsers: the web process alone, and requests that the test opens and decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request, WebSocketRoute, expect

from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.services.decide import decide
from tests.approvals.conftest import Opener
from tests.approvals.till import by, verdict_on
from tests.harness.stack import Stack

# What is waited for comes at once on an idle machine, and later on one that runs other tests.
expect.set_options(timeout=20_000)
OLD_ENOUGH = "() => performance.now() - window.shownAt > 450"
"""An item may be decided by a key 400 ms after it was rendered."""


@dataclass
class Desk:
    """`request` opens one, `open` shows it to somebody, `decide` decides past any page."""

    site: Stack
    request: Opener
    context_for: Callable[..., BrowserContext]

    def page(self, user: User, path: str = "/inbox/", **options: Any) -> Page:
        """A browser of that person's own, at `path`, connected."""
        page = self.context_for(user, self.site.url, **options).new_page()
        page.goto(path)
        expect(page.locator("#live-pill")).to_have_text("Live")
        return page

    def open(self, user: User, request: ApprovalRequest, query: str = "", **options: Any) -> Page:
        """The page of one request, old enough for every key."""
        page = self.page(user, f"/requests/{request.pk}/?tab=team{query}", **options)
        grow_old(page)
        return page

    def decide(
        self, request: ApprovalRequest, user: User, verdict: str = "approve", **body: Any
    ) -> None:
        """A verdict on the request as it stands, given elsewhere."""
        request.refresh_from_db()
        decide(
            request_id=request.pk, decision=verdict_on(request, verdict, **body), caller=by(user)
        )

    def becomes(self, request: ApprovalRequest, state: str) -> None:
        """Wait until the request is in that state."""
        states = ApprovalRequest.objects.filter(pk=request.pk).values_list("state", flat=True)
        self.site.wait_for(lambda: states.get() == state, 15, f"the request is {state}")


class Line:
    """A page's socket through the test's hands: it can be cut, and spoken into."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.is_up = True
        #: What the server says does not arrive, and the page is not told so.
        self.is_deaf = False
        self.sockets: list[WebSocketRoute] = []
        page.route_web_socket("**/ws/inbox/", self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        if not self.is_up:
            socket.close()
            return
        server = socket.connect_to_server()
        server.on_message(lambda said: None if self.is_deaf else socket.send(said))
        self.sockets.append(socket)

    def cut(self) -> None:
        self.is_up = False
        self.sockets[-1].close()

    def hint(self, request: ApprovalRequest, **more: Any) -> None:
        """As the server would: something happened to that request."""
        hint = {"topic": "request", "id": str(request.pk), "version": 99, "kind": "x"} | more
        self.sockets[-1].send(json.dumps(hint))


def grow_old(page: Page) -> None:
    """Let the time pass in which keys decide nothing."""
    page.evaluate("window.shownAt = performance.now()")
    page.wait_for_function(OLD_ENOUGH)


def posts(page: Page) -> list[str]:
    """The addresses that this page posts to from now on; not that it is open, which it says by itself."""
    seen: list[str] = []

    def note(sent: Request) -> None:
        if sent.method == "POST" and not sent.url.endswith("/presence/"):
            seen.append(sent.url)

    page.on("request", note)
    return seen


def title(page: Page) -> Locator:
    return page.locator("#request-title")


def row(page: Page, request: ApprovalRequest) -> Locator:
    return page.locator(f"#row-{request.pk}")


def verdict(page: Page, name: str = "approve") -> Locator:
    """The button that sends this verdict."""
    return page.locator(f"#decide-form button[value={name}]")


@pytest.fixture
def desk(
    stack: Callable[..., Stack], opened: Opener, context_for: Callable[..., BrowserContext]
) -> Desk:
    """The product's pages, live; nothing else runs."""
    site = stack(seeded=False).run("web")
    site.wait_for(lambda: "web" not in site.missing(), 60, "the web process answers")
    return Desk(site, opened, context_for)
