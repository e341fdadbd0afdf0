"""What holds a run up: what is switched off for it, as its worker reads it, and what people ask of it; and the lock
that setting a switch waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import F, Func, OuterRef

from agents.kill_switches import WHOLE, KillSwitch
from audit.statements import rows

if TYPE_CHECKING:
    from agents.models import Run

_OVER_RUN = KillSwitch.objects.active().over_line(OuterRef("agent_id"), OuterRef("under"))
HELD = ArraySubquery(_OVER_RUN.values("tool"))
"""Annotated to a run as `held`: the tools that are switched off for it; `WHOLE` stands for everything."""


def held_for_now(*fields: str) -> Func:
    """The same, and no switch is set before the transaction ends: what is read stays true until it commits.

    `fields`: the one that holds the agent's key and, of a run, the one with the keys of the agents above.
    """
    output = ArrayField(models.TextField())
    return Func(*map(F, fields), function="agents_held_tools", output_field=output)


HELD_FOR_NOW: Final = held_for_now("agent_id", "under")


def is_held(row: models.Model, tool: str = WHOLE) -> bool:
    """Whether a switch held the call, or everything, when the run or agent was read with `held`."""
    held = vars(row)["held"]
    return WHOLE in held or tool in held


def is_undisturbed(run: Run) -> bool:
    """Whether nothing is asked of the run that comes before what it would do next: to stop, to stand still, to hear
    what people say, to undo. `run` was read with `held`."""
    asked = (run.cancel_requested_at, run.paused_at, run.undoes_id)
    return not (run.unheard or is_held(run)) and all(each is None for each in asked)


def lock_switchboard() -> None:
    """Let nobody begin a call or a run until the transaction ends, after waiting for those who just do.

    Whoever takes it locks no run afterwards: workers hold a run's row when they ask for it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT agents_lock_switchboard()")


def held_tools(slug: str) -> list[str]:
    """What is switched off for the agent, like `HELD_FOR_NOW`; the agent need not be hosted here."""
    asked = "SELECT agents_held_tools((SELECT id FROM agents_hostedagent WHERE slug = %s))"
    held: list[str] = rows(asked, [slug])[0][0]
    return held
