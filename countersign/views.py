"""Pages of the house itself: what is shown when somebody may not."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext

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
