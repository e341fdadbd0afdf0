"""Mail the people who answer for an agent that something it did has bounced."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from agents.models import EffectRecord, Run
from agents.services.mail_once import mail_once, post

_TEXT: Final = """{agent} used {tool}. The other side accepted that at first, and then reported that it did not
arrive.

What it did and what came back:
{link}
"""


def mail_bounce(*, effect_id: UUID) -> int:
    """Send one mail to each of them, once; returns how many. A mail error is raised, and swept up."""
    rows = EffectRecord.objects.select_related("step", "run__agent__owner_group", "run__initiator")
    return mail_once(rows, effect_id, _send)


def _send(effect: EffectRecord) -> int:
    run = effect.run
    tool = effect.step.name.replace("_", " ")
    text = _TEXT.format(
        agent=run.agent.title,
        tool=f"“{tool}”",
        link=settings.COUNTERSIGN.address + reverse("run-detail", kwargs={"pk": run.pk}),
    )
    return post(f"Bounced: {tool} of {run.agent.title}", text, _recipients(run))


def _recipients(run: Run) -> set[str]:
    group = run.agent.owner_group
    people = User.objects.holding("decide_requests").in_groups([group.pk])
    return set(people.values_list("email", flat=True)) | {group.email, run.initiator.email}
