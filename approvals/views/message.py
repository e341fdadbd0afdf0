"""The HTML of a message that would go out, by itself: a page that runs nothing, loads nothing and leads nowhere."""

from __future__ import annotations

from uuid import UUID

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from accounts.doors import signed_in
from approvals import eligibility
from approvals.services.show import found_for, show_to
from approvals.views.listed import Listed
from approvals.views.masking import masked
from approvals.views.request_view import RequestView
from approvals.views.requests import found_or_404

#: Without any allowance a sandbox has an origin of its own, no scripts, no forms, and cannot leave its frame. Mails
#: carry their styles in themselves.
POLICY = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["data:"],
    "frame-ancestors": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
    "sandbox": True,
}


@csp(POLICY)
@xframe_options_sameorigin
@login_required
@require_safe
@found_or_404
def request_message(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the recipient would see. Nothing is put into it and nothing taken out: the frame is what holds it."""
    caller = signed_in(request)
    item = found_for(request_id=pk, caller=caller)
    if eligibility.looks_on_record(item, caller):
        item = show_to(request_id=pk, caller=caller)
    masked(item, caller)
    if not RequestView(item, caller, Listed()).frame_url:
        raise Http404(gettext("This request shows no message."))
    response = HttpResponse(item.preview["message"]["html"])
    response["Referrer-Policy"] = "no-referrer"
    return response
