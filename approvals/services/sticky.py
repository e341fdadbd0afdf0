"""Sticky approvals: granted from an approved request, revoked by whoever may."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals import eligibility, events
from approvals.errors import BadBody, NotSticky, StickyUnknown, WhyMissing
from approvals.locking import locked_for
from approvals.models import ApprovalRequest, StickyApproval
from approvals.records import record_request
from approvals.services import policies
from approvals.states import RequestState
from approvals.sticky import How, constraints_from
from approvals.told_secrets import without
from approvals.vocabulary import Friction, Kind, Risk, Verdict
from approvals.voting import groups_of
from approvals.withholding import Withheld
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import ActionRef, AgentRef, Disclose

LONGEST_WHY = 2_000


def grant_sticky(
    *,
    request_id: UUID,
    constraints: Mapping[str, How],
    hours: float,
    why: str,
    caller: Caller,
) -> StickyApproval:
    """Let calls like this approved one run by themselves for so many hours.

    `constraints` says for each argument whether it stays the `same`, is `at_most` what it was, or may be
    `any`; one that is left out stays the same. The caller needs the right to, and must be one who could
    approve the request. Raises `NotSticky` with why this one cannot be made sticky, and `BadBody`.
    """
    if not why.strip():
        raise WhyMissing
    with transaction.atomic():
        request = locked_for(request_id, caller)
        caller.require("grant_sticky_approvals", scope="decide")
        eligibility.require(request, groups_of(request), caller, Verdict.APPROVE)
        most = policies.current().policy.sticky_hours
        _require_plain(request, most)
        if not 0 < hours <= most:
            raise BadBody(
                [
                    {
                        "field": "hours",
                        "message": gettext("more than 0, at most {most}").format(most=f"{most:g}"),
                    }
                ]
            )
        try:
            kept = constraints_from(request.arguments, constraints)
        except ValueError as error:
            raise BadBody([{"field": "constraints", "message": str(error)}]) from error
        if kept and all(constraint.how == "any" for constraint in kept.values()):
            message = gettext("keep at least one argument the same, or limited")
            raise BadBody([{"field": "constraints", "message": message}])
        now = database_now()
        granted = StickyApproval.objects.create(
            request=request,
            agent=request.agent,
            agent_title=request.agent_title,
            owner_group=request.owner_group,
            tool=request.tool,
            constraints={name: each.model_dump(mode="json") for name, each in kept.items()},
            sensitive=sorted(
                {*request.sensitive, *Withheld(request.withheld).names_in(request.arguments)}
            ),
            why=without(why.strip())[:LONGEST_WHY],
            granted_by=caller.user,
            granted_at=now,
            expires_at=now + timedelta(hours=hours),
        )
        record_request(
            request,
            "sticky.granted",
            caller.actor,
            facts={
                "sticky": granted.pk,
                "expires_at": granted.expires_at,
                "kept": sorted(name for name, each in kept.items() if each.how != "any"),
            },
            content=True,
            texts={"why": granted.why},
        )
        events.announce(request, "sticky")
        return granted


def revoke_sticky(*, sticky_id: UUID, caller: Caller) -> StickyApproval:
    """End it at once: what it allowed and did not start is judged again. For who granted it, the agent's
    own group, and admins. Raises `StickyUnknown` for one that is over."""
    with transaction.atomic():
        found = StickyApproval.objects.in_force().select_for_update(of=("self",))
        sticky = found.filter(pk=sticky_id).first()
        if sticky is None:
            raise StickyUnknown(sticky_id)
        own = sticky.granted_by_id == caller.user.pk
        if own or sticky.owner_group_id in caller.own_group_ids:
            caller.require(None, scope="decide")
        else:
            caller.require("publish_policies", scope="admin")
        return _revoked(sticky, caller)


def revoke_granted_from(request: ApprovalRequest, caller: Caller) -> None:
    """End what was granted from a request whose approval is taken back, inside that transaction: calls like one
    that nobody approves any more do not run by themselves. Whoever may take back the approval may."""
    granted = StickyApproval.objects.in_force().filter(request=request)
    for sticky in granted.select_for_update(of=("self",)).order_by("pk"):
        _revoked(sticky, caller)


def _revoked(sticky: StickyApproval, caller: Caller) -> StickyApproval:
    sticky.revoked_by = caller.user
    sticky.revoked_at = database_now()
    sticky.save(update_fields=["revoked_by", "revoked_at"])
    record(
        type="sticky.revoked",
        actor=caller.actor,
        stream=f"request:{sticky.request_id}",
        agent=AgentRef(slug=sticky.agent, version=sticky.request.agent_version),
        action=ActionRef(tool=sticky.tool, risk=sticky.request.risk),
        request=sticky.request_id,
        run=sticky.request.run_id,
        facts={"sticky": sticky.pk},
        disclosures=[Disclose("why", sticky.why, f"person:{sticky.granted_by_id}")],
    )
    return sticky


def why_not_sticky(request: ApprovalRequest, most_hours: float) -> str:
    """Why calls like this one are decided one by one; empty where they need not be."""
    needs = request.needs
    if most_hours <= 0:
        return gettext("The policy lets nobody grant sticky approvals.")
    if request.kind != Kind.ACTION or request.state not in (
        RequestState.APPROVED,
        RequestState.CONSUMED,
    ):
        return gettext("Only an action that was approved can be made sticky.")
    if needs.people > 1:
        return gettext("It takes more than one person; a rule of the policy can allow it.")
    if needs.friction != Friction.NONE:
        return gettext("Each such call asks for a confirmation of its own.")
    if request.risk == Risk.CRITICAL:
        return gettext("Critical calls are decided one by one.")
    return ""


def _require_plain(request: ApprovalRequest, most_hours: float) -> None:
    problem = why_not_sticky(request, most_hours)
    if problem:
        raise NotSticky(problem)
