"""Decide several requests together: each by the ordinary decision, in a transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from accounts.callers import Caller
from accounts.models import User
from approvals import eligibility
from approvals.batches import MOST, VERDICTS, why_alone
from approvals.errors import BadBatch, DecidedAlone, RequestUnknown
from approvals.models import ApprovalRequest
from approvals.schemas import DecisionIn
from approvals.services.decide import Decided, decide, record_refused
from audit.errors import Refusal


@dataclass(frozen=True)
class BatchItem:
    """One verdict of a batch, bound to what was read like any other."""

    request_id: UUID
    decision: DecisionIn


@dataclass(frozen=True)
class ItemResult:
    """What came of one item: decided, or refused with nothing changed."""

    request_id: UUID
    decided: Decided | None = None
    refusal: Refusal | None = None


def decide_batch(*, items: Sequence[BatchItem], caller: Caller) -> list[ItemResult]:
    """Take each verdict in turn; a refused one holds up no other. The results are in the items' order.

    The person is looked up anew for each item: a role that was lost meanwhile is lost. Raises `BadBatch`
    for none, too many, or one request twice; then nothing has changed.
    """
    caller.require("decide_requests", scope="decide")
    ids = [item.request_id for item in items]
    if not 1 <= len(ids) <= MOST or len(set(ids)) < len(ids):
        raise BadBatch(len(ids), MOST)
    rows = ApprovalRequest.objects.visible_to(caller.user).in_bulk(ids)
    first = next((rows[pk] for pk in ids if pk in rows), None)
    return [_decided(item, rows.get(item.request_id), first, caller, len(ids)) for item in items]


def _decided(
    item: BatchItem,
    row: ApprovalRequest | None,
    first: ApprovalRequest | None,
    caller: Caller,
    together: int,
) -> ItemResult:
    pk = item.request_id
    now = Caller(User.objects.get(pk=caller.user.pk), caller.auth, caller.scopes)
    if row is None or first is None:
        return ItemResult(pk, refusal=RequestUnknown(pk))
    why = _why_alone(item.decision, row, first, now)
    if why:
        refusal = DecidedAlone(why)
        record_refused(pk, item.decision, now, refusal)
        return ItemResult(pk, refusal=refusal)
    try:
        decided = decide(request_id=pk, decision=item.decision, caller=now, together=together)
    except Refusal as refusal:
        return ItemResult(pk, refusal=refusal)
    return ItemResult(pk, decided=decided)


def _why_alone(
    decision: DecisionIn, row: ApprovalRequest, first: ApprovalRequest, caller: Caller
) -> str:
    if decision.verdict not in VERDICTS:
        return f"{decision.verdict} is given to one request alone"
    if (row.agent, row.tool) != (first.agent, first.tool):
        return "another agent or tool than the first"
    if decision.revision < row.revision:
        # Not what stands there now: the decision itself says so, or repeats the answer it gave then.
        return ""
    return why_alone(
        kind=row.kind,
        risk=row.risk,
        friction=row.needs.friction,
        hidden=bool(eligibility.hidden_arguments(row, caller)),
    )
