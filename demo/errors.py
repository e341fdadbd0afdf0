"""What can go wrong in the shop, in sentences that an agent and a person can act on."""

from __future__ import annotations

from decimal import Decimal


class ShopError(Exception):
    """Something the shop cannot do; nothing has happened."""


class UnknownOrder(ShopError):
    def __init__(self, number: str) -> None:
        super().__init__(
            f"There is no order {number}. Check the field order: the number as in the ticket, such as ORD-10042."
        )


class TooMuch(ShopError):
    def __init__(self, number: str, amount: Decimal, refundable: Decimal) -> None:
        super().__init__(
            f"amount: {amount} is more than can still be refunded for order {number}, which is {refundable}."
        )


class ProviderRefused(ShopError):
    """The payment provider said no, and made no refund."""


class ProviderBusy(Exception):
    """The payment provider was not reached or had no time: it did nothing."""


class OutcomeUnknown(Exception):
    """The payment provider may or may not have done it; asking again with the same key tells."""
