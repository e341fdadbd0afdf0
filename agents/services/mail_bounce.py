"""Mail the people who answer for an agent that something it did has bounced."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.urls import reverse

from accounts.models import User
from agents.models import EffectRecord, Run

_TEXT: Final = """{agent} used {tool}. The other side accepted that at first, and then reported that it did not
arrive.

What it did and what came back:
{link}
"""


def mail_bounce(*, effect_id: UUID) -> int:
    """Send one mail to each of them, once; returns how many. A mail error is raised, and swept up."""
    due = EffectRecord.objects.filter(pk=effect_id, mail_due_at__isnull=False)
    effect = due.select_related("step", "run__agent__owner_group", "run__initiator").first()
    # Taken by conditional update: of two jobs for one bounce, one sends.
    if effect is None or not due.filter(mail_due_at=effect.mail_due_at).update(mail_due_at=None):
        return 0
    try:
        return _send(effect)
    except Exception:
        EffectRecord.objects.filter(pk=effect_id).update(mail_due_at=effect.mail_due_at)
        raise


def _send(effect: EffectRecord) -> int:
    run = effect.run
    tool = effect.step.name.replace("_", " ")
    text = _TEXT.format(
        agent=run.agent.title,
        tool=f"“{tool}”",
        link=settings.COUNTERSIGN.address + reverse("run-detail", kwargs={"pk": run.pk}),
    )
    mails = [
        EmailMessage(subject=f"Bounced: {tool} of {run.agent.title}", body=text, to=[address])
        for address in sorted(_recipients(run))
    ]
    return int(get_connection().send_messages(mails) or 0) if mails else 0


def _recipients(run: Run) -> set[str]:
    group = run.agent.owner_group
    people = User.objects.holding("decide_requests").in_groups([group.pk])
    addresses = set(people.values_list("email", flat=True)) | {group.email, run.initiator.email}
    return {address for address in addresses if address}
