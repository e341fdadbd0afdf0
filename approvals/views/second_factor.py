"""Decisions that ask for a second factor: what the dock says, and the way to the confirmation and back.

What was decided and typed is kept in the session meanwhile, on the server, so that it stands in its fields
again afterwards, and one more press decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from accounts.confirmations import can_confirm, confirmation_of
from accounts.doors import signed_in
from accounts.vocabulary import FACTOR_WORDS
from approvals import eligibility
from approvals.models import ApprovalRequest
from approvals.views.listed import Listed
from approvals.vocabulary import Friction, Verdict
from audit.clock import database_now

KEY: Final = "decision_to_confirm"
#: What is made anew with each page, or says nothing about the decision.
NOT_KEPT: Final = ("csrfmiddlewaretoken", "nonce", "active_seconds")


@dataclass(frozen=True)
class Asked:
    """What the dock says of the second factor: `method` and `until` where it was used lately."""

    has_factor: bool
    method: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Kept:
    """A verdict that waits for its confirmation, as it was posted."""

    verdict: Verdict
    post: QueryDict

    def fits(self, item: ApprovalRequest) -> bool:
        """Whether it was given on what stands there now."""
        return bool(self.post.get("shown_sha256") == item.shown_sha256)


def asked_of(request: HttpRequest, item: ApprovalRequest) -> Asked | None:
    """What the request asks of whoever looks at it; None where it asks for no second factor."""
    if item.needs.friction != Friction.SECOND_FACTOR:
        return None
    confirmation = confirmation_of(request)
    if confirmation is None or not eligibility.confirms(item, confirmation, database_now()):
        return Asked(has_factor=can_confirm(signed_in(request).user))
    seconds = item.needs.second_factor_seconds
    return Asked(
        has_factor=True,
        method=FACTOR_WORDS[confirmation.method],
        until=confirmation.at + timedelta(seconds=seconds),
    )


def confirm_url(item_url: str) -> str:
    """Where a second factor is given, on the way to this address."""
    return f"{reverse('second-factor-confirm')}?{urlencode({'next': item_url})}"


def to_confirm(
    request: HttpRequest, item: ApprovalRequest, verdict: Verdict, listed: Listed
) -> HttpResponse:
    """Keep what was posted, and lead to the confirmation."""
    post = request.POST.copy()
    for name in NOT_KEPT:
        post.pop(name, None)
    request.session[KEY] = {
        "request": str(item.pk),
        "verdict": verdict.value,
        "post": post.urlencode(),
    }
    mode = f"&mode={verdict.value}" if verdict == Verdict.EDIT else ""
    back = f"{reverse('request-detail', kwargs={'pk': item.pk})}?{listed.query}{mode}"
    target = confirm_url(back)
    if getattr(request, "htmx", False):
        return HttpResponse(headers={"HX-Redirect": target})
    return redirect(target)


def kept_of(request: HttpRequest, item: ApprovalRequest) -> Kept | None:
    """The verdict on this request that was posted before the confirmation."""
    kept = request.session.get(KEY)
    if kept is None or kept["request"] != str(item.pk):
        return None
    return Kept(verdict=Verdict(kept["verdict"]), post=QueryDict(kept["post"]))


def forget(request: HttpRequest) -> None:
    """The verdict was taken, or given up."""
    request.session.pop(KEY, None)
