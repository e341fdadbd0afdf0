"""A teller whose answers say what was paid, and a model that lies about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.authoring import (
    Agent,
    Asserts,
    Budget,
    Effect,
    EffectClass,
    Preview,
    Risk,
    Terminal,
    Tool,
    ToolContext,
    Trust,
    tool,
)
from tests.agents.bank import Bank, Payment, teller, tools_of
from tests.model_server import Answer, call, calls, judged

PAY = judged({"account": "A1", "amount": "42.00"})
READ = judged({"account": "A1"})


class Paid(BaseModel):
    """What the bank answers to a payment."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reference: str
    amount: Decimal


class Report(BaseModel):
    """How it ended."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    outcome: Literal["paid", "not_paid"]
    amount: Decimal | None = Field(default=None, gt=0, max_digits=10, decimal_places=2)
    summary: str = Field(min_length=1, max_length=500)


def reporting(bank: Bank, **changes: Any) -> Agent:
    """A teller whose answer “paid” asserts a transfer, and the amount that its receipt names."""

    @tool(
        risk=Risk.HIGH,
        effects={Effect.MONEY},
        reversible=True,
        effect_class=EffectClass.IDEMPOTENT,
        trust=Trust.TRUSTED,
        identity={"account"},
    )
    def transfer(ctx: ToolContext, payment: Payment) -> Paid:
        """Pay money to an account."""
        if payment.account == "closed":
            raise Terminal("account: it is closed.")
        receipt = bank.take(ctx, payment)
        return Paid(reference=receipt.reference, amount=payment.amount)

    @transfer.preview
    def show(ctx: ToolContext, payment: Payment) -> Preview:
        return Preview(title=f"Pay €{payment.amount} to {payment.account}", subject=payment.account)

    @transfer.undo
    def take_back(ctx: ToolContext, payment: Payment, paid: Paid | None) -> None:
        """Take the payment back."""

    tools: list[Tool] = [*tools_of(bank), transfer]
    fields = {
        "tools": tools,
        "output": Report,
        "asserts": [Asserts(transfer, when={"outcome": ["paid"]}, same={"amount": "amount"})],
        "budget": Budget(steps=200, model_calls=100, tool_calls=100),
        **changes,
    }
    return teller(bank, **fields)


def transfers(id: str = "t1", **arguments: Any) -> Answer:
    """A reply that makes a transfer."""
    return calls(call("transfer", {**PAY, **arguments}, id=id))


def reads(id: str = "r1") -> Answer:
    """A reply that reads the balance."""
    return calls(call("read_balance", READ, id=id))


def answers(*relies_on: str, outcome: str = "paid", id: str | None = None, **more: Any) -> Answer:
    """The final answer, relying on these calls."""
    said = {"outcome": outcome, "summary": "All is well.", "relies_on": list(relies_on), **more}
    return calls(call("final_answer", said, id=id))
