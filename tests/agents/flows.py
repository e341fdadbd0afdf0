"""A workflow at the counter of the tests' bank: it reads a letter, pays what the letter asks for, and says so."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agents.authoring import (
    Agent,
    AskModel,
    Call,
    Category,
    Done,
    FlowContext,
    Move,
    Workflow,
)
from tests.agents.bank import Account, Bank, Payment, tools_of
from tests.model_server import Answer, call, calls


class Wish(BaseModel):
    """What a letter asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    account: str
    amount: Decimal = Field(gt=0, max_digits=10, decimal_places=2)


class Closed(BaseModel):
    """What the clerk did."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    summary: str


def flow_of(bank: Bank, *, changed: bool = False) -> Workflow:
    """look → read (the model is asked) → pay → close; a payment that is sent back is read again.

    `changed`: as another release has it, which closes in other words.
    """
    tools = {tool.name: tool for tool in tools_of(bank)}
    flow = Workflow(start="look")

    @flow.state(to=["read"])
    def look(ctx: FlowContext) -> Move:
        """Fetch the newest letter."""
        return Call(tools["read_letter"], Account(account=ctx.input.text), then="read")

    @flow.state(to=["pay"], asks=Wish)
    def read(ctx: FlowContext) -> Move:
        """Have the model read the letter."""
        question = "What does the letter ask for?"
        if ctx.last is not None and ctx.last.feedback:
            question = f"{question} A reviewer says: {ctx.last.feedback}"
        return AskModel(question, ctx["look"], then="pay")

    @flow.state(to=["read", "close"])
    def pay(ctx: FlowContext) -> Move:
        """Propose the payment."""
        wish = ctx["read"]
        payment = Payment(account=wish.account, amount=wish.amount)
        return Call(tools["pay"], payment, then="close", sent_back="read", why="The letter asks.")

    if changed:

        @flow.state
        def close(ctx: FlowContext) -> Move:
            """Say what was done."""
            return Done(Closed(summary="Paid, says the new release."))
    else:

        @flow.state
        def close(ctx: FlowContext) -> Move:
            """Say what was done."""
            return Done(Closed(summary=f"Paid, receipt {ctx['pay'].reference}."))

    return flow


def clerk(flow: Workflow, bank: Bank, **changes: Any) -> Agent:
    """The workflow under the name that the counter starts runs of."""
    fields: dict[str, Any] = {
        "slug": "teller",
        "title": "Clerk",
        "category": Category.WORKFLOW,
        "owner": "finance",
        "instructions": "You read letters for a bank.",
        "tools": tools_of(bank),
        "output": Closed,
        "flow": flow,
    }
    return Agent(**{**fields, **changes})


def lone(
    move: Callable[[FlowContext], Move], *, to: tuple[str, ...] = ("close",), **more: Any
) -> Workflow:
    """A workflow whose first state makes this move, and whose second one closes it."""
    flow = Workflow(start="first")

    @flow.state(to=to, **more)
    def first(ctx: FlowContext) -> Move:
        """Make the move of the test."""
        return move(ctx)

    @flow.state
    def close(ctx: FlowContext) -> Move:
        """Say what came of it."""
        last = ctx.last
        return Done(Closed(summary=f"{last.status}: {last.value}" if last else "nothing"))

    return flow


def answered(confidence: Any = 0.95, **fields: Any) -> Answer:
    """The model's answer at a decision point."""
    wish = {"account": "A1", "amount": "42.00", **fields}
    return calls(call("answer", {**wish, "confidence": confidence, "rationale": "It says so."}))
