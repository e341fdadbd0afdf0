"""Where runs stand, in numbers, for whoever watches the product. Nothing of anybody's is in them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Min, Q
from django.db.models.functions import Now

from agents.models import EffectRecord, Run
from agents.states import ENDED, OPEN, EffectState, RunState
from audit.clock import database_now


def runs_by_state(*, ended: bool) -> dict[str, int]:
    """How many are in each open state, which an index counts however many there are besides; or in each of the
    others, where every run is counted."""
    rows = Run.objects.filter(state__in=ENDED if ended else OPEN).order_by()
    return dict(rows.values_list("state").annotate(Count("pk")))


@dataclass(frozen=True)
class Ready:
    """Runs that a worker may take now, and for how many seconds the first of them has been ready."""

    runs: int
    oldest_seconds: float


def ready_runs() -> Ready:
    """Those that wait for a worker, not those that a switch or a person holds."""
    now = database_now()
    found = Run.objects.claimable(now).aggregate(
        runs=Count("pk"), ready=Min("ready_at"), created=Min("created_at", filter=Q(ready_at=None))
    )
    moments = [at for at in (found["ready"], found["created"]) if at is not None]
    oldest = (now - min(moments)).total_seconds() if moments else 0.0
    return Ready(found["runs"], max(0.0, oldest))


def leases() -> dict[str, int]:
    """Runs at work, by whether their worker has given its sign of life in time."""
    found = Run.objects.filter(state=RunState.RUNNING).aggregate(
        held=Count("pk", filter=Q(lease_expires_at__gt=Now())),
        expired=Count("pk", filter=Q(lease_expires_at__lte=Now())),
    )
    return {"held": found["held"], "expired": found["expired"]}


def paused_runs() -> int:
    """Open runs that a person has paused."""
    return Run.objects.filter(state__in=OPEN, paused_at__isnull=False).count()


def effects_in_doubt() -> int:
    """Calls of which nobody knows whether they happened, and that wait for a person."""
    return EffectRecord.objects.filter(state=EffectState.IN_DOUBT).count()
