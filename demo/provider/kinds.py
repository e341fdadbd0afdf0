"""The two ways in which the provider moves money: back to who paid, or out to an account. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final


@dataclass(frozen=True)
class Kind:
    """What is asked for in a body of this kind, and what its references begin with."""

    name: str
    prefix: str
    fields: tuple[str, ...]


REFUND: Final = Kind("refund", "re", ("payment", "amount", "currency"))
PAYOUT: Final = Kind("payout", "po", ("account", "reference", "amount", "currency"))
KINDS: Final = (REFUND, PAYOUT)


def fault_in(kind: Kind, body: Any) -> str:
    """What is wrong with a body of this kind, or nothing."""
    if not isinstance(body, dict) or set(body) != set(kind.fields):
        return f"Send an object with {', '.join(kind.fields[:-1])} and {kind.fields[-1]}."
    if not all(isinstance(value, str) and value for value in body.values()):
        return f"{', '.join(kind.fields[:-1])} and {kind.fields[-1]} are texts."
    if body["currency"] != "EUR":
        return "Only EUR is paid out."
    try:
        amount = Decimal(body["amount"])
    except InvalidOperation:
        return "amount is a decimal number such as 42.00."
    if not amount.is_finite() or amount <= 0 or amount.as_tuple().exponent != -2:
        return "amount is more than zero and has two decimal places, such as 42.00."
    return ""
