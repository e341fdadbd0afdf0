"""What is shown to somebody who is signed in is kept by no browser and by nothing on the way to it."""

from typing import TYPE_CHECKING, cast

from accounts.both_ways import BothWays

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

CACHE_CONTROL = "Cache-Control"


class NotKept(BothWays):
    def __call__(self, request: "HttpRequest") -> "HttpResponseBase | Awaitable[HttpResponseBase]":
        if self.is_async:
            return self._answer_async(request)
        return _marked(request, cast("HttpResponseBase", self.get_response(request)))

    async def _answer_async(self, request: "HttpRequest") -> "HttpResponseBase":
        return _marked(
            request, await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        )


def _marked(request: "HttpRequest", response: "HttpResponseBase") -> "HttpResponseBase":
    """The response, which says so itself where it may be kept."""
    if getattr(request, "caller", None) is not None and CACHE_CONTROL not in response:
        response[CACHE_CONTROL] = "private, no-store"
    return response
