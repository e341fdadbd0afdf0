"""Resources that only one call may touch at a time: their names, and who stands before whom in line.

A call takes all its resources at once or none of them, so that a call that waits holds nothing and no
two calls can wait for each other. Tickets of one call are drawn while the lines of all its resources
are locked, so that any two calls stand in the same order in every line they share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now
from pydantic import BaseModel

from agents.foreign_errors import told_of
from agents.kill_switches import holds_whole
from agents.models import ResourceClaim, Step
from agents.states import HOLDING, SETTLED, RunState, StepState
from agents.storable import storable
from agents.tool_threads import bounded
from agents.tools import Tool
from audit.prepared import PreparedValues

log = structlog.get_logger(__name__)

MOST_NAMES = 16
LONGEST_NAME = 200
MOST_IN_TURN = 200


class LocksUnknown(Exception):
    """The resources of a call cannot be named, so it may not run; the text is for the model to read."""

    def __init__(self, step: Step, message: str) -> None:
        super().__init__(message)
        self.step = step


def names_of(tool: Tool, step: Step) -> list[str]:
    """The resources that the call touches, sorted, each once. Raises LocksUnknown."""
    if tool.lock_namer is None:
        return []
    try:
        given = bounded(tool, _listed, tool.lock_namer, tool.parse(step.arguments or {}))
        names = sorted({_checked(name) for name in given})
    # Foreign code; a call whose resources are not known could meet another one there.
    except Exception as error:
        log.warning(
            "locks_failed", tool=tool.name, step=str(step.pk), exc_info=told_of(tool, error)
        )
        raise LocksUnknown(
            step,
            f"What {tool.name} would touch could not be named ({type(error).__name__}). It did not run.",
        ) from error
    if len(names) > MOST_NAMES:
        raise LocksUnknown(
            step,
            f"{tool.name} would touch more than {MOST_NAMES} resources at once. It did not run; "
            "propose smaller calls.",
        )
    return names


def _listed(namer: Callable[..., Any], arguments: BaseModel) -> list[Any]:
    given = namer(arguments)
    if isinstance(given, str | bytes):
        raise TypeError("locks gives a list of names, not one name")
    return list(islice(given, MOST_NAMES + 1))


def _checked(name: Any) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(f"a resource is named by a text of 1 to {LONGEST_NAME} characters")
    return str(storable(name))


def lock_lines(names: Iterable[str]) -> None:
    """Keep everybody else out of these lines until the transaction ends. Takes them in one order."""
    keys = sorted({_key(name) for name in names})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [keys])


def _key(name: str) -> int:
    digest = hashlib.sha256(f"countersign.resource:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _moves(run: str = "") -> Q:
    """That a run goes on by itself; its calls that wait in line are passed over while it does not."""
    flags = ("paused_at", "cancel_requested_at")
    own = OuterRef(f"{run}pk")
    held_by_person = Step.objects.filter(run=own, kind__in=HOLDING, state=StepState.WAITING)
    switched_off = holds_whole(OuterRef(f"{run}agent_id"), OuterRef(f"{run}under"))
    moves = Q(**{f"{run}{flag}__isnull": True for flag in flags})
    return moves & Q(~Exists(held_by_person)) & Q(~switched_off)


def _others() -> QuerySet[ResourceClaim]:
    """Other calls' claims on the resource of the outer query's. Those of a settled step do not count."""
    return (
        ResourceClaim.objects.filter(resource=OuterRef("resource"))
        .exclude(step=OuterRef("step"))
        .exclude(step__state__in=SETTLED)
    )


_EARLIER = Q(ticket__lt=OuterRef("ticket"), step__stopped=False) & _moves("run__")


def _has_before() -> Q:
    """That a claim stands before this one. Two questions, since each has an index that answers it."""
    return Q(Exists(_others().filter(held=True))) | Q(Exists(_others().filter(_EARLIER)))


def is_held_up(step_id: UUID) -> bool:
    """Whether another call holds one of the step's resources, or comes before it there."""
    return ResourceClaim.objects.filter(_has_before(), step=step_id).exists()


def runs_in_turn(*, names: Sequence[str] | None = None, run: UUID | None = None) -> list[UUID]:
    """Parked runs with a call whose turn has come, up to `MOST_IN_TURN`; of these lines alone, or of this run
    alone."""
    if names is not None:
        rows = _in_turn_of_lines(list(names))
    elif run is not None:
        rows = _in_turn_of_run(run)
    else:
        rows = _in_turn()
    return [row["run"] for row in rows]


def _build_in_turn(**of: Any) -> QuerySet[Any, Any]:
    held_up = ResourceClaim.objects.filter(_has_before(), step=OuterRef("step"))
    parked = Q(run__state__in=[RunState.WAITING, RunState.SLEEPING])
    undoable = Q(run__state=RunState.READY, run__ready_at__gt=Now())
    # From the claims, of which few wait; of the runs very many may be parked.
    waiting = ResourceClaim.objects.filter(
        parked | undoable, _moves("run__"), ~Exists(held_up), held=False, step__stopped=False, **of
    ).exclude(step__state__in=SETTLED)
    return waiting.order_by().values("run").distinct()[:MOST_IN_TURN]


#: Every sweep asks the first, and the end of each call with a resource one of the others. Django takes six
#: milliseconds to make one, a third of what the whole sweep takes otherwise.
_in_turn = PreparedValues(_build_in_turn)
_in_turn_of_run = PreparedValues(lambda run: _build_in_turn(run=run), UUID(int=0))
_in_turn_of_lines = PreparedValues(
    lambda name: _build_in_turn(resource=name),
    "a resource",
    rewrite=lambda sql: sql.replace(
        '"agents_resourceclaim"."resource" = %s', '"agents_resourceclaim"."resource" = ANY(%s)', 1
    ),
)


@dataclass(frozen=True)
class Line:
    """A call that waits for a resource, and the run that holds it, or comes before it there."""

    run: UUID
    seq: int
    tool: str
    resource: str
    before: UUID
    held: bool


def lines_of(runs: Sequence[UUID]) -> list[Line]:
    """The lines in which calls of these runs stand, by step and resource. One query."""
    return [Line(*row.values()) for row in _lines(list(runs))]


def _build_lines(run: UUID) -> QuerySet[Any, Any]:
    first = _others().filter(Q(held=True) | _EARLIER).order_by("-held", "ticket")
    rows = (
        ResourceClaim.objects.filter(run=run, held=False)
        .exclude(step__state__in=SETTLED)
        .annotate(
            before=Subquery(first.values("run")[:1]), taken=Subquery(first.values("held")[:1])
        )
        .filter(before__isnull=False)
        .order_by("step__seq", "resource")
    )
    return rows.values("run", "step__seq", "step__name", "resource", "before", "taken")


#: Asked with every list of runs, of which hardly any stands in line.
_lines = PreparedValues(
    _build_lines,
    UUID(int=0),
    rewrite=lambda sql: sql.replace(
        '"agents_resourceclaim"."run_id" = %s', '"agents_resourceclaim"."run_id" = ANY(%s)', 1
    ),
)
