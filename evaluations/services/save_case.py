"""Keep a case of a suite, change one, delete one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.callers import Caller
from accounts.errors import PermissionMissing
from agents.errors import UnknownAgent, UnknownRun
from agents.models import HostedAgent, Run
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef
from evaluations.errors import CaseHidesValues, CaseNameTaken, SuiteMalformed, UnknownCase
from evaluations.from_run import marks_in
from evaluations.models import SavedCase
from evaluations.schemas import MOST_CASES, Case, Suite
from evaluations.suite_files import as_document


def save_case(
    *,
    agent: str,
    suite: str,
    case: Case,
    caller: Caller,
    made_from: UUID | None = None,
    case_id: UUID | None = None,
) -> SavedCase:
    """Keep a new case of a suite, or with `case_id` change one. Whoever may start runs may, and the people of the
    group that owns the agent.

    `made_from`: the run it was made from, which the caller may see. Raises UnknownAgent, UnknownRun, UnknownCase,
    SuiteMalformed, CaseHidesValues, CaseNameTaken, or a Forbidden.
    """
    hosted = _agent(agent, caller)
    document = as_document(case)
    # What is in it may be read by whoever may see how the agent does.
    if places := marks_in(document):
        raise CaseHidesValues(places)
    if (
        made_from is not None
        and not Run.objects.visible_for(caller).filter(pk=made_from, agent=hosted).exists()
    ):
        raise UnknownRun
    Suite(suite=suite, agent=agent, cases=[case])
    try:
        with transaction.atomic():
            return _save(hosted, suite, case.name, document, caller, made_from, case_id)
    except IntegrityError as error:
        raise CaseNameTaken(suite, case.name) from error


def delete_case(*, case_id: UUID, caller: Caller) -> None:
    """Delete a case. What was played stays as it was. Raises UnknownCase, or a Forbidden."""
    with transaction.atomic():
        row = _locked(case_id, caller)
        may_save(row.agent, caller, refuse=True)
        _tell("evaluation.case_deleted", row, caller)
        row.delete()


def may_save(agent: HostedAgent, caller: Caller, *, refuse: bool = False) -> bool:
    """Whether the caller may keep cases of the agent; with `refuse` a Forbidden in place of False."""
    able = caller.may("start_runs", "run") or (
        agent.owner_group_id in caller.own_group_ids and "run" in caller.scopes
    )
    if refuse and not able:
        caller.require("start_runs", scope="run")
        raise PermissionMissing("start_runs")
    return able


def _save(
    hosted: HostedAgent,
    suite: str,
    name: str,
    document: dict[str, Any],
    caller: Caller,
    made_from: UUID | None,
    case_id: UUID | None,
) -> SavedCase:
    now = database_now()
    if case_id is None:
        # Two who add the last one that fits wait for each other here.
        HostedAgent.objects.select_for_update().get(pk=hosted.pk)
        if SavedCase.objects.filter(agent=hosted, suite=suite).count() >= MOST_CASES:
            raise SuiteMalformed(
                suite, [("cases", f"holds {MOST_CASES} cases; begin another suite")]
            )
        row = SavedCase(agent=hosted, created_at=now, made_from_id=made_from)
    else:
        row = _locked(case_id, caller)
        if row.agent_id != hosted.pk:
            raise UnknownCase
        row.version += 1
    row.suite, row.name, row.document = suite, name, document
    row.saved_by, row.saved_at = caller.user, now
    row.save()
    _tell("evaluation.case_saved", row, caller)
    return row


def _tell(kind: str, row: SavedCase, caller: Caller) -> None:
    record(
        type=kind,
        actor=caller.actor,
        stream=f"agent:{row.agent.slug}",
        agent=AgentRef(slug=row.agent.slug, run=row.made_from_id),
        facts={"case": row.pk, "suite": row.suite, "edition": row.version},
    )


def _agent(slug: str, caller: Caller) -> HostedAgent:
    rows = HostedAgent.objects.visible_to(caller.user).select_related("owner_group")
    hosted = rows.filter(slug=slug).first()
    if hosted is None:
        raise UnknownAgent(slug)
    may_save(hosted, caller, refuse=True)
    return hosted


def _locked(case_id: UUID, caller: Caller) -> SavedCase:
    rows = SavedCase.objects.visible_to(caller.user).select_related("agent__owner_group")
    row = rows.select_for_update(of=("self",)).filter(pk=case_id).first()
    if row is None:
        raise UnknownCase
    return row
