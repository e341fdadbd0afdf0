"""The runs that a run handed work to, and the one that handed work to it, as one reader may see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Q, Sum

from accounts.callers import Caller
from agents import registry, wording
from agents.models import Run, Step
from agents.states import OPEN, StepKind
from approvals.withholding import Withheld

# Up to the first run of each line, and from a fork to what it is one of, then down to all below them: whoever may
# not read something in one of them may not read it in another.
_KIN = """
WITH RECURSIVE up AS (
    SELECT id AS start, id, parent_id, delegated_by_id, forked_from_id
      FROM agents_run WHERE id = ANY(%s)
    UNION ALL
    SELECT up.start, run.id, run.parent_id, run.delegated_by_id, run.forked_from_id
      FROM up JOIN agents_run AS run
        ON run.id = CASE WHEN up.delegated_by_id IS NULL THEN up.forked_from_id ELSE up.parent_id END),
down AS (
    SELECT start, id FROM up WHERE delegated_by_id IS NULL
    UNION ALL
    SELECT down.start, run.id FROM down JOIN agents_run AS run ON run.parent_id = down.id
     WHERE run.delegated_by_id IS NOT NULL)
SELECT start, id FROM down
"""


_BELOW = """
WITH RECURSIVE below AS (
    SELECT %s::uuid AS id
    UNION ALL
    SELECT run.id FROM below JOIN agents_run AS run ON run.parent_id = below.id
     WHERE run.delegated_by_id IS NOT NULL)
SELECT id FROM below
"""


@dataclass(frozen=True)
class Kin:
    """Another run of the same line. `url_id` is None, and `title` empty, where the reader may not open it."""

    url_id: UUID | None
    title: str
    agent: str
    state: str
    tone: str
    ended: bool
    tokens: int

    @property
    def words(self) -> str:
        """Agent and state, in a line."""
        return f"{self.agent}: {self.state.lower()}"


@dataclass(frozen=True)
class Below:
    """What all runs that a run started itself come to, with all below them."""

    runs: int
    tokens: int


def may_delegate(run: Run) -> bool:
    """Whether the run's agent can hand work to others, or could when the run began."""
    installed = registry.find(run.agent.slug)
    recorded = run.agent_version.definition.get("delegates")
    return bool(recorded or (installed is not None and installed.delegates))


def kin_ids(runs: Sequence[Run]) -> dict[UUID, set[UUID]]:
    """By run, the ids of all runs of its line, its own among them; runs without any are left out. No query
    unless one of them hands over work or was handed it; else one."""
    asked = [
        run.pk
        for run in runs
        if run.delegated_by_id is not None or run.forked_from_id is not None or may_delegate(run)
    ]
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_KIN, [asked])
        found: dict[UUID, set[UUID]] = {}
        for start, each in cursor.fetchall():
            found.setdefault(start, set()).add(each)
    return {start: line for start, line in found.items() if len(line) > 1}


def with_all_below(run: Run) -> list[UUID]:
    """The ids of the run and of all runs that came of its handing on work. No query unless it can; else one."""
    if not may_delegate(run):
        return [run.pk]
    with connection.cursor() as cursor:
        cursor.execute(_BELOW, [run.pk])
        return [pk for (pk,) in cursor.fetchall()]


def children_of(
    steps: Iterable[Step], caller: Caller, withheld: Mapping[UUID, Withheld]
) -> dict[UUID, Kin]:
    """By the step that started it, each run that these steps started; `withheld` by their own run. No query
    without such steps; else two."""
    started = [step.pk for step in steps if step.kind == StepKind.DELEGATE]
    if not started:
        return {}
    rows = list(
        Run.objects.filter(delegated_by__in=started).select_related("agent", "taken_over_by")
    )
    seen = _seen(rows, caller)
    return {
        row.delegated_by_id: _kin(row, seen, withheld.get(row.parent_id, Withheld()))
        for row in rows
        if row.delegated_by_id is not None and row.parent_id is not None
    }


def parent_of(run: Run, caller: Caller, withheld: Withheld) -> Kin | None:
    """The run that handed work to this one. No query where there is none; else two."""
    if run.delegated_by_id is None:
        return None
    assert run.parent_id is not None, "a call is a run's"
    row = Run.objects.select_related("agent", "taken_over_by").get(pk=run.parent_id)
    return _kin(row, _seen([row], caller), withheld)


def below(run: Run) -> Below | None:
    """What the runs below come to; None where there are none. No query where there can be none."""
    if not may_delegate(run):
        return None
    rows = Run.objects.filter(parent=run, delegated_by__isnull=False)
    summed = rows.aggregate(
        runs=Count("pk"),
        tokens=Sum(F("tokens_in") + F("tokens_out"), default=0),
        # What may be secret yet (`Run.shown_tokens_in`).
        scores=Sum(
            F("score_tokens_in") + F("score_tokens_out"), filter=Q(state__in=OPEN), default=0
        ),
    )
    if not summed["runs"]:
        return None
    return Below(summed["runs"], summed["tokens"] - summed["scores"])


def children_counts(runs: Sequence[Run]) -> dict[UUID, int]:
    """How many runs each of them started; those without are left out. At most one query."""
    asked = [run.pk for run in runs if may_delegate(run)]
    if not asked:
        return {}
    rows = Run.objects.filter(parent__in=asked, delegated_by__isnull=False).order_by()
    counted = rows.values_list("parent").annotate(n=Count("pk"))
    return {parent: number for parent, number in counted if parent is not None}


def _seen(rows: Sequence[Run], caller: Caller) -> set[UUID]:
    visible = Run.objects.visible_for(caller).filter(pk__in=[row.pk for row in rows])
    return set(visible.values_list("pk", flat=True))


def _kin(row: Run, seen: set[UUID], withheld: Withheld) -> Kin:
    may_open = row.pk in seen
    return Kin(
        url_id=row.pk if may_open else None,
        title=withheld.text(row.title) if may_open else "",
        agent=row.agent.title,
        state=wording.run_state(row),
        tone=wording.run_tone(row),
        ended=row.ended,
        tokens=row.shown_tokens_in + row.shown_tokens_out,
    )
