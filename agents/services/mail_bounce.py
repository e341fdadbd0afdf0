"""Mail the people who answer for an agent that something it did has bounced."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from accounts.letters import Letter, readers, send_letters
from accounts.models import User
from agents.models import EffectRecord, Run
from agents.services.mail_once import mail_once


def mail_bounce(*, effect_id: UUID) -> int:
    """Send one mail to each of them, once; returns how many. A mail error is raised, and swept up."""
    rows = EffectRecord.objects.select_related("step", "run__agent__owner_group", "run__initiator")
    return mail_once(rows, effect_id, _send)


def _send(effect: EffectRecord) -> int:
    return send_letters(partial(_letter, effect), _recipients(effect.run))


def _letter(effect: EffectRecord) -> Letter:
    names = {"agent": effect.run.agent.title, "tool": effect.step.name.replace("_", " ")}
    what = gettext(
        "{agent} used “{tool}”. The other side accepted that at first, and then reported that it did not arrive."
    )
    link = settings.COUNTERSIGN.address + reverse("run-detail", kwargs={"pk": effect.run_id})
    return Letter(
        gettext("Bounced: {tool} of {agent}").format(**names),
        f"{what.format(**names)}\n\n{gettext('What it did and what came back:')}\n{link}\n",
    )


def _recipients(run: Run) -> dict[str, str]:
    group = run.agent.owner_group
    people = User.objects.holding("decide_requests").in_groups([group.pk])
    return readers([*people, run.initiator], groups=[group.email])
