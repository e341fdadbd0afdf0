"""Mail the people who own an agent that another model answers than before."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from accounts.letters import Letter, readers, send_letters
from accounts.models import User
from agents.models import ReportedModel
from agents.services.mail_once import mail_once


def mail_model(*, reported_id: UUID) -> int:
    """Send one mail to each of them, once; returns how many. A mail error is raised, and swept up."""
    rows = ReportedModel.objects.select_related("agent__owner_group")
    return mail_once(rows, reported_id, _send)


def _send(change: ReportedModel) -> int:
    group = change.agent.owner_group
    people = User.objects.active().in_groups([group.pk])
    return send_letters(partial(_letter, change), readers(people, groups=[group.email]))


def _letter(change: ReportedModel) -> Letter:
    agent = change.agent
    what = gettext(
        "{agent} asks for the model {asked}. Its server now says that {reported} answers, which it had not said "
        "before. The same requests may get other replies from now on."
    ).format(
        agent=agent.title,
        asked=" ".join(change.asked.split()),
        reported=" ".join(change.reported.split()),
    )
    link = settings.COUNTERSIGN.address + reverse("agent-detail", args=[agent.slug])
    return Letter(
        gettext("Another model answers {agent}").format(agent=agent.title),
        f"{what}\n\n{gettext('The agent, and what answered before:')}\n{link}\n",
    )
