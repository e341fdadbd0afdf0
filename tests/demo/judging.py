"""Putting a call of refund-desk before the gate."""

from __future__ import annotations

from typing import Any

from approvals.gate import judge
from approvals.schemas import Confidence, GateContext, GateVerdict, ProposedAction
from approvals.services.policies import current
from audit.clock import database_now
from demo.agents import refund_desk


def judged(tool: str, confidence_bp: int, **arguments: Any) -> GateVerdict:
    """The word of the policy in force on a call of a run that has read a customer's text."""
    declared = refund_desk.tool(tool)
    assert declared is not None
    normalised = declared.arguments.model_validate(arguments).model_dump(mode="json")
    action = ProposedAction(
        agent="refund-desk",
        agent_version=refund_desk.version,
        owner_group=refund_desk.owner,
        tool=tool,
        tool_version=declared.version,
        arguments=normalised,
        digest="sha256:" + "0" * 64,
        risk=declared.risk,
        effects=declared.effects,
        reversible=declared.reversible,
        argument_schema=declared.schema(),
    )
    context = GateContext(at=database_now(), tainted=True, tainted_by=("look_up_order",))
    return judge(
        action, Confidence(raw_bp=confidence_bp, source="self_reported"), context, current()
    )
