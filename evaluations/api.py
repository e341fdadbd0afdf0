"""Evaluations over REST: translate, one domain call, translate back."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.api_shapes import Body
from audit.paging import page
from evaluations.comparing import compare
from evaluations.errors import UnknownCase, UnknownEvaluation
from evaluations.models import Evaluation, SavedCase
from evaluations.reading import case_of_run
from evaluations.representations import (
    case_as_json,
    compared_as_json,
    evaluation_as_json,
    whole_as_json,
)
from evaluations.schemas import Slug
from evaluations.services.save_case import delete_case, save_case
from evaluations.suite_files import as_document, case_of

router = Router()


class EvaluationList(Schema):
    items: list[dict[str, Any]]
    next_cursor: str | None


class CaseIn(Body):
    """A case to keep. `case` is as a suite's file has it (docs/evaluations.md); `made_from` the run it was made
    from."""

    agent: Annotated[str, Field(max_length=63)]
    suite: Slug
    case: dict[str, Any]
    made_from: UUID | None = None


@router.get(
    "evaluations", response=EvaluationList, tags=["evaluations"], summary="List evaluations"
)
def list_evaluations(
    request: HttpRequest,
    agent: str | None = None,
    suite: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Newest first, of the agents whose evaluations the caller may see."""
    rows = _evaluations(_reader(request))
    if agent is not None:
        rows = rows.filter(agent__slug=agent)
    if suite is not None:
        rows = rows.filter(suite=suite)
    found = page(rows, order=("-started_at", "-id"), cursor=cursor, limit=limit)
    return {
        "items": [evaluation_as_json(each) for each in found.items],
        "next_cursor": found.next_cursor,
    }


@router.get(
    "evaluations/{uuid:evaluation_id}",
    response=dict[str, Any],
    tags=["evaluations"],
    summary="One evaluation",
)
def read_evaluation(
    request: HttpRequest, evaluation_id: UUID, against: UUID | None = None
) -> dict[str, Any]:
    """With every result; with `against`, another evaluation, what got worse and better since that."""
    caller = _reader(request)
    evaluation = _one(caller, evaluation_id)
    results = list(evaluation.results.order_by("place", "attempt"))
    shown = whole_as_json(evaluation, results)
    if against is not None:
        other = _one(caller, against)
        compared = compare(evaluation, results, other, other.results.order_by("place", "attempt"))
        shown["against"] = str(other.pk)
        shown["compared"] = [compared_as_json(each) for each in compared]
    return shown


@router.get(
    "evaluation-cases", response=EvaluationList, tags=["evaluations"], summary="List saved cases"
)
def list_cases(
    request: HttpRequest,
    agent: str | None = None,
    suite: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Newest first. Cases of suites that stand in files are not among them."""
    rows = SavedCase.objects.visible_to(_reader(request).user).select_related("agent")
    if agent is not None:
        rows = rows.filter(agent__slug=agent)
    if suite is not None:
        rows = rows.filter(suite=suite)
    found = page(rows, cursor=cursor, limit=limit)
    return {
        "items": [case_as_json(each) for each in found.items],
        "next_cursor": found.next_cursor,
    }


@router.post(
    "evaluation-cases",
    response={201: dict[str, Any]},
    tags=["evaluations"],
    summary="Keep a case",
)
def create_case(request: HttpRequest, body: CaseIn) -> Status[dict[str, Any]]:
    """A new case of a suite; refused while it holds a mark in place of a sensitive value or a secret."""
    row = save_case(
        agent=body.agent,
        suite=body.suite,
        case=case_of(body.case, source="case"),
        made_from=body.made_from,
        caller=signed_in(request),
    )
    return Status(201, case_as_json(row))


@router.get(
    "evaluation-cases/{uuid:case_id}",
    response=dict[str, Any],
    tags=["evaluations"],
    summary="One saved case",
)
def read_case(request: HttpRequest, case_id: UUID) -> dict[str, Any]:
    """As it is kept."""
    rows = SavedCase.objects.visible_to(_reader(request).user).select_related("agent")
    row = rows.filter(pk=case_id).first()
    if row is None:
        raise UnknownCase
    return case_as_json(row)


@router.put(
    "evaluation-cases/{uuid:case_id}",
    response=dict[str, Any],
    tags=["evaluations"],
    summary="Change a case",
)
def change_case(request: HttpRequest, case_id: UUID, body: CaseIn) -> dict[str, Any]:
    """The whole case, in place of what it said. What was played stays as it was."""
    row = save_case(
        agent=body.agent,
        suite=body.suite,
        case=case_of(body.case, source="case"),
        caller=signed_in(request),
        case_id=case_id,
    )
    return case_as_json(row)


@router.delete(
    "evaluation-cases/{uuid:case_id}",
    response={204: None},
    tags=["evaluations"],
    summary="Delete a case",
)
def remove_case(request: HttpRequest, case_id: UUID) -> Status[None]:
    """What was played stays as it was."""
    delete_case(case_id=case_id, caller=signed_in(request))
    return Status(204, None)


@router.get(
    "runs/{uuid:run_id}/evaluation-case",
    response=dict[str, Any],
    tags=["evaluations"],
    summary="A case made from a run",
)
def propose_case(request: HttpRequest, run_id: UUID) -> dict[str, Any]:
    """What `POST evaluation-cases` would take: nothing is kept yet. Sensitive values stand as marks, for everybody,
    and are to be replaced before it can be kept."""
    run, case = case_of_run(run_id, _reader(request))
    return {
        "agent": run.agent.slug,
        "suite": f"{run.agent.slug}-cases"[:63],
        "case": as_document(case),
        "made_from": str(run.pk),
    }


def _reader(request: HttpRequest) -> Caller:
    caller = signed_in(request)
    caller.require(None, scope="read")
    return caller


def _evaluations(caller: Caller) -> Any:
    rows = Evaluation.objects.visible_to(caller.user).select_related("agent", "agent_version")
    return rows.defer("agent_version__definition", "suite_document")


def _one(caller: Caller, evaluation_id: UUID) -> Evaluation:
    rows = Evaluation.objects.visible_to(caller.user).select_related("agent", "agent_version")
    evaluation = rows.defer("agent_version__definition").filter(pk=evaluation_id).first()
    if evaluation is None:
        raise UnknownEvaluation
    return evaluation
