"""What calls of models came to: of a run with those it started, and of an agent in a month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from agents.models import HostedAgent, Run, Step
from agents.states import OPEN, StepKind, StepState

MODEL_KINDS = (StepKind.MODEL, StepKind.SCORE, StepKind.ROUTE)
DEEPEST = 8


@dataclass(frozen=True)
class Spending:
    """Millionths of the currency unit, and how many calls have no price and are left out; `runs` counts
    the runs that were summed."""

    cost_micros: int
    unpriced_calls: int
    runs: int = 1


def spending_of_month(hosted: HostedAgent, now: datetime) -> Spending:
    """What the runs cost that the agent began in this calendar month (UTC), whoever may see them.

    Scores of open runs are left out: what they cost could tell of one that is secret yet.
    """
    begun = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    runs = Run.objects.filter(agent=hosted, created_at__gte=begun)
    return _sum(Step.objects.filter(run__in=runs), runs.count())


def spending_of_tree(run: Run) -> Spending | None:
    """What the run cost together with all runs that come of it; None where it started none.

    From the calls themselves, so that what was charged to a parent for its child counts once.
    """
    found: set[UUID] = {run.pk}
    level: set[UUID] = {run.pk}
    for _ in range(DEEPEST):
        level = set(Run.objects.filter(parent__in=level).values_list("pk", flat=True)) - found
        if not level:
            break
        found |= level
    if len(found) == 1:
        return None
    return _sum(Step.objects.filter(run__in=found), len(found))


def _sum(steps: QuerySet[Step], runs: int) -> Spending:
    made = steps.filter(kind__in=MODEL_KINDS, state=StepState.SUCCEEDED)
    told = made.exclude(kind=StepKind.SCORE, run__state__in=OPEN)
    summed = told.aggregate(
        cost=Sum("cost_micros", default=0),
        unpriced=Count("pk", filter=Q(cost_micros__isnull=True)),
    )
    return Spending(summed["cost"], summed["unpriced"], runs)
