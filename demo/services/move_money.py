"""Have the payment provider do what a ledger row reserved, and settle the row by its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import transaction
from django.db.models.functions import Now

from demo.errors import OutcomeUnknown, ProviderBusy, ProviderRefused
from demo.ledger import LedgerRow, LedgerState
from demo.payments import PaidBack, PaidOut

Row = TypeVar("Row", bound=LedgerRow)


def move_money(row: Row, send: Callable[[], PaidBack | PaidOut]) -> Row:
    """`send` with the row's key, unless an earlier call was answered; the row as it is then.

    Raises ProviderRefused (nothing moved, now or before), ProviderBusy (nothing moved yet), OutcomeUnknown
    (ask again with the key).
    """
    if row.state == LedgerState.PAID:
        return row
    try:
        made = send()
    except ProviderRefused:
        _settle(row, LedgerState.REFUSED)
        raise
    except ProviderBusy as busy:
        if not _release(row):
            raise OutcomeUnknown("An earlier call may have paid; ask again.") from busy
        raise
    _settle(row, LedgerState.PAID, reference=made.reference)
    return row


def count_call(row: LedgerRow) -> None:
    """Note, under the lock of what the money is for, that one more call is about to be sent."""
    if row.state == LedgerState.REFUSED:
        raise ProviderRefused("The payment provider refused this before.")
    if row.state == LedgerState.RESERVED:
        row.unanswered += 1
        row.save()


def _release(row: LedgerRow) -> bool:
    """Take the reservation back after a call that did nothing; False while an earlier one is unanswered."""
    with transaction.atomic():
        row.lock()
        found = _rows(row).get(pk=row.pk)
        if found.unanswered > 1:
            found.unanswered -= 1
            found.save(update_fields=["unanswered"])
            return False
        found.delete()
        return True


def _settle(row: LedgerRow, state: LedgerState, *, reference: str = "") -> None:
    _rows(row).filter(pk=row.pk, state=LedgerState.RESERVED).update(
        state=state, provider_reference=reference, settled_at=Now(), unanswered=0
    )
    row.refresh_from_db(fields=["state", "provider_reference", "settled_at", "unanswered"])


def _rows(row: LedgerRow) -> Any:
    return type(row)._default_manager
