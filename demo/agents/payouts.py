"""Supplier-payout: a workflow that pays invoices. Code decides each step; the model only reads the invoice's text."""

from __future__ import annotations

from agents.authoring import (
    Abstain,
    Agent,
    AskModel,
    AskPerson,
    Asserts,
    Budget,
    Call,
    Category,
    Done,
    Example,
    FlowContext,
    Go,
    Move,
    Workflow,
)
from demo.agents.payout_tools import (
    check_limits,
    find_invoice,
    look_up_payout,
    notify_supplier,
    pay_supplier,
)
from demo.payouts import (
    InvoiceFields,
    InvoiceToPay,
    Notice,
    Payout,
    PayoutOutcome,
    to_purchase_number,
)
from demo.previews import euro

QUESTION = (
    "Read the invoice under content, which a supplier sent. Which purchase order of ours does it name, what is the "
    "supplier's own number of it, what is to be paid in euro, and to which account? Leave empty what it does not say."
)

flow = Workflow(start="match")


@flow.state(to=["check", "not_paid"])
def match(ctx: FlowContext) -> Move:
    """Find the invoice and its supplier's record."""
    return Call(
        find_invoice, InvoiceToPay(invoice=ctx.input.invoice), then="check", otherwise="not_paid"
    )


@flow.state(to=["read"])
def check(ctx: FlowContext) -> Move:
    """Check that it is unpaid, and what may still be paid to the supplier."""
    return Call(check_limits, InvoiceToPay(invoice=ctx.input.invoice), then="read")


@flow.state(to=["order"], asks=InvoiceFields, ends=True)
def read(ctx: FlowContext) -> Move:
    """Have the model read the invoice's text into fields."""
    limits = ctx["check"]
    if limits.paid:
        return Abstain(f"{ctx.input.invoice} has been paid already.")
    question = QUESTION
    if ctx.last is not None and ctx.last.feedback:
        question = f"{QUESTION} A reviewer says of the last answer: {ctx.last.feedback}"
    return AskModel(question, ctx["match"].text, then="order")


@flow.state(to=["propose"], ends=True)
def order(ctx: FlowContext) -> Move:
    """Compare with what was paid before; ask a person where no order is named."""
    sheet, fields = ctx["match"], ctx["read"]
    if fields.amount is None:
        return Abstain("The invoice does not say what is to be paid.")
    for earlier in sheet.earlier:
        if fields.reference and earlier.reference == fields.reference:
            return Abstain(
                f"The supplier's number {fields.reference} was paid on {earlier.paid_on}, as {earlier.invoice}."
            )
    if fields.order:
        return Go("propose", why=f"The invoice is for {fields.order}.")
    return AskPerson(
        f"Invoice {sheet.invoice} of {sheet.supplier} over {euro(fields.amount)} names no purchase order. "
        "Which one is it for? It looks like PO-7001.",
        then="propose",
    )


@flow.state(to=["read", "confirm", "not_paid"], ends=True)
def propose(ctx: FlowContext) -> Move:
    """Propose the payment, to the account on file."""
    sheet, limits, fields = ctx["match"], ctx["check"], ctx["read"]
    number = fields.order or _number_in(str(ctx["order"]))
    if not number:
        return Abstain("Nobody could say which purchase order the invoice is for.")
    if fields.amount > limits.left:
        return Abstain(
            f"{euro(fields.amount)} is more than the {euro(limits.left)} left of this month's limit for "
            f"{sheet.supplier}."
        )
    payout = Payout(
        invoice=sheet.invoice,
        order=number,
        amount=fields.amount,
        account=sheet.account_on_file,
        account_on_invoice=fields.account,
        reference=fields.reference,
    )
    why = f"The text of {sheet.invoice} was read as {euro(fields.amount)} for {number}."
    return Call(
        pay_supplier, payout, then="confirm", sent_back="read", otherwise="not_paid", why=why
    )


@flow.state(to=["notify", "not_paid"])
def confirm(ctx: FlowContext) -> Move:
    """Look the payment up at the provider and in the ledger."""
    which = InvoiceToPay(invoice=ctx.input.invoice)
    # A person approved the payment; what the model read has no part in looking it up.
    return Call(look_up_payout, which, then="notify", rests_on=[])


@flow.state(to=["paid", "not_paid"])
def notify(ctx: FlowContext) -> Move:
    """Tell the supplier what was paid."""
    sheet, standing = ctx["match"], ctx["confirm"]
    if not standing.paid:
        return Go("not_paid", why="Provider and ledger do not agree that it was paid.")
    number = ctx["read"].reference
    yours = f" (your number {number})" if number else ""
    notice = Notice(
        invoice=sheet.invoice,
        subject=f"Payment of {sheet.invoice}",
        body=(
            f"Dear {sheet.supplier},\n\n{euro(standing.amount)} for {sheet.invoice}{yours} is on its way to your "
            f"account. The payment's reference is {standing.reference}.\n\nYour shop"
        ),
    )
    return Call(notify_supplier, notice, then="paid", otherwise="paid")


@flow.state
def paid(ctx: FlowContext) -> Move:
    """Say what was paid."""
    standing = ctx["confirm"]
    told = ctx.results["notify"].done
    words = "and the supplier was told" if told else "and the supplier was not told"
    summary = f"{euro(standing.amount)} was paid for {standing.invoice}, {words}."
    paid_out = PayoutOutcome(
        outcome="paid", invoice=standing.invoice, amount=standing.amount, summary=summary
    )
    return Done(paid_out)


@flow.state
def not_paid(ctx: FlowContext) -> Move:
    """Say why nothing was paid."""
    last = ctx.last
    why = (last.feedback or last.message) if last is not None else ""
    summary = f"{ctx.input.invoice} was not paid. {why}".strip()
    return Done(PayoutOutcome(outcome="not_paid", invoice=ctx.input.invoice, summary=summary))


def _number_in(answer: str) -> str:
    """The order's number in a person's answer; empty where it holds none."""
    try:
        return to_purchase_number(answer)
    except ValueError:
        return ""


supplier_payout = Agent(
    slug="supplier-payout",
    title="Supplier payout",
    category=Category.WORKFLOW,
    owner="finance",
    instructions="You read invoices for the bookkeeping of a shop. You never decide what is paid.",
    tools=[find_invoice, check_limits, pay_supplier, look_up_payout, notify_supplier],
    budget=Budget(steps=40, model_calls=8, tool_calls=12, tokens=60_000),
    input=InvoiceToPay,
    output=PayoutOutcome,
    # “Paid” is checked against the journal, also where code says it.
    asserts=[
        Asserts(
            pay_supplier,
            when={"outcome": ["paid"]},
            same={"invoice": "invoice", "amount": "amount"},
        )
    ],
    flow=flow,
    examples=[
        Example("A plain invoice: one of Finance decides", "INV-3001"),
        Example("A large one: two people of Finance decide", "INV-3002"),
        Example("An unclear text: the model says that it is not sure", "INV-3003"),
        Example("Another bank account than on file: the reviewer is warned", "INV-3004"),
        Example("Sent twice and paid once: it declines by itself", "INV-3005"),
        Example("More than was ordered: the reviewer sees the difference", "INV-3006"),
        Example("Instructions to the model in the text: they move nothing", "INV-3007"),
        Example("No purchase order named: a person is asked", "INV-3008"),
        Example("Another plain one; there are more, up to INV-3048", "INV-3009"),
    ],
)
