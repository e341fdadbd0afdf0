"""Copy the beginning of a journal to another run, as history: without what only its own run may stand for."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import connection

from agents.models import Step

#: What a copy does not have: requests to people, effects, locks and costs are the original's.
_LEFT_OUT: Final = {
    "id": "gen_random_uuid()",
    "run_id": "%(to)s",
    "approval_id": "NULL",
    "undoes_id": "NULL",
    "stopped": "false",
    "locks": "'[]'::jsonb",
    "state_token": "''",
    "epoch": "0",
    "tokens_in": "0",
    "tokens_out": "0",
    "cost_micros": "0",
}


def copy_steps(source: UUID, to: UUID, *, until: int) -> None:
    """Insert the first steps of the run `source` into the run `to`, which has none yet. One statement."""
    columns = [str(field.column) for field in Step._meta.concrete_fields]
    chosen = [_LEFT_OUT.get(column, f'"{column}"') for column in columns]
    # Names of columns alone; all values are parameters.
    sql = (
        f"INSERT INTO agents_step ({', '.join(columns)}) SELECT {', '.join(chosen)}"  # noqa: S608
        " FROM agents_step WHERE run_id = %(source)s AND seq <= %(until)s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, {"to": to, "source": source, "until": until})
