"""Insights over REST: translate, one call into the domain, translate back."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import ConfigDict, Field

from accounts.doors import signed_in
from insights.asking import Question
from insights.errors import PeriodInvalid
from insights.representations import report_json
from insights.services.correct_failure import correct_failure
from insights.services.set_thresholds import set_thresholds
from insights.visibility import require_sight_by_api
from insights.vocabulary import Failure

router = Router()
Name = Annotated[str, Field(max_length=100)]


class AskedIn(Schema):
    """Days of UTC, both included; without them the last 30. `step` of `over_time`: day, week or month."""

    model_config = ConfigDict(extra="forbid")
    period: Annotated[str, Field(description="day, week, month, quarter or year, up to today")] = ""
    since: str = ""
    until: str = ""
    step: str = ""
    agent: Name = ""
    version: Name = ""
    category: Name = ""
    tool: Name = ""


class FailureIn(Schema):
    """Why a run did not succeed."""

    model_config = ConfigDict(extra="forbid")
    failure: Failure


class AlertsIn(Schema):
    """When the owner group of an agent is alerted; null is as the settings say, 0 is never."""

    model_config = ConfigDict(extra="forbid")
    failure_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    cost_micros: Annotated[int, Field(ge=0, le=10**12)] | None = None
    cost_times: Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)] | None = None


@router.get("insights", response=dict[str, Any], tags=["insights"], summary="Figures of agents")
def read_insights(request: HttpRequest, asked: Query[AskedIn]) -> dict[str, Any]:
    """What agents cost, how they do and what they ask of people, by agent, version, category, tool and period.
    For operators, admins and auditors; `people` is null for those who may not see what each person decided."""
    caller = signed_in(request)
    require_sight_by_api(caller)
    question = Question.read(asked.model_dump())
    form = question.form
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise PeriodInvalid(str(field), str(errors[0]))
    found = question.answer(caller)
    counted = found.counted_at.isoformat() if found.counted_at else None
    return report_json(found.report, found.people, counted)


@router.put(
    "runs/{run_id}/failure",
    response=dict[str, Any],
    tags=["insights"],
    summary="Say why a run failed",
)
def put_failure(request: HttpRequest, run_id: UUID, body: FailureIn) -> dict[str, Any]:
    """The class holds in all figures from then on; the one that the journal gave stays beside it."""
    fact = correct_failure(run_id=run_id, failure=body.failure, caller=signed_in(request))
    return {"run": str(fact.pk), "failure": fact.failure, "assigned": fact.assigned}


@router.put(
    "agents/{slug}/alerts",
    response=dict[str, Any],
    tags=["insights"],
    summary="Set what is alerted of",
)
def put_alerts(request: HttpRequest, slug: str, body: AlertsIn) -> dict[str, Any]:
    """All thresholds at once."""
    made = set_thresholds(slug=slug, caller=signed_in(request), **body.model_dump())
    return {
        "agent": slug,
        "failure_percent": made.failure_percent,
        "cost_micros": made.cost_micros,
        "cost_times": made.cost_times,
    }
