"""Django under ASGI, each answer in one thread from the first middleware to the last.

Django's own handler goes to the thread and back for each middleware that is not asynchronous by nature: twenty
times in each answer, which takes longer than many of our views.
"""

from __future__ import annotations

from io import BytesIO
from threading import Event
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve, set_script_prefix

LOOKING: Final = ("GET", "HEAD", "OPTIONS")


class InOneThread(ASGIHandler):
    """Views that are asynchronous are answered as Django does: they may wait long, and hold no thread."""

    def __init__(self) -> None:
        super().__init__()
        #: Set while nobody does anything; whoever only looks may give way to whoever does.
        self.quiet = Event()
        self.quiet.set()
        self._deeds = 0
        self._whole = BaseHandler()
        self._whole.load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The same middleware and the same view either way."""
        if _is_asynchronous(request):
            return await super().get_response_async(request)
        answer = sync_to_async(self._whole.get_response, thread_sensitive=True)
        if request.method in LOOKING:
            return await answer(request)
        self._deeds += 1
        self.quiet.clear()
        try:
            return await answer(request)
        finally:
            self._deeds -= 1
            if not self._deeds:
                self.quiet.set()

    def answer(self, scope: Any) -> HttpResponseBase:
        """The answer to a request without a body, made in the thread that calls this."""
        set_script_prefix(get_script_prefix(scope))
        request, refusal = self.create_request(scope, BytesIO())
        if request is None:
            assert refusal is not None
            return refusal
        return self._whole.get_response(request)


def _is_asynchronous(request: HttpRequest) -> bool:
    try:
        return iscoroutinefunction(resolve(request.path_info).func)
    except Resolver404:
        return False
