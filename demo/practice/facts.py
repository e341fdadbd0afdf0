"""What the tools told about the order and the rules, as far as the script needs it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from demo.practice.clarity import euro
from demo.practice.conversation import Call


@dataclass(frozen=True)
class Facts:
    """One order and the rules. `days_since_delivery` is None while nothing was delivered."""

    order: str
    customer: str
    total: Decimal
    refundable: Decimal
    unit_price: Decimal | None
    days_since_delivery: int | None
    window_days: int | None

    @property
    def too_old(self) -> bool:
        if self.days_since_delivery is None or self.window_days is None:
            return False
        return self.days_since_delivery > self.window_days

    def sentence(self) -> str:
        """Where the order stands."""
        if self.days_since_delivery is None:
            when = "has not been delivered yet"
        else:
            when = f"was delivered {self.days_since_delivery} days ago"
        return f"The order {when}; {euro(self.refundable)} of {euro(self.total)} can still be refunded."


def read_facts(order: str, look_ups: Sequence[Call], rules: Sequence[Call]) -> Facts | None:
    """The newest look-up of this order and the newest rules; None when the look-up says too little."""
    found = [call.result for call in look_ups if call.done and call.arguments.get("order") == order]
    if not found:
        return None
    sheet = found[-1]
    total, refundable = _euro(sheet.get("total")), _euro(sheet.get("refundable"))
    if total is None or refundable is None:
        return None
    windows = [_whole(call.result.get("window_days")) for call in rules if call.done]
    return Facts(
        order=order,
        customer=str(sheet.get("customer") or "The customer"),
        total=total,
        refundable=refundable,
        unit_price=_euro(sheet.get("unit_price")),
        days_since_delivery=_whole(sheet.get("days_since_delivery")),
        window_days=windows[-1] if windows else None,
    )


def _euro(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
