"""The titles of what policies name by slug: agents that are installed, review groups, working calendars."""

from __future__ import annotations

from accounts.models import ReviewGroup
from approvals import ports
from approvals.models import WorkingCalendar
from approvals.policy_words import Names


def names() -> Names:
    """What all of them are called now. Two queries."""
    return Names(
        agents=agent_titles(),
        groups=dict(ReviewGroup.objects.values_list("slug", "title")),
        calendars=dict(WorkingCalendar.objects.values_list("slug", "title")),
    )


def agent_titles() -> dict[str, str]:
    """The titles of the agents that are installed, by slug. No query."""
    return {facts.agent: facts.title for facts in ports.runs().catalogue() if facts.title}
