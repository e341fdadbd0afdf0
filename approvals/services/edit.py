"""Edit: a person changes the arguments; a new revision that everybody decides on anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext

from approvals import eligibility, gate, ports
from approvals.addressing import groups_by_slug, named
from approvals.deciders import require_deciders
from approvals.errors import BadBody, EditDenied
from approvals.models import ApprovalRequest, RequestGroup, Vote
from approvals.ports import Validated
from approvals.reasons import sentences
from approvals.records import record_request
from approvals.rejudging import addressed
from approvals.revisions import changed_fields, keep_revision
from approvals.schemas import GateVerdict, Preview, Requirements
from approvals.services import policies
from approvals.showing import show
from approvals.vocabulary import Friction
from approvals.voting import Ballot, void
from approvals.withholding import values_in


def edit(
    request: ApprovalRequest,
    groups: Sequence[RequestGroup],
    ballot: Ballot,
    given: dict[str, Any],
) -> tuple[list[RequestGroup], Vote, bool]:
    """Make the edited arguments the request's next revision, inside the deciding transaction.

    Returns the groups that decide now, the editor's vote, and whether that vote counts as an
    approval: never where the edited call acts on something that nobody was shown yet, or asks for a
    text or a reading time that was not given with the edit. Raises
    `BadBody`, the refusals of the tool's own validation, `EditDenied`, and `NobodyCouldDecide`
    where too few would be left to approve it. Updates `request` in place.
    """
    validated = ports.runs().validate_arguments(
        request.agent, request.agent_version, request.tool, given["arguments"]
    )
    if validated.action.tool != request.tool:
        raise BadBody([{"field": "arguments", "message": gettext("the tool cannot be changed")}])
    if validated.digest == request.digest:
        raise BadBody(
            [{"field": "arguments", "message": gettext("nothing changed; approve instead")}]
        )
    verdict = _judged(request, validated)
    looked = ports.runs().look_at_edit(request, validated.arguments)

    changed = changed_fields(request.arguments, validated.arguments)
    material = any(name not in validated.cosmetic for name in changed)
    requirements = _requirements(request, verdict)
    # A cosmetic edit on top of one's own material edit would approve that one unseen by others.
    unseen = material or request.barred_editor_id == ballot.caller.user.pk
    alone = not unseen or not validated.action.is_consequential or requirements.editor_may_approve
    previous, asked = request.revision, request.needs
    void(request, ballot.now)
    _apply(request, validated, looked.preview, verdict, requirements)
    counts = alone and not looked.elsewhere and _confirmed(request, asked, ballot.decision.typed)
    if material:
        request.barred_editor = None if alone else ballot.caller.user
    shown, request.shown_sha256 = show(request)
    request.save(update_fields=_CHANGED)
    rows = addressed(request, groups, requirements)
    if not any(row.stands_in for row in rows):
        _require_deciders(request, requirements)
    keep_revision(request, shown, editor_id=ballot.caller.user.pk, material=material, why="edited")
    vote = ballot.vote(request, counts=counts, material=material)
    record_request(
        request,
        "request.edited",
        ballot.caller.actor,
        outcome=ballot.outcome("edit"),
        facts={
            **ballot.facts(vote),
            "from_revision": previous,
            "fields": changed[:200],
            "material": material,
        },
        content=True,
        texts={"reason": ballot.decision.reason or ""},
    )
    return rows, vote, counts


def _confirmed(request: ApprovalRequest, asked: Requirements, typed: str | None) -> bool:
    """Whether what the edited call asks for besides the verdict was given already; a second factor is
    asked for by whoever decides. `asked` is what the call before the edit asked for."""
    needs = request.needs
    if needs.friction == Friction.TYPED:
        return eligibility.is_typed(request, typed)
    if needs.friction == Friction.READING:
        read = asked.friction_seconds if asked.friction == Friction.READING else 0
        return read >= needs.friction_seconds
    return True


def _require_deciders(request: ApprovalRequest, requirements: Requirements) -> None:
    owner = request.owner_group.slug if request.owner_group else None
    slugs = {need.group for need in requirements.groups} | ({owner} if owner else set())
    barred = {pk for pk in (request.initiator_id, request.barred_editor_id) if pk is not None}
    require_deciders(requirements, groups_by_slug(slugs), owner_group=owner, barred=barred)


_CHANGED = [
    "arguments",
    "digest",
    "preview",
    "title",
    "schema",
    "sensitive",
    "withheld",
    "cosmetic",
    "requirements",
    "reasons",
    "policy_version",
    "policy_sha256",
    "checked_version",
    "rule",
    "threshold_bp",
    "undo_seconds",
    "barred_editor",
    "shown_sha256",
    "revision",
    "version",
]


def _judged(request: ApprovalRequest, validated: Validated) -> GateVerdict:
    """What the policy of now says about the edited call, in the stored context."""
    context = request.context
    if context is None:
        raise BadBody([{"field": "arguments", "message": gettext("this request cannot be edited")}])
    verdict = gate.judge(validated.action, request.confidence, context, policies.current())
    if verdict.denied:
        raise EditDenied(sentences(verdict.reasons))
    return verdict


def _requirements(request: ApprovalRequest, verdict: GateVerdict) -> Requirements:
    """What the edited call asks for. A call that would run unseen keeps what was asked before: an
    edit in review never loosens into nothing. Friction stays at least as strong. A policy that was
    published since the request was opened loosens nothing through an edit either."""
    if verdict.requirements is None:
        return request.needs
    owner = request.owner_group.slug if request.owner_group else None
    wanted = named(verdict.requirements, owner).counted_like(request.needs)
    opened_under = request.revisions.values_list("policy_version", flat=True).get(revision=1)
    if opened_under != verdict.policy_version:
        return request.needs.plus(wanted)
    if wanted.friction.rank < request.needs.friction.rank:
        wanted = wanted.model_copy(
            update={
                "friction": Friction(request.needs.friction),
                "friction_seconds": request.needs.friction_seconds,
            }
        )
    return wanted


def _apply(
    request: ApprovalRequest,
    validated: Validated,
    preview: Preview,
    verdict: GateVerdict,
    requirements: Requirements,
) -> None:
    request.arguments = validated.arguments
    request.digest = validated.digest
    request.preview = preview.model_dump(mode="json")
    request.title = preview.title[:500]
    request.schema = validated.schema
    request.sensitive = list(validated.sensitive)
    now_sensitive = values_in(validated.arguments, validated.sensitive)
    request.withheld = sorted({*request.withheld, *now_sensitive})
    request.cosmetic = list(validated.cosmetic)
    request.requirements = requirements.model_dump(mode="json")
    if not verdict.allowed:
        request.reasons = [reason.model_dump(mode="json") for reason in verdict.reasons]
        request.rule = verdict.rule
    request.policy_version = verdict.policy_version
    request.policy_sha256 = verdict.policy_sha256
    request.checked_version = verdict.policy_version
    request.threshold_bp = verdict.threshold_bp
    request.undo_seconds = requirements.undo_seconds or 0
    request.revision += 1
    request.version += 1
