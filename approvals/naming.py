"""The titles of what policies name by slug: agents that are installed, review groups, working calendars."""

from __future__ import annotations

from django.db.models import Value

from accounts.models import ReviewGroup
from approvals import ports
from approvals.models import WorkingCalendar
from approvals.policy_words import Names


def names() -> Names:
    """What all of them are called now. One query."""
    groups = ReviewGroup.objects.order_by().values_list(Value("group"), "slug", "title")
    calendars = WorkingCalendar.objects.order_by().values_list(Value("calendar"), "slug", "title")
    titles: dict[str, dict[str, str]] = {"group": {}, "calendar": {}}
    for kind, slug, title in groups.union(calendars, all=True):
        titles[kind][slug] = title
    return Names(agent_titles(), titles["group"], titles["calendar"])


def agent_titles() -> dict[str, str]:
    """The titles of the agents that are installed, by slug. No query."""
    return {facts.agent: facts.title for facts in ports.runs().catalogue() if facts.title}
