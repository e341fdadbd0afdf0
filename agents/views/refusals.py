"""Refusals as pages give them: not there, not for you, or said on the page one goes back to."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from audit.errors import Forbidden, NotFound, Refusal


def say(request: HttpRequest, refusal: Refusal) -> None:
    """Leave the refusal as a message for the next page; raises Http404 or PermissionDenied instead
    where there is nothing to go back to."""
    if isinstance(refusal, NotFound):
        raise Http404(refusal.detail) from refusal
    if isinstance(refusal, Forbidden):
        raise PermissionDenied(refusal.detail) from refusal
    messages.error(request, refusal.detail)
