"""Begin an evaluation, or take one up again whose process ended before it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from accounts.callers import Caller
from agents.models import AgentVersion, HostedAgent
from approvals.services.policies import current
from audit.clock import database_now
from evaluations.errors import NotPlayable, UnknownEvaluation
from evaluations.models import Evaluation
from evaluations.suite_files import as_document
from evaluations.suites import Found
from evaluations.vocabulary import EvaluationState

MOST_REPEATS = 100
#: Who plays an evaluation says at each step that it is alive; no step takes longer (`leases.lease_seconds`).
LEAST_LEASE_SECONDS = 60.0


def begin_evaluation(
    *,
    agent: HostedAgent,
    version: AgentVersion,
    found: Found,
    caller: Caller,
    lease_seconds: float,
    model: str = "",
    repeat: int = 1,
) -> Evaluation:
    """Write down what is about to be played. Who may start runs may evaluate. Raises a Forbidden, NotPlayable."""
    caller.require("start_runs", scope="run")
    if not 1 <= repeat <= MOST_REPEATS:
        raise NotPlayable(f"A case is played 1 to {MOST_REPEATS} times, not {repeat}.")
    with transaction.atomic():
        now = database_now()
        return Evaluation.objects.create(
            agent=agent,
            agent_version=version,
            suite=found.suite.suite,
            suite_digest=found.digest,
            suite_document=as_document(found.suite),
            source=found.source,
            model=model,
            repeat=repeat,
            policy_version=current().version,
            started_by=caller.user,
            started_at=now,
            lease_expires_at=now + timedelta(seconds=lease_seconds),
            cases=len(found.suite.cases),
        )


def resume_evaluation(*, evaluation_id: UUID, caller: Caller, lease_seconds: float) -> Evaluation:
    """Take up an evaluation that was interrupted: what was played stands, the rest is to be played.

    One that somebody is still playing is refused, by the clock of the database. Raises UnknownEvaluation,
    NotPlayable, or a Forbidden.
    """
    caller.require("start_runs", scope="run")
    with transaction.atomic():
        now = database_now()
        given_up = Q(state=EvaluationState.INTERRUPTED) | Q(
            state=EvaluationState.RUNNING, lease_expires_at__lt=now
        )
        landed = Evaluation.objects.filter(given_up, pk=evaluation_id).update(
            state=EvaluationState.RUNNING,
            finished_at=None,
            epoch=F("epoch") + 1,
            lease_expires_at=now + timedelta(seconds=lease_seconds),
        )
        rows = Evaluation.objects.select_related("agent", "agent_version", "started_by")
        evaluation = rows.filter(pk=evaluation_id).first()
        if evaluation is None:
            raise UnknownEvaluation
        if not landed:
            if evaluation.state == EvaluationState.RUNNING:
                raise NotPlayable("It is being played by another process.")
            raise NotPlayable("It has ended. Begin a new one.")
    return evaluation
