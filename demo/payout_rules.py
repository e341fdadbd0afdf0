"""The demo's policy for payments to suppliers."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from approvals.policies import Rule, When
from approvals.schemas import GroupNeed, Requirements

TWO_ABOVE: Final = 5_000
"""Euro up to which one person suffices."""


def payout_rules(calendar: str) -> tuple[Rule, ...]:
    """One of Finance up to the amount, two above it; deadlines count the hours of the calendar."""

    def people(count: int) -> Requirements:
        return Requirements(groups=(GroupNeed(group="finance", count=count),), calendar=calendar)

    return (
        Rule(
            name="supplier-payments",
            title=f"Payments to suppliers up to €{TWO_ABOVE:,}: one of Finance",
            when=When(tools=("pay_supplier",), condition=f"args.amount <= {TWO_ABOVE}"),
            effect="review",
            requirements=people(1),
        ),
        Rule(
            name="two-person-payments",
            title=f"Payments to suppliers over €{TWO_ABOVE:,}: two of Finance",
            when=When(tools=("pay_supplier",), condition=f"args.amount > {TWO_ABOVE}"),
            effect="review",
            requirements=people(2),
        ),
        Rule(
            name="mail-to-the-supplier",
            title="E-mail of supplier payouts to the supplier of the invoice",
            when=When(agents=("supplier-payout",), tools=("notify_supplier",)),
            effect="allow",
            threshold=Decimal("0.80"),
            accepts_taint=True,
        ),
    )
