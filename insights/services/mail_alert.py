"""Mail the group that owns an agent what it is alerted of."""

from __future__ import annotations

from functools import partial
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from accounts.letters import Letter, readers, send_letters
from accounts.models import User
from agents import amounts
from agents.services.mail_once import mail_once
from audit.wordings import Words
from insights.models import Alert
from insights.vocabulary import AlertKind

_SUBJECTS: Final = Words(
    {
        AlertKind.FAILURES: "{agent}: many of its runs do not succeed",
        AlertKind.COST: "{agent} costs more than usual",
        AlertKind.COST_OF_SUCCESS: "{agent}: a success costs more than it may",
    }
)
_TEXTS: Final = Words(
    {
        AlertKind.FAILURES: "Of the {runs} runs that began today (UTC) and have ended, {used} % did not succeed. "
        "You are alerted from {allowed} % on.",
        AlertKind.COST: "The {runs} runs that began today (UTC) and have ended cost {used} each. You are alerted above "
        "{allowed}, which is a multiple of what a run cost in the two weeks before.",
        AlertKind.COST_OF_SUCCESS: "Each success among the {runs} runs that began today (UTC) and have ended costs "
        "{used}. You are alerted above {allowed}.",
    }
)


def mail_alert(*, alert_id: UUID) -> int:
    """Send one mail to each of them, once; returns how many. A mail error is raised, and swept up."""
    return mail_once(Alert.objects.select_related("agent__owner_group"), alert_id, _send)


def _send(alert: Alert) -> int:
    group = alert.agent.owner_group
    people = User.objects.filter(is_active=True).in_groups([group.pk])
    return send_letters(partial(_letter, alert), readers(people, groups=[group.email]))


def _letter(alert: Alert) -> Letter:
    agent, kind = alert.agent, AlertKind(alert.kind)
    spoken = _percent if kind is AlertKind.FAILURES else amounts.money
    query = urlencode({"agent": agent.slug, "since": alert.day, "until": alert.day})
    link = f"{settings.COUNTERSIGN.address}{reverse('insights')}?{query}"
    text = _TEXTS[kind].format(
        runs=alert.runs, used=spoken(alert.used), allowed=spoken(alert.allowed)
    )
    return Letter(_SUBJECTS[kind].format(agent=agent.title), f"{text}\n\n{link}\n")


def _percent(value: int) -> str:
    return str(value)
