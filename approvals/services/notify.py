"""Notify: tell those who may decide, by e-mail, each in their own language. The mail has a title and a link
and decides nothing."""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from accounts.letters import Letter, readers, send_letters
from approvals.asked import deciders
from approvals.characters import spelled
from approvals.models import ApprovalRequest
from approvals.queues import MAIL_OVERDUE
from approvals.vocabulary import Kind
from approvals.withholding import Withheld
from audit import spellings
from audit.clock import database_now
from audit.naming import words_for
from audit.wordings import Words

_SUBJECTS: Final = Words(
    {
        "opened": "Waiting for you: {title}",
        "reminder": "Still waiting: {title}",
        "escalated": "Now with you: {title}",
    }
)
_RISKS: Final = Words(
    {
        "low": "low risk",
        "medium": "medium risk",
        "high": "high risk",
        "critical": "critical risk",
    }
)


def notify(*, request_id: UUID, occasion: str) -> int:
    """Send one mail to each person who may decide the request, and to their groups' addresses.

    Returns how many were sent. `occasion` is `opened`, `reminder` or `escalated`. The first mail
    about a request is sent once, however often the job runs, and again only where whoever sent it
    ended meanwhile; a request that no longer waits gets none. Mail errors are raised, and the sweep
    tries again.
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
    """Whether this process is the one that sends it. The sweep gives it to another where it is not sent in time."""
    now = database_now()
    waiting = ApprovalRequest.objects.filter(pk=request.pk, notified_at=None)
    return waiting.update(notified_at=now, mail_due_at=now + MAIL_OVERDUE) == 1


def _send(request: ApprovalRequest, occasion: str) -> int:
    return send_letters(partial(_letter, request, occasion), recipients(request))


def _letter(request: ApprovalRequest, occasion: str) -> Letter:
    title = _title(request)
    asks = gettext("{agent} asks for a decision ({risk}).").format(
        agent=request.agent_title or request.agent, risk=_RISKS.get(request.risk) or request.risk
    )
    if request.review_deadline is not None:
        due = spellings.day_and_minute(timezone.localtime(request.review_deadline))
        asks += " " + gettext("It is due on {moment}.").format(moment=due)
    link = settings.COUNTERSIGN.address + reverse("request-detail", kwargs={"pk": request.pk})
    return Letter(
        _SUBJECTS[occasion].format(title=title),
        f"{title}\n\n{asks}\n\n{gettext('Look at it and decide here:')}\n{link}\n\n"
        f"{gettext('This mail decides nothing, and neither does an answer to it.')}\n",
    )


def _title(request: ApprovalRequest) -> str:
    """The request's title in one line; without what not every reader may see."""
    if request.sensitive:
        tool = words_for({("tool", request.tool)}).get(f"tool:{request.tool}", request.tool)
        return f"{request.agent_title or request.agent}: {tool}"
    return spelled(" ".join(Withheld(request.withheld).text(request.title).split()))


def recipients(request: ApprovalRequest) -> dict[str, str]:
    """Addresses of those whose verdict would be taken, and of the groups asked, each with its language."""
    group_ids = list(request.request_groups.values_list("group_id", flat=True))
    people = [found.user for found in deciders(request, group_ids)]
    if request.kind == Kind.QUESTION and request.initiator:
        people.append(request.initiator)
    return readers(people, groups=request.groups.values_list("email", flat=True))
