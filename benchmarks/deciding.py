"""Approve a request through the product's one decision path, as a signed-in reviewer."""

from dataclasses import dataclass
from time import monotonic_ns
from uuid import uuid4

from django.db import transaction

from accounts.callers import Caller
from approvals.models import ApprovalRequest
from approvals.schemas import DecisionIn
from approvals.services.decide import decide
from approvals.vocabulary import Verdict


@dataclass(frozen=True)
class Decided:
    """Moments on the machine's monotonic clock, in nanoseconds."""

    called: int
    committed: int


def approve(request: ApprovalRequest, caller: Caller) -> Decided:
    """Decide as the page does; the second moment is right after the commit."""
    stamps: list[int] = []
    decision = DecisionIn(
        verdict=Verdict.APPROVE,
        revision=request.revision,
        digest=request.digest,
        shown_sha256=request.shown_sha256,
        nonce=uuid4().hex,
    )
    called = monotonic_ns()
    with transaction.atomic():
        # First on the list, so that the clock starts before the wake-up goes out.
        transaction.on_commit(lambda: stamps.append(monotonic_ns()))
        decide(request_id=request.pk, decision=decision, caller=caller)
    return Decided(called, stamps[0])
