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


class UnknownInvoice(ShopError):
    def __init__(self, number: str) -> None:
        super().__init__(
            f"There is no invoice {number}. Check the field invoice: our own number, such as INV-3001."
        )


class UnknownPurchase(ShopError):
    def __init__(self, number: str, supplier: str) -> None:
        super().__init__(
            f"order: there is no purchase order {number or 'named'} with {supplier}. It looks like PO-7001."
        )


class OtherAccount(ShopError):
    def __init__(self, supplier: str) -> None:
        super().__init__(
            f"account: this is not the account on file for {supplier}, and money goes to no other."
        )


class OverLimit(ShopError):
    def __init__(self, supplier: str, left: Decimal) -> None:
        super().__init__(f"amount: {left} is left of this month's limit for {supplier}.")


class AlreadyPaid(ShopError):
    def __init__(self, number: str) -> None:
        super().__init__(f"invoice: {number} has been paid, or is just being paid.")


class ProviderRefused(ShopError):
    """The payment provider said no, and made no refund."""


class ProviderBusy(Exception):
    """The payment provider was not reached or had no time: it did nothing."""


class OutcomeUnknown(Exception):
    """The payment provider may or may not have done it; asking again with the same key tells."""
