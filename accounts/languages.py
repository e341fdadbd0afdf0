"""The language a reader is answered in, and the one that is nobody's: what programs read and what is kept.

A person's own choice comes first; without one the browser's: the cookie of a visitor's choice, then what
it says it reads (`Accept-Language`), else English. Programs are answered in English whatever they ask for.
"""

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from django.conf import settings
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import trans_real

from accounts.both_ways import BothWays

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from accounts.models import User

API: Final = "/api/"
#: More than there are in all catalogues; what is beyond is looked up each time.
MOST_REMEMBERED: Final = 8_000


def languages() -> dict[str, str]:
    """What there is to choose from: code and name, each name in its own language."""
    return dict(settings.LANGUAGES)


def language_of(request: "HttpRequest") -> str:
    """The code of the language that this request is answered in."""
    if request.path.startswith(API):
        return settings.LANGUAGE_CODE
    caller = getattr(request, "caller", None)
    if caller is not None and caller.user.language in languages():
        return str(caller.user.language)
    return translation.get_language_from_request(request)


def language_for(person: "User") -> str:
    """The code of the language that the person is written to in: what they chose, else that of the house.

    What their browser says is known only while it asks.
    """
    chosen = person.language
    return str(chosen if chosen in languages() else settings.COUNTERSIGN.language)


def in_no_language() -> AbstractContextManager[None]:
    """What is said inside depends on no reader: for what is kept, compared or hashed."""
    return translation.override(None)


def remember_translations() -> None:
    """Let each text be looked up once for each language and process.

    A page says hundreds, and each is looked for in the catalogue of every app, and for English in all of those that
    stand behind these and hold nothing.
    """
    for code in languages():
        known: Any = trans_real.translation(code)
        if "gettext" not in vars(known):
            known.gettext = lru_cache(maxsize=MOST_REMEMBERED)(known.gettext)


class LanguageMiddleware(BothWays):
    """Stands after `CallerMiddleware`. Django's own knows the browser's language alone, never a person's."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        remember_translations()

    def __call__(self, request: "HttpRequest") -> "HttpResponseBase | Awaitable[HttpResponseBase]":
        if self.is_async:
            return self._answer_async(request)
        with translation.override(language_of(request)):
            return _named(request, cast("HttpResponseBase", self.get_response(request)))

    async def _answer_async(self, request: "HttpRequest") -> "HttpResponseBase":
        with translation.override(language_of(request)):
            answer = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
            return _named(request, answer)


def _named(request: "HttpRequest", response: "HttpResponseBase") -> "HttpResponseBase":
    if not request.path.startswith(API):
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        response.headers.setdefault("Content-Language", translation.get_language() or "")
    return response
