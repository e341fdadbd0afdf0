"""An address that holds a NUL names nothing: PostgreSQL stores the character in no text.

Refused here once, since every filter and every identifier in an address would fail in the database.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def no_nul(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """404 for a NUL in the path, 400 for one in the query."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponse:
            _refuse(request)
            answer: HttpResponse = await get_response(request)
            return answer

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        _refuse(request)
        passed: HttpResponse = get_response(request)
        return passed

    return answer


def _refuse(request: HttpRequest) -> None:
    if "\0" in request.path:
        raise Http404("No address holds a NUL character.")
    if "%00" in request.META.get("QUERY_STRING", "") or "\0" in request.META.get(
        "QUERY_STRING", ""
    ):
        raise BadRequest("No address holds a NUL character.")
