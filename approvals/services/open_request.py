"""Open a request: what waits for people, stored whole, with what they will be shown."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection

from accounts.models import ReviewGroup
from approvals import events
from approvals.addressing import groups_by_slug, named
from approvals.deadlines import due
from approvals.deciders import require_deciders
from approvals.digests import action_digest, document_digest
from approvals.models import ApprovalRequest, RequestGroup
from approvals.records import record_request
from approvals.revisions import keep_revision
from approvals.schemas import Opening, Requirements
from approvals.services import calendars
from approvals.services.first_mails import mail_later
from approvals.showing import show, visible_reasons
from approvals.vocabulary import GateOutcome, Kind, Risk
from approvals.withholding import values_in
from audit.actors import Actor
from audit.recorder import NoTransaction
from audit.writes import insert


class NotReviewable(ValueError):
    """A programming error: an action is opened for review without a verdict that asks for one."""


def open_request(*, opening: Opening, actor: Actor) -> ApprovalRequest:
    """Store the request inside the caller's transaction, which holds the run's lock.

    Browsers hear of it once that transaction commits; the deciding groups are mailed a little later, about all
    that was opened meanwhile.
    Raises `Unsatisfiable` when a required group does not exist, `NobodyCouldDecide` for an action that
    not enough people could approve, and `NotReviewable` for one without a verdict *review* or whose digest
    is not that of its arguments.
    """
    if not connection.in_atomic_block:
        raise NoTransaction
    _check(opening)
    opening = _titled(opening)
    requirements = _timed(_requirements(opening))
    slugs = {need.group for need in requirements.groups}
    if opening.owner_group:
        slugs.add(opening.owner_group)
    groups = groups_by_slug(slugs)
    if opening.kind == Kind.ACTION:
        initiator = () if opening.initiator is None else (opening.initiator,)
        require_deciders(requirements, groups, owner_group=opening.owner_group, barred=initiator)

    request = _build(opening, requirements, groups)
    shown, request.shown_sha256 = show(request)
    insert(request)
    for need in requirements.groups:
        insert(RequestGroup(request=request, group=groups[need.group], needed=need.count))
    mail_later(request, request.created_at)
    keep_revision(request, shown)
    if opening.supersedes is not None:
        ApprovalRequest.objects.filter(
            pk=opening.supersedes, run_id=opening.run_id, superseded_by=None
        ).update(superseded_by=request)

    events.announce(request, "opened", [groups[need.group].pk for need in requirements.groups])
    facts: dict[str, Any] = {
        "step": request.step_seq,
        "groups": [need.group for need in requirements.groups],
        "reasons": [reason["code"] for reason in visible_reasons(request)],
        "threshold_bp": request.threshold_bp if request.score_visible else None,
        "tainted": request.tainted,
        "review_deadline": request.review_deadline,
    }
    record_request(request, "request.opened", actor, facts=facts, content=True)
    return request


def _check(opening: Opening) -> None:
    if opening.kind != Kind.ACTION:
        return
    if opening.action is None or opening.verdict is None or opening.context is None:
        raise NotReviewable("an action is opened with its action, verdict and context")
    if opening.verdict.outcome != GateOutcome.REVIEW or opening.verdict.requirements is None:
        raise NotReviewable(f"the gate said {opening.verdict.outcome}, not review")
    action = opening.action
    if action.digest != action_digest(action.tool, action.tool_version, action.arguments):
        raise NotReviewable("the digest is not that of the arguments")


def _titled(opening: Opening) -> Opening:
    """With a title in any case: a request without one would be an empty line in every list."""
    if opening.preview.title.strip():
        return opening
    name = opening.action.tool if opening.action else opening.agent_title or opening.agent
    title = name.replace("_", " ").capitalize()
    return opening.model_copy(
        update={"preview": opening.preview.model_copy(update={"title": title})}
    )


def _requirements(opening: Opening) -> Requirements:
    if opening.verdict is not None and opening.verdict.requirements is not None:
        return named(opening.verdict.requirements, opening.owner_group)
    wanted = opening.requirements or Requirements()
    if (
        opening.kind == Kind.QUESTION
        and opening.initiator is not None
        and opening.owner_group is None
        and opening.requirements is None
    ):
        # Its initiator answers; an agent without an owner group has nobody else to ask.
        return wanted.model_copy(update={"groups": ()})
    return named(wanted, opening.owner_group)


def _timed(requirements: Requirements) -> Requirements:
    """With this installation's calendar for what passes no policy, which would name its own."""
    if requirements.calendar is not None:
        return requirements
    return requirements.model_copy(update={"calendar": settings.COUNTERSIGN.calendar})


