"""What is synchronous is answered in one thread, what may wait long in none, and both as Django answers them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from countersign.in_one_thread import InOneThread

threads: list[str] = []


def note() -> None:
    threads.append(threading.current_thread().name)


class Outer(MiddlewareMixin):
    """One of those that Django would go to the thread for, there and back."""

    def process_request(self, _: HttpRequest) -> None:
        note()

    def process_response(self, _: HttpRequest, response: HttpResponse) -> HttpResponse:
        note()
        response["X-Outer"] = "passed"
        return response


class Inner(Outer):
    """Another one."""


def plain(_: HttpRequest) -> HttpResponse:
    note()
    return HttpResponse("plain")


async def waits(_: HttpRequest) -> HttpResponse:
    note()
    return HttpResponse("waits")


def fails(_: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


class Door:
    """A view that answers when the test says so."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.may_go = threading.Event()

    def __call__(self, _: HttpRequest) -> HttpResponse:
        self.entered.set()
        assert self.may_go.wait(5)
        return HttpResponse("through")


doors: dict[str, Door] = {}


def acts(request: HttpRequest, door: str) -> HttpResponse:
    return doors[door](request)


urlpatterns = [
    path("plain/", plain),
    path("waits/", waits),
    path("fails/", fails),
    path("acts/<door>/", acts),
]


@pytest.fixture
def handler(settings: Any) -> Callable[..., Any]:
    """`handler(made)`: asks one by path for (status, headers, body)."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.Outer", f"{__name__}.Inner"]
    threads.clear()

    def made(application: ASGIHandler) -> Callable[..., Awaitable[tuple[int, bytes]]]:
        async def ask(address: str, method: str = "GET") -> tuple[int, bytes]:
            sent: list[Any] = []
            bodies = [{"type": "http.request", "body": b"", "more_body": False}]

            async def receive() -> Any:
                return bodies.pop() if bodies else await asyncio.Future()

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {"type": "http", "method": method, "path": address, "headers": []}
            await application(scope, receive, send)
            passed = (b"X-Outer", b"passed") in sent[0]["headers"]
            assert passed or sent[0]["status"] >= 400
            return sent[0]["status"], sent[1]["body"]

        return ask

    return made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the synchronous chain was asked for."""
    asked: list[str] = []
    answer = BaseHandler.get_response

    def noted(self: BaseHandler, request: HttpRequest) -> Any:
        asked.append(request.path)
        return answer(self, request)

    monkeypatch.setattr(BaseHandler, "get_response", noted)
    return asked


async def test_a_page_is_answered_in_one_thread(
    handler: Callable[..., Any], calls: list[str]
) -> None:
    assert await handler(InOneThread())("/plain/") == (200, b"plain")
    assert calls == ["/plain/"]
    assert len(threads) == 5
    assert set(threads) != {threading.current_thread().name}
    assert len(set(threads)) == 1


async def test_what_may_wait_long_holds_no_thread(
    handler: Callable[..., Any], calls: list[str]
) -> None:
    assert await handler(InOneThread())("/waits/") == (200, b"waits")
    assert calls == []
    assert threads[2] == threading.current_thread().name


@pytest.mark.parametrize("address", ["/nowhere/", "/fails/"])
async def test_errors_are_answered_as_django_does(
    handler: Callable[..., Any], address: str
) -> None:
    ours = await handler(InOneThread())(address)
    theirs = await handler(ASGIHandler())(address)
    assert ours == theirs


async def test_a_look_is_answered_in_the_thread_that_asks(handler: Callable[..., Any]) -> None:
    pages = InOneThread()
    handler(pages)
    scope = {"type": "http", "method": "GET", "path": "/plain/", "headers": []}
    response = await sync_to_async(pages.answer, thread_sensitive=False)(scope)
    assert (response.status_code, cast(HttpResponse, response).content) == (200, b"plain")
    assert len(set(threads)) == 1


async def test_it_is_quiet_when_nothing_is_done_any_more(handler: Callable[..., Any]) -> None:
    pages = InOneThread()
    ask = handler(pages)
    doors.update({name: Door() for name in ("first", "second", "looks")})
    asked = {}
    for name, method in (("looks", "GET"), ("first", "POST"), ("second", "DELETE")):
        assert pages.quiet.is_set() == (name != "second")
        asked[name] = asyncio.create_task(ask(f"/acts/{name}/", method))
        assert await asyncio.to_thread(doors[name].entered.wait, 5)
    for name, is_quiet in (("first", False), ("second", True), ("looks", True)):
        doors[name].may_go.set()
        assert await asked[name] == (200, b"through")
        assert pages.quiet.is_set() == is_quiet
    assert (await ask("/fails/", "POST"))[0] == 500
    assert pages.quiet.is_set()
