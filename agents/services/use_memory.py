"""Write down what an agent wants to remember, and find it again: done and journalled in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, cast

from django.db import connection
from django.db.models import Q
from pydantic import BaseModel

from agents.context import refusal_message, result_message
from agents.definitions import Agent
from agents.models import Memory, Run, Step
from agents.notebook import RECALL, Note, Question
from agents.services.admit import may_go_on, use_leave
from agents.services.claim import Lease, fenced
from agents.services.close_call import close_call
from agents.services.dispatch import Lapsed, Reopened
from agents.tools import Tool, Trust
from agents.withheld import sensitive_values
from approvals.withholding import Withheld
from audit.clock import database_now
from audit.fault_points import reached

MOST_KEPT: Final = 10_000
"""So many things one agent keeps, what was replaced counted in."""
MOST_CHARACTERS: Final = 20_000
"""So much is recalled at once."""

_ROOT = """
WITH RECURSIVE up AS (
    SELECT id, parent_id, delegated_by_id FROM agents_run WHERE id = %s
    UNION ALL
    SELECT run.id, run.parent_id, run.delegated_by_id
      FROM up JOIN agents_run AS run ON run.id = up.parent_id
     WHERE up.delegated_by_id IS NOT NULL)
SELECT id FROM up WHERE delegated_by_id IS NULL
"""


@dataclass(frozen=True)
class Told:
    """What the agent is told, and what of it taints the run; `problem` where nothing was done."""

    output: dict[str, Any]
    problem: str = ""
    taints: list[str] = field(default_factory=list)


def use_memory(lease: Lease, step: Step, tool: Tool, agent: Agent) -> Lapsed | Reopened | None:
    """Do the call, `remember` or `recall`; None when it is done.

    Raises a Refusal, with nothing done, when it may not be done now: CallStopped, NotConsumable, StepMoved.
    """
    with fenced(lease, with_switches=True) as run:
        if not may_go_on(run, tool, agent):
            return Reopened()
        held_up = use_leave(step, tool, agent)
        if held_up is not None:
            return held_up
        given = tool.parse(step.arguments or {})
        told = _done(run, step, given)
        close_call(run, step, told.output, problem=told.problem, taints=told.taints)
        reached("memory.before_commit")
        return None


def _done(run: Run, step: Step, given: BaseModel) -> Told:
    if step.name == RECALL:
        return _recall(run, cast(Question, given))
    return _remember(run, step, cast(Note, given))


def _remember(run: Run, step: Step, note: Note) -> Told:
    """Under the agent's row nobody else writes down for it, so a key has one current text."""
    hidden = Withheld(sensitive_values([run]).get(run.pk, ()))
    if hidden.text(note.key) != note.key or hidden.text(note.text) != note.text:
        what = "It repeats a sensitive argument, which is never written down."
        return _refused("memory_sensitive", what)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM agents_hostedagent WHERE id = %s FOR UPDATE", [run.agent_id])
    kept = Memory.objects.filter(agent=run.agent_id)
    if kept.count() >= MOST_KEPT:
        what = f"{MOST_KEPT:,} things are written down already; ask a person to delete some."
        return _refused("memory_full", what)
    now = database_now()
    root = root_of(run) if note.scope == "run" else None
    place = Q(root=root) if root is not None else Q(root__isnull=True)
    replaced = kept.current().filter(place, key=note.key).update(superseded_at=now)
    Memory.objects.create(
        agent=run.agent,
        root_id=root,
        key=note.key,
        text=note.text,
        run=run,
        step=step,
        tainted=run.tainted,
        tainted_by=run.tainted_by,
        created_at=now,
    )
    result = {"remembered": note.key, "replaced": bool(replaced)}
    return Told(result_message(result, trust=Trust.TRUSTED, as_of=now.isoformat()))


def _recall(run: Run, asked: Question) -> Told:
    """What fits best first; what stands for other agents, or for other runs alone, is never found."""
    rows = (
        Memory.objects.filter(Q(root__isnull=True) | Q(root=root_of(run)), agent=run.agent_id)
        .current()
        .matching(asked.query)
        .select_related("step")
        .best_first()[: asked.limit + 1]
    )
    found: list[Memory] = []
    size = 0
    for row in rows[: asked.limit]:
        size += len(row.text)
        if found and size > MOST_CHARACTERS:
            break
        found.append(row)
    tainted = [row for row in found if row.tainted]
    result = {
        "found": [
            {
                "key": row.key,
                "text": row.text,
                "as_of": row.created_at.isoformat(),
                "from": {"run": str(row.run_id), "step": row.step.seq},
                "trust": (Trust.UNTRUSTED if row.tainted else Trust.TRUSTED).value,
            }
            for row in found
        ],
        "more": len(rows) > len(found),
    }
    trust = Trust.UNTRUSTED if tainted else Trust.TRUSTED
    read = [name for row in tainted for name in row.tainted_by if name not in run.tainted_by]
    output = result_message(result, trust=trust, as_of=database_now().isoformat())
    if not read:
        return Told(output)
    by = f"its memory, which came from {', '.join(dict.fromkeys(read))}"
    return Told({**output, "taints": by}, taints=[by] if by not in run.tainted_by else [])


def root_of(run: Run) -> Any:
    """The id of the first run of the line."""
    if run.delegated_by_id is None:
        return run.pk
    with connection.cursor() as cursor:
        cursor.execute(_ROOT, [run.pk])
        return cursor.fetchone()[0]


def _refused(code: str, message: str) -> Told:
    return Told(refusal_message("failed", code, message), problem=code)
