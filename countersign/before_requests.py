"""A look at each request before anything answers it: middleware made of one function, under WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

Answer = Callable[[HttpRequest], Any]


def before_each_request(
    look: Callable[[HttpRequest], HttpResponse | None],
) -> Callable[[Answer], Answer]:
    """Middleware that gives each request to `look`, which mends it, raises what Django answers, or answers itself."""

    @wraps(look)
    def middleware(get_response: Answer) -> Answer:
        if iscoroutinefunction(get_response):

            async def answer_async(request: HttpRequest) -> HttpResponse:
                answer: HttpResponse = look(request) or await get_response(request)
                return answer

            return answer_async

        def answer(request: HttpRequest) -> HttpResponse:
            passed: HttpResponse = look(request) or get_response(request)
            return passed

        return answer

    made: Callable[[Answer], Answer] = sync_and_async_middleware(middleware)
    return made