def _build(
    opening: Opening, requirements: Requirements, groups: dict[str, ReviewGroup]
) -> ApprovalRequest:
    action, verdict, context, coin = (
        opening.action,
        opening.verdict,
        opening.context,
        opening.coin,
    )
    risk = action.risk if action else Risk.LOW
    hours = requirements.review_hours or settings.COUNTERSIGN.review_hours
    calendar, now = calendars.dated(requirements.calendar or "")
    wait = due(opening.kind, requirements, now, hours, calendar)
    return ApprovalRequest(
        kind=opening.kind,
        run_id=opening.run_id,
        step_seq=opening.step_seq,
        effect_id=opening.effect_id,
        agent=opening.agent,
        agent_title=opening.agent_title or opening.agent,
        agent_version=opening.agent_version,
        owner_group=groups[opening.owner_group] if opening.owner_group else None,
        initiator_id=opening.initiator,
        title=opening.preview.title[:500],
        tool=action.tool if action else "",
        tool_version=action.tool_version if action else "",
        arguments=action.arguments if action else {},
        digest=action.digest if action else _question_digest(opening),
        schema=(action.argument_schema or {}) if action else {},
        sensitive=list(opening.sensitive),
        withheld=sorted({*opening.withheld, *_sensitive_values(opening)}),
        cosmetic=list(opening.cosmetic),
        preview=opening.preview.model_dump(mode="json"),
        risk=risk,
        risk_rank=risk.rank,
        effects=sorted(effect.value for effect in action.effects) if action else [],
        reversible=action.reversible if action else True,
        confidence_bp=opening.confidence.raw_bp,
        score_source=opening.confidence.source,
        score_version=opening.confidence.version,
        calibrated_bp=opening.confidence.calibrated_bp,
        signals=opening.confidence.signals,
        score_notes={
            source: note.model_dump(mode="json", exclude_defaults=True)
            for source, note in opening.confidence.notes.items()
        },
        threshold_bp=verdict.threshold_bp if verdict else None,
        score_visible=coin.score_visible if coin else True,
        coin=coin.value if coin else None,
        coin_rate=coin.rate if coin else None,
        propensity=coin.propensity if coin else None,
        is_sample=coin.is_sample if coin else False,
        route=opening.route,
        rationale=opening.rationale,
        evidence=list(opening.evidence),
        tainted=context.tainted if context else False,
        tainted_by=list(context.tainted_by) if context else [],
        gate_context=context.model_dump(mode="json") if context else None,
        reasons=[reason.model_dump(mode="json") for reason in verdict.reasons] if verdict else [],
        requirements=requirements.model_dump(mode="json"),
        policy_version=verdict.policy_version if verdict else 0,
        policy_sha256=verdict.policy_sha256 if verdict else "",
        checked_version=verdict.policy_version if verdict else 0,
        rule=verdict.rule if verdict else "",
        question=opening.question,
        review_deadline=wait.deadline,
        remind_at=wait.remind_at,
        calendar=calendar.document() if calendar and wait.deadline else None,
        undo_seconds=(requirements.undo_seconds or 0) if opening.kind == Kind.ACTION else 0,
        created_at=now,
    )


def _sensitive_values(opening: Opening) -> frozenset[str]:
    asked = (opening.question or {}).get("arguments") or {}
    given = {**(opening.action.arguments if opening.action else {}), **asked}
    return values_in(given, opening.sensitive)


def _question_digest(opening: Opening) -> str:
    return document_digest(
        {
            "kind": opening.kind.value,
            "title": opening.preview.title,
            "question": opening.question,
            "effect": str(opening.effect_id) if opening.effect_id else None,
        }
    )
