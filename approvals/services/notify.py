"""Notify: tell those who may decide, by e-mail. The mail has a title and a link and decides
nothing."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.urls import reverse

from approvals.asked import deciders
from approvals.characters import spelled
from approvals.models import ApprovalRequest
from approvals.vocabulary import Kind
from approvals.withholding import Withheld
from audit.clock import database_now

_SUBJECTS: Final = {
    "opened": "Waiting for you: {title}",
    "reminder": "Still waiting: {title}",
    "escalated": "Now with you: {title}",
}
_TEXT: Final = """{title}

{agent} asks for a decision ({risk} risk).{deadline}

Look at it and decide here:
{link}

This mail decides nothing, and neither does an answer to it.
"""


def notify(*, request_id: UUID, occasion: str) -> int:
    """Send one mail to each person who may decide the request, and to their groups' addresses.

    Returns how many were sent. `occasion` is `opened`, `reminder` or `escalated`. The first mail
    about a request is sent once, however often the job runs; a request that no longer waits gets
    none. Mail errors are raised, and the sweep tries again.
    """
    request = ApprovalRequest.objects.pending().filter(pk=request_id).first()
    if request is None:
        return 0
    if occasion == "opened" and not _first(request):
        return 0
    try:
        sent = _send(request, occasion)
    except Exception:
        if occasion == "opened":
            ApprovalRequest.objects.filter(pk=request.pk).update(notified_at=None)
        raise
    ApprovalRequest.objects.filter(pk=request.pk).update(mail_due_at=None)
    return sent


def _first(request: ApprovalRequest) -> bool:
    """Whether this process is the one that sends it."""
    waiting = ApprovalRequest.objects.filter(pk=request.pk, notified_at=None)
    return waiting.update(notified_at=database_now()) == 1


def _send(request: ApprovalRequest, occasion: str) -> int:
    title = _title(request)
    due = request.review_deadline
    text = _TEXT.format(
        title=title,
        agent=request.agent_title or request.agent,
        risk=request.risk,
        deadline=f" It is due at {due:%Y-%m-%d %H:%M} UTC." if due else "",
        link=settings.COUNTERSIGN.address + reverse("request-detail", kwargs={"pk": request.pk}),
    )
    subject = _SUBJECTS[occasion].format(title=title)
    # One mail each, so that nobody learns another's address.
    mails = [
        EmailMessage(subject=subject[:200], body=text, to=[address])
        for address in sorted(recipients(request))
    ]
    if not mails:
        return 0
    return int(get_connection().send_messages(mails) or 0)


def _title(request: ApprovalRequest) -> str:
    """The request's title in one line; without what not every reader may see."""
    if request.sensitive:
        return f"{request.agent_title or request.agent}: {request.tool}"
    return spelled(" ".join(Withheld(request.withheld).text(request.title).split()))


def recipients(request: ApprovalRequest) -> set[str]:
    """Addresses of those whose verdict would be taken, and of the groups asked."""
    group_ids = list(request.request_groups.values_list("group_id", flat=True))
    addresses = {found.user.email for found in deciders(request, group_ids)} - {""}
    addresses |= set(request.groups.exclude(email="").values_list("email", flat=True))
    if request.kind == Kind.QUESTION and request.initiator and request.initiator.email:
        addresses.add(request.initiator.email)
    return addresses
