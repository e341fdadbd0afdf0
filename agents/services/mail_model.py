"""Mail the people who own an agent that another model answers than before."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from agents.models import ReportedModel
from agents.services.mail_once import mail_once, post

_TEXT: Final = """{agent} asks for the model {asked}. Its server now says that {reported} answers, which it had not
said before. The same requests may get other replies from now on.

The agent, and what answered before:
{link}
"""


def mail_model(*, reported_id: UUID) -> int:
    """Send one mail to each of them, once; returns how many. A mail error is raised, and swept up."""
    rows = ReportedModel.objects.select_related("agent__owner_group")
    return mail_once(rows, reported_id, _send)


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
    return post(f"Another model answers {agent.title}", text, addresses)
