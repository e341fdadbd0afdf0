"""How tools are, as all workers know it: failing again and again, and so not called for a while, or well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.contrib.postgres.expressions import ArraySubquery

from agents.models import Run, ToolHealth
from agents.tools import Tool

TROUBLED = ArraySubquery(ToolHealth.objects.filter(failures__gt=0).values("tool"))
"""The tools whose last call failed, read together with a run: no tool that is well costs a query."""


def is_troubled(run: Run, tool: Tool) -> bool:
    """Whether the tool's last call failed, when the run was read; also where that was not read."""
    troubled = vars(run).get("troubled")
    return troubled is None or tool.key in troubled


def note_troubled(run: Run, tool: Tool) -> None:
    """Remember with the run, as it was read, that the tool failed since."""
    vars(run)["troubled"] = [*(vars(run).get("troubled") or ()), tool.key]


@dataclass(frozen=True)
class Health:
    """`open`: not called before `open_until`; `probing`: one call finds out whether it is well again."""

    state: Literal["closed", "open", "probing"] = "closed"
    failures: int = 0
    open_until: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """As programs read it."""
        until = self.open_until.isoformat() if self.open_until else None
        return {"breaker": self.state, "failures": self.failures, "open_until": until}


def health_of(tools: Iterable[Tool], now: datetime) -> dict[str, Health]:
    """By the name of the tool. One query."""
    keys = {tool.key: tool.name for tool in tools}
    rows = ToolHealth.objects.filter(tool__in=keys, failures__gt=0)
    found = {name: Health() for name in keys.values()}
    return found | {keys[row.tool]: _of(row, now) for row in rows}


def _of(row: ToolHealth, now: datetime) -> Health:
    if row.open_until is None:
        return Health("closed", row.failures)
    probing = row.probe is not None or row.open_until <= now
    return Health("probing" if probing else "open", row.failures, row.open_until)
