"""A real Chromium, and pages of it that are signed in and tolerate no trouble."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    sync_playwright,
)

from accounts.models import User

# The first draws nothing for a screen, which is half the work.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
WHOLE = NAMES[1:]
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    # A page of a test is gone before what its scripts would gain by the optimizing compiler is earned back.
    "--js-flags=--no-opt",
]
WAIT_MILLISECONDS = 15_000


class NoChromium(Exception):
    """There is no browser to test with; the text says how to get one."""


@cache
def installed_chromium(names: tuple[str, ...] = NAMES) -> str | None:
    """The Chromium on the PATH, if there is one that works."""
    for name in names:
        path = shutil.which(name)
        # Ubuntu's package is a script that only says where the snap is.
        if (
            path
            and subprocess.run([path, "--version"], capture_output=True, check=False).returncode
            == 0
        ):
            return path
    return None


def chromium_path(playwright: Playwright) -> str:
    """The Chromium to use: on the PATH, else Playwright's own. Raises NoChromium."""
    path = installed_chromium() or playwright.chromium.executable_path
    if not Path(path).exists():
        raise NoChromium(
            "The browser tests need Chromium, and there is none on the PATH. Run them with "
            "`make test`, which installs one, or install it yourself (Debian: apt-get install "
            "chromium)."
        )
    return path


class Troubles:
    """What went wrong in the pages of a test: each entry a sentence."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._expected: list[re.Pattern[str]] = []

    def expect(self, pattern: str) -> None:
        """Do not count what matches (a refusal that the test is about)."""
        self._expected.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        return [
            trouble
            for trouble in self.found
            if not any(pattern.search(trouble) for pattern in self._expected)
        ]

    def watch(self, page: Page) -> None:
        """Note console errors (a CSP violation is one), uncaught exceptions and failed requests."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"uncaught: {error}"))
        page.on("requestfailed", self._failed)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.found.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Request) -> None:
        # Leaving a page ends what it was still loading; that is no failure.
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"failed: {request.method} {request.url}: {request.failure}")


def session_cookie(user: User) -> dict[str, str]:
    """Sign the person in and return the cookie's name and value."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return {"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key)}


class Chromium:
    """The Chromium of this test process, for all its tests; each of them has profiles of its own in it.

    It and its driver take as long to start as many a test takes, so they are kept between tests.
    """

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def in_use(self) -> Iterator[Browser]:
        """The browser, for one test.

        Playwright keeps an event loop in this thread while it is in use, and Django then takes the test
        for asynchronous code; the ORM is let through for as long.
        """
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        try:
            yield self._ready()
        finally:
            # While the loop runs, the ORM has connections of its own, which nobody would close later.
            connections.close_all()
            # Between tests the loop stands still, and nobody else is to take it for theirs.
            asyncio._set_running_loop(None)
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]

    def _ready(self) -> Browser:
        if self._playwright is None:
            self._playwright = sync_playwright().start()
            self._loop = asyncio.get_running_loop()
        asyncio._set_running_loop(self._loop)
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(
                executable_path=chromium_path(self._playwright), args=ARGUMENTS
            )
        return self._browser

    def close(self) -> None:
        """End it, where there was one."""
        if self._playwright is None:
            return
        asyncio._set_running_loop(self._loop)
        if self._browser is not None:
            self._browser.close()
        self._playwright.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The Chromium of this test process."""
    chromium = Chromium()
    yield chromium
    chromium.close()


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Browser]:
    """Chromium, in use by one test."""
    with chromium.in_use() as browser:
        yield browser


@pytest.fixture
def troubles() -> Iterator[Troubles]:
    """What the pages of this test complained about; anything unexpected fails it."""
    noted = Troubles()
    yield noted
    assert not noted.unexpected(), "\n".join(noted.unexpected())


@pytest.fixture
def context_for(browser: Browser, troubles: Troubles) -> Iterator[Callable[..., BrowserContext]]:
    """`context_for(user, url, **options)`: a browser profile of its own, signed in at `url`.

    `user` may be None for a visitor. The options are those of Playwright's new_context.
    """
    opened: list[BrowserContext] = []

    def open_context(user: User | None, url: str, **options: object) -> BrowserContext:
        context = browser.new_context(base_url=url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(WAIT_MILLISECONDS)
        if user is not None:
            cookie = session_cookie(user)
            context.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": url}])
        context.on("page", troubles.watch)
        opened.append(context)
        return context

    yield open_context
    for context in opened:
        context.close()
