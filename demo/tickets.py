"""What the refund desk takes and gives: shapes with exact euro and order numbers in one form. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

CENT = Decimal("0.01")
NUMBER = re.compile(r"^(?:ORD)?[\s#-]*(\d{4,8})$", re.IGNORECASE)


def to_cents(amount: Decimal) -> Decimal:
    """`42` and `42.00` are the same money and get the same digest."""
    return amount.quantize(CENT)


def to_order_number(text: str) -> str:
    """`ord 10042`, `#10042` and `10042` are all `ORD-10042`."""
    match = NUMBER.match(text.strip())
    if match is None:
        raise ValueError("an order number looks like ORD-10042")
    return f"ORD-{match.group(1)}"


Euro = Annotated[Decimal, Field(max_digits=10, decimal_places=2), AfterValidator(to_cents)]
OrderNumber = Annotated[str, Field(max_length=20), AfterValidator(to_order_number)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ticket(Shape):
    """What a customer wrote. A plain text is taken for the ticket."""

    ticket: str = Field(
        min_length=1, max_length=10_000, title="Ticket", description="What the customer wrote"
    )

    @model_validator(mode="before")
    @classmethod
    def _take_plain_text(cls, value: Any) -> Any:
        return {"ticket": value} if isinstance(value, str) else value

    @field_validator("ticket")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("write what the customer asks for")
        return text


class WhichOrder(Shape):
    order: OrderNumber = Field(description="Order number, as in the ticket, such as ORD-10042")


class Nothing(Shape):
    pass


class OrderSheet(Shape):
    """An order as the desk sees it. `refundable` is what was paid and has not gone back; euro throughout."""

    order: str
    customer: str
    product: str
    quantity: int
    unit_price: Euro
    total: Euro
    refunded: Euro
    refundable: Euro
    status: Literal["paid", "shipped", "delivered"]
    placed_on: date
    delivered_on: date | None
    days_since_delivery: int | None
    customer_note: str
    as_of: datetime


class RefundRules(Shape):
    """The shop's rules for refunds."""

    window_days: int
    rules: tuple[str, ...]


class Refund(Shape):
    order: OrderNumber = Field(title="Order", description="Order number, as in the ticket")
    amount: Annotated[Euro, Field(gt=0)] = Field(
        title="Amount in euro", description="Euro, such as 42.00"
    )
    reason: str = Field(
        default="",
        max_length=300,
        title="Reason",
        description="Why, in the customer's words where possible",
    )


class Receipt(Shape):
    """Money that went back. `reference` is the payment provider's."""

    reference: str
    order: str
    amount: Euro


class Mail(Shape):
    order: OrderNumber = Field(title="Order", description="The order whose customer gets the mail")
    subject: str = Field(min_length=1, max_length=150, pattern=r"^[^\r\n]+$", title="Subject")
    body: str = Field(min_length=1, max_length=5_000, title="Text", description="Plain text")


class MailNote(Shape):
    """A mail that was handed to the mail server."""

    recipient: str
    subject: str


class Outcome(Shape):
    """How a ticket ended, with the sentence the customer is told."""

    outcome: Literal["refunded", "declined", "answered"]
    order: str = Field(max_length=20, description="The order the ticket was about")
    amount: Euro | None = Field(
        default=None,
        title="Amount in euro",
        description="Euro that went back, such as 42.00; leave it out where none did",
    )
    message: str = Field(min_length=1, max_length=4_000, description="What the customer is told")
