"""Alert the owner group of an agent that fails or costs too much: once for each kind and day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from agents.reported import models_changed
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef
from insights.models import Alert, Thresholds
from insights.queues import mail_alert_on_commit
from insights.vocabulary import AlertKind

BEFORE: Final = timedelta(days=14)
#: Of fewer days before, nothing is known about what is usual.
FEWEST_DAYS: Final = 3
ALERTS: Final = Actor.system("insights")
_COUNTED: Final = """
SELECT agent.id, agent.slug, figure.day, sum(figure.number),
       sum(figure.number) FILTER (WHERE figure.key = 'success'), sum(figure.total)
  FROM insights_figure AS figure
  JOIN insights_slice AS slice ON slice.id = figure.slice_id
  JOIN agents_hostedagent AS agent ON agent.slug = slice.agent
 WHERE figure.span = 'd' AND figure.measure = 'result' AND figure.day >= %s AND figure.day <= %s
 GROUP BY 1, 2, 3
"""


@dataclass(frozen=True)
class DayOf:
    """What of an agent's runs that began on a day has ended."""

    agent: int
    slug: str
    ended: int
    succeeded: int
    cost_micros: int


@dataclass(frozen=True)
class Found:
    """What an agent's owners are to be told of."""

    kind: AlertKind
    used: int
    allowed: int


def raise_alerts() -> int:
    """Look at the runs of today; returns how many alerts are new."""
    today = database_now().date()
    days = _days(today)
    limits = {each.agent_id: each for each in Thresholds.objects.all()}
    raised = 0
    for (_, day), each in days.items():
        if day != today or each.ended < settings.COUNTERSIGN.alert_runs:
            continue
        before = [
            days[each.agent, past] for agent, past in days if agent == each.agent and past < day
        ]
        for found in _found(each, before, limits.get(each.agent)):
            raised += _raise(each, found, today)
    return raised + _note_models(today)


def _days(today: date) -> Mapping[tuple[int, date], DayOf]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, [today - BEFORE, today])
        return {
            (agent, day): DayOf(agent, slug, int(ended), int(succeeded or 0), int(cost))
            for agent, slug, day, ended, succeeded, cost in cursor.fetchall()
        }


def _found(day: DayOf, before: list[DayOf], limits: Thresholds | None) -> Iterator[Found]:
    config = settings.COUNTERSIGN
    percent = limits.failure_percent if limits else None
    percent = config.alert_failure_percent if percent is None else percent
    times = limits.cost_times if limits else None
    times = config.alert_cost_times if times is None else times
    failed = 100 * (day.ended - day.succeeded)
    if percent and failed >= percent * day.ended:
        yield Found(AlertKind.FAILURES, failed // day.ended, percent)
    if limits and limits.cost_micros:
        each = day.cost_micros // max(day.succeeded, 1)
        if each > limits.cost_micros:
            yield Found(AlertKind.COST_OF_SUCCESS, each, limits.cost_micros)
    if times and len(before) >= FEWEST_DAYS:
        usual = sum(past.cost_micros for past in before) / sum(past.ended for past in before)
        allowed = round(times * usual)
        now = day.cost_micros // day.ended
        if allowed and now > allowed:
            yield Found(AlertKind.COST, now, allowed)


def _raise(day: DayOf, found: Found, today: date) -> bool:
    with transaction.atomic():
        now = database_now()
        alert, new = Alert.objects.get_or_create(
            agent_id=day.agent,
            kind=found.kind.value,
            day=today,
            defaults={
                "used": found.used,
                "allowed": found.allowed,
                "runs": day.ended,
                "told_at": now,
                "mail_due_at": now,
            },
        )
        if not new:
            return False
        record(
            type="agent.alerted",
            actor=ALERTS,
            stream=f"agent:{day.slug}",
            agent=AgentRef(slug=day.slug),
            facts={
                "alert": found.kind.value,
                "day": today.isoformat(),
                "used": found.used,
                "allowed": found.allowed,
                "runs": day.ended,
            },
        )
        mail_alert_on_commit(alert.pk)
        return True


def _note_models(today: date) -> int:
    """Another model behind a name was recorded and its owners were mailed when it answered; it stands among the
    alerts beside the others."""
    changed = models_changed(since=today)
    made = [
        Alert(
            agent_id=agent,
            kind=AlertKind.MODEL.value,
            day=today,
            used=number,
            allowed=0,
            runs=0,
            told_at=told_at,
        )
        for agent, number, told_at in changed
    ]
    known = set(
        Alert.objects.filter(kind=AlertKind.MODEL.value, day=today).values_list(
            "agent_id", flat=True
        )
    )
    new = [each for each in made if each.agent_id not in known]
    return len(Alert.objects.bulk_create(new, ignore_conflicts=True))
