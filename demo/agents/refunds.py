"""The refund desk: a model with a closed list of tools that settles one ticket of a customer."""

from __future__ import annotations

from django.conf import settings

from agents.authoring import (
    Accepted,
    Agent,
    Asserts,
    Budget,
    Category,
    Effect,
    EffectClass,
    Example,
    Preview,
    Risk,
    Terminal,
    ToolContext,
    Trust,
    tool,
)
from demo import previews
from demo.agents.translating import provider, told
from demo.errors import OutcomeUnknown, ProviderBusy, ProviderRefused
from demo.models import Order, SentMail
from demo.models import Refund as LedgerRow
from demo.rules import RULES, WINDOW_DAYS
from demo.services.refund_order import refund_order
from demo.services.write_to_customer import write_to_customer
from demo.tickets import (
    Mail,
    MailNote,
    Nothing,
    OrderSheet,
    Outcome,
    Receipt,
    Refund,
    RefundRules,
    Ticket,
    WhichOrder,
)


@tool(risk=Risk.LOW, identity={"order"})
def look_up_order(ctx: ToolContext, which: WhichOrder) -> OrderSheet:
    """Read an order: what was bought, paid, delivered and already refunded, and the customer's note."""
    order = Order.objects.with_everything().by_number(which.order).first()
    if order is None:
        raise Terminal(
            f"order: there is no order {which.order}. Take the number as in the ticket, such as ORD-10042."
        )
    refunded = order.given_back()
    waited = (ctx.now.date() - order.delivered_on).days if order.delivered_on else None
    return OrderSheet(
        order=order.number,
        customer=order.customer.name,
        product=order.product,
        quantity=order.quantity,
        unit_price=order.unit_price,
        total=order.total,
        refunded=refunded,
        refundable=order.payment.amount - refunded,
        status=order.status,
        placed_on=order.placed_on,
        delivered_on=order.delivered_on,
        days_since_delivery=waited,
        customer_note=order.customer_note,
        as_of=ctx.now,
    )


@tool(risk=Risk.LOW, trust=Trust.TRUSTED)
def read_refund_rules(ctx: ToolContext, nothing: Nothing) -> RefundRules:
    """Read when money may go back."""
    return RefundRules(window_days=WINDOW_DAYS, rules=RULES)


@tool(
    risk=Risk.HIGH,
    effects={Effect.MONEY},
    reversible=False,
    effect_class=EffectClass.IDEMPOTENT,
    trust=Trust.TRUSTED,
    identity={"order"},
    cosmetic={"reason"},
)
def issue_refund(ctx: ToolContext, refund: Refund) -> Receipt:
    """Pay money back to the customer of an order, the way it was paid."""
    with told():
        row = refund_order(
            number=refund.order,
            amount=refund.amount,
            reason=refund.reason,
            key=ctx.idempotency_key,
            provider=provider(),
        )
    return Receipt(reference=row.provider_reference, order=refund.order, amount=row.amount)


@issue_refund.preview
def preview_refund(ctx: ToolContext, refund: Refund) -> Preview:
    order = Order.objects.with_everything().by_number(refund.order).first()
    return previews.of_refund(refund, order, today=ctx.now.date())


@issue_refund.state_token
def refund_state(ctx: ToolContext, refund: Refund) -> str:
    """What the reviewer saw of the order's money. This call's own ledger row is no change of the world."""
    order = Order.objects.with_everything().by_number(refund.order).first()
    if order is None:
        return "no such order"
    others = order.given_back(besides=ctx.idempotency_key)
    return f"{order.status}, paid {order.payment.amount}, given back {others}"


@issue_refund.locks
def refund_locks(refund: Refund) -> list[str]:
    return [f"order:{refund.order}"]


@issue_refund.verify
def check_refund(ctx: ToolContext, refund: Refund, receipt: Receipt) -> bool:
    """Both the provider and our ledger know it, with the same amount."""
    paid = provider().find(key=ctx.idempotency_key)
    row = LedgerRow.objects.filter(provider_reference=receipt.reference).first()
    return (
        paid is not None
        and row is not None
        and paid.reference == row.provider_reference
        and paid.amount == row.amount == receipt.amount
    )


