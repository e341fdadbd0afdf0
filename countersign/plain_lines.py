"""Lines of texts that people type end as they do everywhere else.

A browser sends a line of a text field with CRLF at its end (HTML, 4.10.22.8). Kept so, it would be another text
than the same one sent over the API, and a carriage return is marked wherever unseen characters are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def plain_lines(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """LF for CRLF in every field of a posted form."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponse:
            _mend(request)
            answer: HttpResponse = await get_response(request)
            return answer

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        _mend(request)
        passed: HttpResponse = get_response(request)
        return passed

    return answer


def _mend(request: HttpRequest) -> None:
    if request.method != "POST" or not any(
        "\r\n" in str(value) for _, values in request.POST.lists() for value in values
    ):
        return
    mended = QueryDict(mutable=True, encoding=request.POST.encoding)
    for name, values in request.POST.lists():
        mended.setlist(name, [str(value).replace("\r\n", "\n") for value in values])
    mended._mutable = False
    request.POST = mended  # type: ignore[assignment]
