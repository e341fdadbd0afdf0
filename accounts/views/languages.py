"""The language that pages speak: kept with the person, and in a cookie for whoever is not signed in."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts.errors import UnknownLanguage
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
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    response = redirect(back)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=YEAR_SECONDS,
        samesite="Lax",
        secure=request.is_secure(),
        httponly=True,
    )
    return response