@tool(
    risk=Risk.HIGH,
    effects={Effect.EXTERNAL_COMMUNICATION},
    reversible=False,
    effect_class=EffectClass.QUERYABLE,
    trust=Trust.TRUSTED,
    identity={"order"},
    callback="demo-mail",
)
def send_email(ctx: ToolContext, mail: Mail) -> MailNote | Accepted[MailNote]:
    """Send an e-mail to the customer of an order, at the address in the customer's record."""
    with told():
        sent = write_to_customer(
            number=mail.order, subject=mail.subject, body=mail.body, key=ctx.idempotency_key
        )
    return _carried(ctx, sent)


@send_email.preview
def preview_mail(ctx: ToolContext, mail: Mail) -> Preview:
    order = Order.objects.with_everything().by_number(mail.order).first()
    return previews.of_mail(mail, order)


@send_email.lookup
def find_mail(ctx: ToolContext, mail: Mail) -> MailNote | Accepted[MailNote] | None:
    """A note proves that the mail went out; no note proves nothing."""
    sent = SentMail.objects.filter(idempotency_key=ctx.idempotency_key).first()
    return _carried(ctx, sent) if sent else None


def _carried(ctx: ToolContext, sent: SentMail) -> MailNote | Accepted[MailNote]:
    """A mail that went out; accepted, where the provider will say what became of it."""
    note = MailNote(recipient=sent.recipient, subject=sent.subject)
    config = settings.COUNTERSIGN
    if not config.demo_provider_url:
        return note
    callback = f"{config.address}/api/v1/callbacks/demo-mail"
    try:
        reference = provider().hand_over_mail(
            key=ctx.idempotency_key, recipient=sent.recipient, callback=callback
        )
    except (ProviderRefused, ProviderBusy, OutcomeUnknown):
        # It is out all the same; nobody will say how it fared.
        return note
    return Accepted(note, reference)


refund_desk = Agent(
    slug="refund-desk",
    title="Refund desk",
    category=Category.BOUNDED,
    owner="support",
    instructions="""
You work at the refund desk of a shop that sells to companies. You get one ticket and settle it.

1. Look the order up. If the ticket names no order, or none that exists, ask a person for the number; if that
   does not help, abstain.
2. Read the refund rules. If they do not allow the refund, say so kindly in the final answer and stop.
3. Propose the refund: exactly the amount the ticket asks for, in euro. How sure you are depends on the ticket:
   plain wish, one amount and a reason make you sure; doubtful wording, several amounts or a missing reason do not.
4. Send an e-mail only if the ticket asks for one, and only after the refund was made.
5. Give the final answer: what happened, in one or two sentences for the customer. Never promise anything that no
   tool result confirms. If a person rejected the refund, do not propose it again; apologise and say that it was
   declined. If it was sent back with feedback, propose it again as the feedback says.
""",
    tools=[look_up_order, read_refund_rules, issue_refund, send_email],
    budget=Budget(steps=40, model_calls=16, tool_calls=16, tokens=200_000),
    input=Ticket,
    output=Outcome,
    input_trust=Trust.UNTRUSTED,
    # “Refunded” is checked against the journal: that refund, for that order, of that amount.
    asserts=[
        Asserts(
            issue_refund,
            when={"outcome": ["refunded"]},
            same={"order": "order", "amount": "amount"},
        )
    ],
    examples=[
        Example(
            "A refund above the limit: paused by a rule, for one of Finance",
            "One of the tablets from order ORD-10001 arrived with a broken screen. Please refund €420.00 for it.",
        ),
        Example(
            "A small, clear refund: runs by itself",
            "A desk lamp from order ORD-10002 was damaged in transit. Please refund €38.50.",
        ),
        Example(
            "A small, unclear refund: paused by its confidence",
            "I think something was wrong with order ORD-10003, maybe you could give back about €45.00 or so?",
        ),
        Example(
            "No order number: the agent asks",
            "A keyboard arrived with missing keys. I would like €29.90 back, please.",
        ),
        Example(
            "Too old: the rules decline it",
            "A chair from order ORD-10004 has a crack in the seat. Please refund €89.00.",
        ),
        Example(
            "A clear refund, confirmed by e-mail",
            "One headset from order ORD-10005 stopped working. Please refund €49.00 and confirm it by e-mail.",
        ),
    ],
)
