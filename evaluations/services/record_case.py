"""Begin a case with its run, and write down how it turned out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.callers import Caller
from agents.models import AgentVersion
from agents.services.start_simulated import start_simulated
from agents.states import Unanswered
from audit.clock import database_now
from audit.fault_points import reached
from evaluations.checks import Problem
from evaluations.errors import NotPlayable
from evaluations.models import CaseResult, Evaluation
from evaluations.observed import Observed
from evaluations.schemas import Case
from evaluations.script import Script
from evaluations.vocabulary import CaseState, EvaluationState

SUMMED = ("steps", "model_calls", "tokens", "cost_micros", "unpriced_calls", "seconds")


@dataclass(frozen=True)
class Turn:
    """One case of a suite, for one of its times: `place` counts cases from 0, `attempt` from 1."""

    place: int
    attempt: int
    case: Case


def begin_case(
    evaluation: Evaluation, turn: Turn, script: Script, *, version: AgentVersion, caller: Caller
) -> CaseResult:
    """Start the run of a case, together with the row that says what answers it; the row that is there already,
    where an earlier process began it.

    Raises NotPlayable, or what `start_simulated` refuses.
    """
    with transaction.atomic():
        lock_playing(evaluation)
        begun = CaseResult.objects.filter(
            evaluation=evaluation, place=turn.place, attempt=turn.attempt
        ).first()
        if begun is not None:
            return begun
        run = start_simulated(
            agent=evaluation.agent.slug,
            version=version,
            input=turn.case.input,
            answers=(),
            unanswered=Unanswered.END,
            caller=caller,
        )
        result = _insert(
            evaluation, turn, script.model_dump(mode="json", exclude_unset=True), run.pk
        )
        reached("evaluation.case_begun")
    return result


def refuse_case(evaluation: Evaluation, turn: Turn, problems: Sequence[Problem]) -> CaseResult:
    """Write down that a case could not be played, and why. Raises NotPlayable."""
    with transaction.atomic():
        lock_playing(evaluation)
        result = _insert(evaluation, turn, {}, None)
        _finish(evaluation, result, CaseState.BROKEN, problems, None, ())
    return result


def finish_case(
    evaluation: Evaluation,
    result: CaseResult,
    *,
    state: CaseState,
    problems: Sequence[Problem],
    seen: Observed,
    models: Sequence[str],
) -> CaseResult:
    """Keep how it turned out, and add it to the sums; once. Raises NotPlayable where somebody else plays by now."""
    with transaction.atomic():
        lock_playing(evaluation)
        _finish(evaluation, result, state, problems, seen, models)
        reached("evaluation.case_recorded")
    return result


def lock_playing(evaluation: Evaluation) -> Evaluation:
    """The evaluation's row, locked. Raises NotPlayable where it is not this process's any more."""
    rows = Evaluation.objects.select_for_update(of=("self",))
    row = rows.select_related("agent", "agent_version").get(pk=evaluation.pk)
    if row.state != EvaluationState.RUNNING or row.epoch != evaluation.epoch:
        raise NotPlayable(
            "It was taken for interrupted, or another process plays it by now. Nothing more is recorded here."
        )
    return row


def still_playing(evaluation: Evaluation, *, lease_seconds: float) -> bool:
    """Say that this process is alive; False where the evaluation is not its own any more."""
    mine = Evaluation.objects.filter(
        pk=evaluation.pk, epoch=evaluation.epoch, state=EvaluationState.RUNNING
    )
    return mine.update(lease_expires_at=Now() + timedelta(seconds=lease_seconds)) == 1


def _insert(
    evaluation: Evaluation, turn: Turn, script: dict[str, object], run: UUID | None
) -> CaseResult:
    return CaseResult.objects.create(
        evaluation=evaluation,
        place=turn.place,
        attempt=turn.attempt,
        name=turn.case.name,
        script=script,
        run_id=run,
        started_at=database_now(),
    )


def _finish(
    evaluation: Evaluation,
    result: CaseResult,
    state: CaseState,
    problems: Sequence[Problem],
    seen: Observed | None,
    models: Sequence[str],
) -> None:
    sums = {name: getattr(seen, name) if seen else 0 for name in SUMMED}
    landed = CaseResult.objects.filter(pk=result.pk, state=CaseState.PLAYING).update(
        state=state.value,
        outcome=seen.outcome if seen else "",
        problems=[problem.as_json() for problem in problems],
        tool_calls=seen.tool_calls if seen else 0,
        models_reported=list(models),
        finished_at=database_now(),
        **sums,
    )
    if not landed:
        raise NotPlayable(f"“{result.name}” was written down already.")
    Evaluation.objects.filter(pk=evaluation.pk).update(
        played=F("played") + 1,
        passed=F("passed") + int(state is CaseState.PASSED),
        **{name: F(name) + amount for name, amount in sums.items()},
    )
    result.refresh_from_db()
