"""Mail the group that owns an agent that a budget of it comes to its end, or has."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from agents import amounts
from agents.models import BudgetNotice
from agents.services.mail_once import mail_once, post

SPANS: Final = {"day": "today", "month": "this month"}
_TEXT: Final = """{agent} has spent {used} of {limit} that it may spend {span} (UTC).

{follows}

How it stands:
{link}
"""
FOLLOWS: Final = {
    80: "It goes on until all of it is spent.",
    100: "No new run of it starts, and runs that ask a model wait for a person, until the {span} ends or an "
    "admin allows more.",
}


def mail_budget(*, notice_id: UUID) -> int:
    """Send one mail to each of them, once; returns how many. A mail error is raised, and swept up."""
    rows = BudgetNotice.objects.select_related("agent__owner_group")
    return mail_once(rows, notice_id, _send)


def _send(notice: BudgetNotice) -> int:
    agent = notice.agent
    text = _TEXT.format(
        agent=agent.title,
        used=amounts.spent(notice.measure, notice.used),
        limit=amounts.spent(notice.measure, notice.limit),
        span=SPANS[notice.span],
        follows=FOLLOWS[notice.percent].format(span=notice.span),
        link=settings.COUNTERSIGN.address + reverse("agent-detail", kwargs={"slug": agent.slug}),
    )
    subject = f"{agent.title} has spent {notice.percent} % of its budget for the {notice.span}"
    return post(subject, text, _recipients(notice))


def _recipients(notice: BudgetNotice) -> set[str]:
    group = notice.agent.owner_group
    people = User.objects.holding("decide_requests").in_groups([group.pk])
    return set(people.values_list("email", flat=True)) | {group.email}
