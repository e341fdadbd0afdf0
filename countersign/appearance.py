"""The theme: a cookie, so that the first byte of a page already has the right colours."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.going_on import going_on_to
from audit.wordings import Words

YEAR_SECONDS: Final = 365 * 24 * 60 * 60
THEMES: Final = Words({"auto": "System", "light": "Light", "dark": "Dark"})


def cookie_name() -> str:
    """What the cookie is called that the server and the page's script keep the choice in."""
    return f"{settings.COOKIE_PREFIX}theme"


def theme_of(request: HttpRequest) -> str:
    """The chosen theme; what the system prefers until one is chosen."""
    chosen = request.COOKIES.get(cookie_name(), "auto")
    return chosen if chosen in THEMES else "auto"


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice for a year and go back to the page it was made on."""
    theme = request.POST.get("theme", "")
    if theme not in THEMES:
        return HttpResponseBadRequest("A theme is one of auto, light and dark.")
    response = redirect(going_on_to(request, "/"))
    response.set_cookie(
        cookie_name(),
        theme,
        max_age=YEAR_SECONDS,
        samesite="Lax",
        secure=request.is_secure(),
    )
    return response
