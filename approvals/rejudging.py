"""An action that waits, or is approved, before the policy of now: judged by its stored facts."""

from __future__ import annotations

from collections.abc import Sequence

from approvals import gate
from approvals.addressing import groups_by_slug
from approvals.errors import NotConsumable
from approvals.models import ApprovalRequest, RequestGroup
from approvals.policies import PublishedPolicy
from approvals.schemas import GateVerdict, ProposedAction, Requirements
from approvals.tightening import permits_as_little
from approvals.vocabulary import Effect, Risk


def judged_again(request: ApprovalRequest, published: PublishedPolicy) -> GateVerdict:
    """What the policy says of the request's action in its stored context: rates and first uses stay
    what they were. Raises `NotConsumable` for a request that is no action."""
    context = request.context
    if context is None:
        raise NotConsumable("This request is not an action.", state=request.state)
    return gate.judge(action_of(request), request.confidence, context, published)


def action_of(request: ApprovalRequest) -> ProposedAction:
    """The action as the gate saw it."""
    return ProposedAction(
        agent=request.agent,
        agent_version=request.agent_version,
        agent_title=request.agent_title,
        owner_group=request.owner_group.slug if request.owner_group else None,
        tool=request.tool,
        tool_version=request.tool_version,
        arguments=request.arguments,
        digest=request.digest,
        risk=Risk(request.risk),
        effects=frozenset(Effect(effect) for effect in request.effects),
        reversible=request.reversible,
        argument_schema=request.schema or None,
    )


def asks_for_more(wanted: Requirements, asked: Requirements) -> bool:
    """Whether `wanted` asks for people or for a confirmation that `asked` does not."""
    return not permits_as_little(asked, wanted)


def addressed(
    request: ApprovalRequest, groups: Sequence[RequestGroup], requirements: Requirements
) -> list[RequestGroup]:
    """The request's groups brought to what the requirements name; stand-ins stay."""
    before = {row.group.slug: row.needed for row in groups if row.needed}
    after = {need.group: need.count for need in requirements.groups}
    if before == after:
        return list(groups)
    found = groups_by_slug(after)
    request.request_groups.filter(stands_in=False).delete()
    request.request_groups.update(needed=0)
    for slug, count in after.items():
        RequestGroup.objects.update_or_create(
            request=request, group=found[slug], defaults={"needed": count}
        )
    return list(request.request_groups.select_related("group"))
