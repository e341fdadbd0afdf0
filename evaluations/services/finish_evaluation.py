"""End an evaluation: as its cases turned out, or as interrupted where its process is gone."""

from __future__ import annotations

from django.db import transaction

from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef, Outcome
from evaluations.models import Evaluation
from evaluations.services.record_case import lock_playing
from evaluations.vocabulary import EvaluationState

AT_ONCE = 100


def finish_evaluation(evaluation: Evaluation) -> Evaluation:
    """End it once every case was played as often as it should be. Raises NotPlayable."""
    with transaction.atomic():
        row = lock_playing(evaluation)
        assert row.played == row.plays, "only a whole evaluation ends by itself"
        whole = row.passed == row.plays
        _end(row, EvaluationState.PASSED if whole else EvaluationState.FAILED)
    return row


def interrupt(evaluation: Evaluation) -> None:
    """End what this process plays before it is whole, as a person asked it to. Raises NotPlayable."""
    with transaction.atomic():
        _end(lock_playing(evaluation), EvaluationState.INTERRUPTED)


def interrupt_stale() -> int:
    """Mark evaluations whose process is gone; returns how many. Safe to run several at once."""
    with transaction.atomic():
        stale = (
            Evaluation.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("agent", "agent_version", "started_by")
            .filter(state=EvaluationState.RUNNING, lease_expires_at__lt=database_now())
            .order_by("lease_expires_at")[:AT_ONCE]
        )
        found = list(stale)
        for row in found:
            _end(row, EvaluationState.INTERRUPTED)
    return len(found)


def _end(row: Evaluation, state: EvaluationState) -> None:
    row.state, row.finished_at, row.lease_expires_at = state, database_now(), None
    row.save(update_fields=["state", "finished_at", "lease_expires_at"])
    interrupted = state is EvaluationState.INTERRUPTED
    record(
        type="evaluation.interrupted" if interrupted else "evaluation.finished",
        # A command does it, in whoever's name.
        actor=Actor.system("evaluate"),
        stream=f"agent:{row.agent.slug}",
        agent=AgentRef(slug=row.agent.slug, version=row.agent_version.digest),
        outcome=Outcome(decision=state.value),
        facts={
            "evaluation": row.pk,
            "suite": row.suite,
            "suite_sha256": row.suite_digest,
            "cases": row.cases,
            "repeat": row.repeat,
            "played": row.played,
            "passed": row.passed,
            "cost_micros": row.cost_micros,
            "by": row.started_by_id,
        },
    )
