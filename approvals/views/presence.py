"""Who else has a request open: said by pages that show it, and read by them."""

from __future__ import annotations

import logging
from http import HTTPStatus
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from redis import RedisError

from accounts.doors import signed_in
from approvals.errors import NotOpen
from approvals.presence import MOST_NAMES, arrive, depart, others_at
from approvals.services.show import found_for
from approvals.views.requests import STATUS, found_or_404
from audit.errors import Refusal

log = logging.getLogger(__name__)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@found_or_404
def request_presence(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The names of the others who have it open; a POST says that the reader has, or (`gone`) no more has."""
    caller = signed_in(request)
    item = found_for(request_id=pk, caller=caller)
    try:
        if request.method == "POST" and request.POST.get("gone"):
            depart(pk, caller)
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        if request.method == "POST":
            arrive(item, caller)
        names = [person.get_full_name() for person in others_at(item, caller)]
    except NotOpen:
        # Decided a moment ago, which the page hears by itself.
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    except Refusal as refusal:
        status = next((code for kind, code in STATUS.items() if isinstance(refusal, kind)), 409)
        return HttpResponse(refusal.detail, status=status, content_type="text/plain")
    except (RedisError, OSError):
        # Nothing but this line of the page depends on it.
        log.warning("who has a request open is not known", exc_info=True)
        return HttpResponse(status=HTTPStatus.SERVICE_UNAVAILABLE)
    context = {"names": names[:MOST_NAMES], "more": len(names[MOST_NAMES:])}
    return HttpResponse(render_to_string("approvals/_presence.html", context))
