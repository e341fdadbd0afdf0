"""The language that pages speak: kept with the person, and in a cookie for whoever is not signed in."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.errors import UnknownLanguage
from accounts.going_on import going_on_to
from accounts.languages import languages
from accounts.services.choose_language import choose_language

YEAR_SECONDS: Final = 365 * 24 * 60 * 60


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Keep the choice and go back to the page it was made on."""
    language = request.POST.get("language", "")
    if language not in languages():
        return HttpResponseBadRequest(UnknownLanguage(language).detail)
    if request.user.is_authenticated:
        choose_language(language=language, caller=request.caller)  # type: ignore[attr-defined]
    response = redirect(going_on_to(request, "/"))
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=YEAR_SECONDS,
        samesite="Lax",
        secure=request.is_secure(),
        httponly=True,
    )
    return response
