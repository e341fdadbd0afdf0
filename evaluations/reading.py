"""Reading runs to make cases of them, and evaluations to put beside each other."""

from __future__ import annotations

from uuid import UUID

from accounts.callers import Caller
from agents.errors import UnknownRun
from agents.models import Run, Step
from agents.states import RunState
from evaluations.errors import NotPlayable
from evaluations.from_run import case_from
from evaluations.models import Evaluation
from evaluations.schemas import Case
from evaluations.services.save_case import may_save
from evaluations.vocabulary import EvaluationState


def case_of_run(run_id: UUID, caller: Caller) -> tuple[Run, Case]:
    """The run, and the case that it makes. Raises UnknownRun, NotPlayable for one that is under way, or a
    Forbidden."""
    rows = Run.objects.visible_for(caller).select_related("agent__owner_group", "agent_version")
    run = rows.filter(pk=run_id).first()
    if run is None:
        raise UnknownRun
    may_save(run.agent, caller, refuse=True)
    if not run.ended and run.state != RunState.WAITING:
        raise NotPlayable("The run is under way. A case is made of it once it has ended, or waits.")
    return run, case_from(run, list(Step.objects.filter(run=run).in_order()))


def before(evaluation: Evaluation) -> Evaluation | None:
    """The evaluation of the same suite to hold this one against: the newest whole one before it."""
    rows = Evaluation.objects.filter(
        agent=evaluation.agent_id,
        suite=evaluation.suite,
        started_at__lt=evaluation.started_at,
        state__in=(EvaluationState.PASSED, EvaluationState.FAILED),
    )
    return rows.select_related("agent", "agent_version").newest_first().first()
