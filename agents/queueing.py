"""The lines in which a run's calls stand, as one reader may see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.callers import Caller
from agents.models import Run
from agents.resources import lines_of
from agents.withheld import NOTHING, withheld_from
from approvals.eligibility import reads_sensitive

A_RESOURCE = "something it may touch only alone"


@dataclass(frozen=True)
class Before:
    """Whoever comes first: the run itself, a run that the reader may open, or `another run`."""

    words: str
    run: UUID | None


@dataclass(frozen=True)
class InLine:
    """A call that waits for a resource. `held`: the other call has it; else that one is only earlier.

    `resource` is its name, or says no more than that there is one: names are made from arguments, which
    this reader may not see.
    """

    run: UUID
    seq: int
    tool: str
    resource: str
    held: bool
    before: Before

    def as_json(self) -> dict[str, Any]:
        """As programs read it, among what a run waits for."""
        return {
            "approval": None,
            "kind": "resource",
            "name": self.tool,
            "step": self.seq,
            "resource": self.resource,
            "held": self.held,
            "run": str(self.before.run) if self.before.run else None,
            "run_title": self.before.words,
        }


def in_line(runs: Sequence[Run], caller: Caller) -> dict[UUID, list[InLine]]:
    """What each run's calls stand in line for, by run id. One query, and two more where there is any."""
    lines = lines_of([run.pk for run in runs])
    if not lines:
        return {}
    visible = Run.objects.visible_for(caller).filter(pk__in={line.before for line in lines})
    named = list(visible.select_related("agent", "agent_version").defer("input", "output"))
    withheld = withheld_from(named, caller)
    titles = {run.pk: withheld.get(run.pk, NOTHING).text(run.title) for run in named}
    reads_all = reads_sensitive(caller, listed=True)
    guarded = {} if reads_all else _guarded({line.run for line in lines})
    grouped: dict[UUID, list[InLine]] = {}
    for line in lines:
        if line.before == line.run:
            before = Before("another call of this run", None)
        elif line.before in titles:
            before = Before(titles[line.before], line.before)
        else:
            before = Before("another run", None)
        tells = reads_all or line.tool not in guarded[line.run]
        resource = line.resource if tells else A_RESOURCE
        grouped.setdefault(line.run, []).append(
            InLine(line.run, line.seq, line.tool, resource, line.held, before)
        )
    return grouped


def _guarded(runs: Collection[UUID]) -> dict[UUID, frozenset[str]]:
    """By run, its tools with arguments that not everybody sees."""
    found = Run.objects.filter(pk__in=runs).values_list("pk", "agent_version__definition")
    return {
        run: frozenset(
            str(tool["name"]) for tool in definition.get("tools", ()) if tool.get("sensitive")
        )
        for run, definition in found
    }
