"""A made-up agent with one tool: approvals serve agents of any kind."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from accounts.callers import Caller
from accounts.models import User
from approvals.digests import action_digest
from approvals.models import ApprovalRequest
from approvals.ports import Looked, Operation, PastCall, Validated
from approvals.schemas import (
    Confidence,
    DecisionIn,
    GateContext,
    GroupNeed,
    Preview,
    ProposedAction,
    Requirements,
)
from approvals.tightening import ToolFacts
from approvals.vocabulary import Effect, Risk
from audit.errors import Invalid
from audit.models import Event

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order": {"type": "string"},
        "amount": {"anyOf": [{"type": "number"}, {"type": "string"}]},
        "note": {"type": "string"},
    },
}
AGENT = "till"
VERSION = "sha256:" + "a" * 64
CATALOGUE = (
    ToolFacts(
        agent=AGENT,
        tool="pay_back",
        risk=Risk.HIGH,
        effects=frozenset({Effect.MONEY}),
        reversible=True,
        owner_group="support",
        title="Till",
    ),
)


def refund(amount: str = "20.00", **changes: Any) -> ProposedAction:
    """An irreversible refund, as an agent would propose it."""
    arguments = changes.pop("arguments", {"order": "10291", "amount": amount, "note": "broken"})
    values: dict[str, Any] = {
        "agent": AGENT,
        "agent_version": VERSION,
        "owner_group": "support",
        "tool": "pay_back",
        "tool_version": "1",
        "arguments": arguments,
        "risk": Risk.HIGH,
        "effects": frozenset({Effect.MONEY}),
        "reversible": True,
        "argument_schema": SCHEMA,
        "identity": {"order": arguments.get("order")},
    } | changes
    values["digest"] = action_digest(values["tool"], values["tool_version"], values["arguments"])
    return ProposedAction.model_validate(values)


def context(**changes: Any) -> GateContext:
    return GateContext.model_validate({"at": datetime(2026, 3, 2, 10, tzinfo=UTC)} | changes)


def sure(points: int = 6_100) -> Confidence:
    return Confidence(raw_bp=points, source="self_reported", signals={"self_reported": points})


@dataclass
class Till:
    """The port with one tool, which takes amounts between 0 and 500."""

    sensitive: tuple[str, ...] = ()
    cosmetic: tuple[str, ...] = ("note",)
    switched_off: str | None = None
    elsewhere: bool = False
    running: int = 0
    locked: list[uuid.UUID] = field(default_factory=list)
    watched: set[tuple[int, uuid.UUID]] = field(default_factory=set)
    past: list[PastCall] = field(default_factory=list)
    under_way: dict[uuid.UUID, Operation] = field(default_factory=dict)

    def lock(self, run_id: uuid.UUID) -> None:
        self.locked.append(run_id)

    def validate_arguments(
        self, agent: str, agent_version: str, tool: str, arguments: dict[str, Any]
    ) -> Validated:
        try:
            amount = Decimal(str(arguments.get("amount")))
        except InvalidOperation:
            amount = Decimal(-1)
        if not 0 < amount <= 500 or set(arguments) - {"order", "amount", "note"}:
            raise Invalid("The amount must lie between 0 and 500.", code="arguments_invalid")
        action = refund(arguments=arguments)
        return Validated(
            arguments=arguments,
            digest=action.digest,
            schema=SCHEMA,
            sensitive=self.sensitive,
            cosmetic=self.cosmetic,
            action=action,
        )

    def look_at_edit(self, request: ApprovalRequest, arguments: dict[str, Any]) -> Looked:
        title = f"Refund €{Decimal(str(arguments['amount']))} to Acme GmbH"
        return Looked(Preview(title=title, subject="Acme GmbH"), self.elsewhere)

    def validate_answer(
        self, agent: str, agent_version: str, output: dict[str, Any]
    ) -> dict[str, Any]:
        return output

    def operations(self, requests: Sequence[ApprovalRequest]) -> dict[uuid.UUID, Operation]:
        return {r.pk: self.under_way[r.pk] for r in requests if r.pk in self.under_way}

    def may_see(self, user: User, run_id: uuid.UUID) -> bool:
        return (user.pk, run_id) in self.watched

    def active(self, caller: Caller, *, most: int) -> int:
        return self.running

    def handed_by(self, user: User, run_id: uuid.UUID) -> None:
        """No run of the till was handed over by another."""

    def run_title(self, run_id: uuid.UUID) -> str:
        return "Ticket 7"

    def past_calls(self, since: datetime, until: datetime) -> list[PastCall]:
        return [call for call in self.past if since <= call.at < until]

    def past_calls_number(self, since: datetime, until: datetime) -> int:
        return len(self.past_calls(since, until))

    def versions_of(self, category: str) -> Sequence[str]:
        """It is of no category."""
        return ()

    def catalogue(self) -> tuple[ToolFacts, ...]:
        return CATALOGUE

    def without_secrets(self, text: str) -> str:
        return text

    def stopped(self, agent: str, tool: str) -> str | None:
        return self.switched_off


def one_of(*groups: str, **changes: Any) -> Requirements:
    """One person of each of these groups."""
    return Requirements(groups=tuple(GroupNeed(group=slug) for slug in groups), **changes)


def verdict_on(request: ApprovalRequest, verdict: str = "approve", **changes: Any) -> DecisionIn:
    """A verdict on the request as it was when it was read."""
    values = {
        "verdict": verdict,
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "nonce": uuid.uuid4().hex,
    }
    return DecisionIn.model_validate(values | changes)


def by(user: User) -> Caller:
    """The person in the browser, as of now."""
    return Caller.of_session(User.objects.get(pk=user.pk))


def by_token(user: User, *scopes: Any) -> Caller:
    return Caller(User.objects.get(pk=user.pk), "token:7", frozenset(scopes))


def events_of(request: ApprovalRequest) -> list[str]:
    """The request's story in the log, by type."""
    rows = Event.objects.filter(stream=f"request:{request.pk}").order_by("seq")
    return list(rows.values_list("type", flat=True))
