"""Mail the group that owns an agent that a budget of it comes to its end, or has."""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from accounts.letters import Letter, readers, send_letters
from accounts.models import User
from agents import amounts
from agents.models import BudgetNotice
from agents.services.mail_once import mail_once
from audit.wordings import Words

#: Of a hundred: nothing is left.
ALL: Final = 100
# Whole sentences: a span is another word in each of them.
_SUBJECTS: Final = Words(
    {
        "day": "{agent} has spent {percent} % of its budget for the day",
        "month": "{agent} has spent {percent} % of its budget for the month",
    }
)
_SPENT: Final = Words(
    {
        "day": "{agent} has spent {used} of {limit} that it may spend today (UTC).",
        "month": "{agent} has spent {used} of {limit} that it may spend this month (UTC).",
    }
)
_STOPS: Final = Words(
    {
        "day": "No new run of it starts, and runs that ask a model wait for a person, until the day ends or "
        "an admin allows more.",
        "month": "No new run of it starts, and runs that ask a model wait for a person, until the month ends "
        "or an admin allows more.",
    }
)


def mail_budget(*, notice_id: UUID) -> int:
    """Send one mail to each of them, once; returns how many. A mail error is raised, and swept up."""
    rows = BudgetNotice.objects.select_related("agent__owner_group")
    return mail_once(rows, notice_id, _send)


def _send(notice: BudgetNotice) -> int:
    return send_letters(partial(_letter, notice), _recipients(notice))


def _letter(notice: BudgetNotice) -> Letter:
    agent, span = notice.agent, notice.span
    spent = _SPENT[span].format(
        agent=agent.title,
        used=amounts.spent(notice.measure, notice.used),
        limit=amounts.spent(notice.measure, notice.limit),
    )
    then = (
        _STOPS[span] if notice.percent >= ALL else gettext("It goes on until all of it is spent.")
    )
    link = settings.COUNTERSIGN.address + reverse("agent-detail", kwargs={"slug": agent.slug})
    return Letter(
        _SUBJECTS[span].format(agent=agent.title, percent=notice.percent),
        f"{spent}\n\n{then}\n\n{gettext('How it stands:')}\n{link}\n",
    )


def _recipients(notice: BudgetNotice) -> dict[str, str]:
    group = notice.agent.owner_group
    people = User.objects.holding("decide_requests").in_groups([group.pk])
    return readers(people, groups=[group.email])
