"""Pages of the house itself: what is shown when somebody may not, or sends what nobody can read."""

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import ngettext

from accounts.languages import language_of
from accounts.models import User

MOST_NAMES = 5


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Say what is missing and name people who can give it or do it instead."""
    return render(
        request,
        "403.html",
        {"reason": str(exception or "") or None, "who": _who_can_help()},
        status=403,
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Refused before anybody was looked up: in the browser's language, and without the shell."""
    with translation.override(language_of(request)):
        return HttpResponseBadRequest(render_to_string("400.html"))


def _who_can_help() -> str:
    people = User.objects.holding("manage_people").order_by("username")[:MOST_NAMES]
    names = [person.get_full_name() or person.get_username() for person in people]
    if not names:
        return ""
    return ngettext(
        "This person can give you the right: {names}.",
        "These people can give you the right: {names}.",
        len(names),
    ).format(names=", ".join(names))
