"""Publish the demo's policy: the one as shipped, with the rules by which the shop works."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from approvals.policies import Policy, Rule, When
from approvals.schemas import GroupNeed, Requirements
from approvals.services.policies import current
from approvals.services.publish import publish
from audit.actors import Actor
from demo.payout_rules import payout_rules
from demo.services.set_office_hours import OFFICE_HOURS, set_office_hours
from demo.steward.rules import RULES as STEWARD_RULES

AS_SHIPPED = 1

RULES: Final = (
    Rule(
        name="small-refunds",
        title="Refunds up to €50 for the refund desk",
        when=When(agents=("refund-desk",), tools=("issue_refund",), condition="args.amount <= 50"),
        effect="allow",
        threshold=Decimal("0.80"),
        accepts_taint=True,
    ),
    Rule(
        name="large-refunds",
        title="Refunds over €50: one of Finance",
        when=When(tools=("issue_refund",), condition="args.amount > 50"),
        effect="review",
        requirements=Requirements(
            groups=(GroupNeed(group="finance", count=1),), calendar=OFFICE_HOURS
        ),
    ),
    Rule(
        name="mail-to-the-customer",
        title="E-mail of the refund desk to the customer of the order",
        when=When(agents=("refund-desk",), tools=("send_email",)),
        effect="allow",
        threshold=Decimal("0.80"),
        accepts_taint=True,
    ),
    *payout_rules(OFFICE_HOURS),
    *STEWARD_RULES,
)
"""`send_email` takes no address: it can only reach the customer of the order it names."""


def with_rules(policy: Policy) -> Policy:
    """The policy with the demo's rules added."""
    return policy.model_copy(update={"rules": (*policy.rules, *RULES)})


def publish_policy(*, actor: Actor) -> int:
    """Publish the demo's rules and the calendar that they name once, on top of the shipped policy; returns
    the number in force.

    What an admin published since stays as it is, also where a rule was taken out.
    """
    published = current()
    if published.version > AS_SHIPPED:
        return published.version
    set_office_hours(actor=actor)
    document = with_rules(published.policy).document()
    return publish(
        document=document,
        base_version=published.version,
        caller=actor,
        why="The shop's rules: small refunds run by themselves, large ones go to Finance.",
    ).version
