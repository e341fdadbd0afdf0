"""Mail the people who own an agent that another model answers than before."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.urls import reverse

from accounts.models import User
from agents.models import ReportedModel

_TEXT: Final = """{agent} asks for the model {asked}. Its server now says that {reported} answers, which it had not
said before. The same requests may get other replies from now on.

The agent, and what answered before:
{link}
"""


def mail_model(*, reported_id: UUID) -> int:
    """Send one mail to each of them, once; returns how many. A mail error is raised, and swept up."""
    due = ReportedModel.objects.filter(pk=reported_id, mail_due_at__isnull=False)
    change = due.select_related("agent__owner_group").first()
    # Taken by conditional update: of two jobs for one change, one sends.
    if change is None or not due.filter(mail_due_at=change.mail_due_at).update(mail_due_at=None):
        return 0
    try:
        return _send(change)
    except Exception:
        ReportedModel.objects.filter(pk=reported_id).update(mail_due_at=change.mail_due_at)
        raise


def _send(change: ReportedModel) -> int:
    agent = change.agent
    text = _TEXT.format(
        agent=agent.title,
        asked=" ".join(change.asked.split()),
        reported=" ".join(change.reported.split()),
        link=settings.COUNTERSIGN.address + reverse("agent-detail", args=[agent.slug]),
    )
    people = User.objects.filter(is_active=True).in_groups([agent.owner_group_id])
    addresses = {*people.values_list("email", flat=True), agent.owner_group.email}
    mails = [
        EmailMessage(subject=f"Another model answers {agent.title}", body=text, to=[address])
        for address in sorted(addresses)
        if address
    ]
    return int(get_connection().send_messages(mails) or 0) if mails else 0
