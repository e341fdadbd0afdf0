"""Journals of many runs at once, as far as figures are made of them: four statements, however many runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from insights.judging import RunRow, StepRow, Version

_RUNS: Final = """
SELECT id, agent_version_id, created_at, finished_at, state, outcome, parent_id IS NOT NULL, step_count, waited_seconds
  FROM agents_run
 WHERE id = ANY(%s) AND undoes_id IS NULL AND finished_at IS NOT NULL AND NOT simulated
"""
# Of what was asked and answered, only what counts: a conversation is large.
_STEPS: Final = """
SELECT step.run_id, step.seq, step.kind, step.name, step.state, step.problem,
       step.judgement -> 'verdict' ->> 'outcome',
       step.approval_id IS NOT NULL,
       step.resolution ->> 'kind',
       coalesce(step.resolution ->> 'edited' = 'true', FALSE),
       step.resolution ->> 'by_id' IS NOT NULL,
       coalesce(request.decided_at, step.finished_at, step.started_at),
       CASE jsonb_typeof(step.attempts) WHEN 'array' THEN jsonb_array_length(step.attempts) ELSE 0 END,
       step.cost_micros,
       CASE WHEN step.problem = 'arguments_invalid' THEN step.output ->> 'message' END
  FROM agents_step AS step
  LEFT JOIN approvals_approvalrequest AS request
    ON request.id = step.approval_id AND step.resolution ->> 'by_id' IS NOT NULL
 WHERE step.run_id = ANY(%s)
 ORDER BY step.run_id, step.seq
"""
_EFFECTS: Final = """
SELECT effect.run_id,
       bool_or(effect.state = 'bounced'),
       bool_or(EXISTS (
           SELECT FROM agents_step AS undo
            WHERE undo.undoes_id = effect.id AND undo.state = 'succeeded'
              AND undo.finished_at > run.finished_at
              AND undo.finished_at <= run.finished_at + make_interval(secs => %s)))
  FROM agents_effect AS effect
  JOIN agents_run AS run ON run.id = effect.run_id
 WHERE effect.run_id = ANY(%s) AND effect.state NOT IN ('ready', 'failed')
 GROUP BY 1
"""
_VERSIONS: Final = "SELECT id, digest, definition FROM agents_agentversion WHERE id = ANY(%s)"


class Versions:
    """Versions of agents by their key; each is read once, since none ever changes."""

    def __init__(self) -> None:
        self._known: dict[int, Version] = {}

    def of(self, keys: Iterable[int]) -> Mapping[int, Version]:
        """Those of the keys, and others that are known."""
        missing = sorted(set(keys) - self._known.keys())
        if missing:
            for key, digest, definition in _rows(_VERSIONS, [missing]):
                self._known[key] = Version.of(digest, orjson.loads(definition))
        return self._known


def read_runs(ids: Sequence[UUID], versions: Versions, *, window: timedelta) -> list[RunRow]:
    """The runs among these that ended and are no undo, with their journals."""
    found = _rows(_RUNS, [list(ids)])
    known = versions.of(key for _, key, *_ in found)
    given = [window.total_seconds(), list(ids)]
    effects = {run: (bounced, undone) for run, bounced, undone in _rows(_EFFECTS, given)}
    runs = []
    for run, key, *facts in found:
        bounced, undone = effects.get(run, (False, False))
        effect = {"acted": run in effects, "undone": undone, "bounced": bounced}
        runs.append(RunRow(run, known[key], *facts, **effect))
    steps: dict[UUID, list[StepRow]] = {run.id: [] for run in runs}
    for run_id, *facts in _rows(_STEPS, [[run.id for run in runs]]):
        steps[run_id].append(StepRow(*facts))
    return [replace(run, steps=steps[run.id]) for run in runs]


def _rows(statement: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
