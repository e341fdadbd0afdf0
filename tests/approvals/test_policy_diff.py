"""Whoever publishes a policy reads every field that it changes, with what it was and what it will be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from approvals.policies import BaselineRow, Policy, Rule, TimeWindow, When, default_policy
from approvals.policy_diff import changes
from approvals.schemas import GroupNeed, Requirements
from approvals.scores import Scores
from approvals.vocabulary import Effect, Expiry, Friction, Risk

RULE = Rule(
    name="large", title="Large: one of Finance", effect="review", requirements=Requirements()
)
OTHER: dict[str, Any] = {
    "title": "Larger",
    "scope": "group:support",
    "effect": "deny",
    "threshold": Decimal("0.70"),
    "accepts_taint": True,
    "agents": ("desk",),
    "tools": ("pay",),
    "effects": (Effect.MONEY,),
    "reversible": False,
    "risk_at_least": Risk.HIGH,
    "tainted": True,
    "first_use": True,
    "rate_above": 7,
    "time_window": TimeWindow(days=(5,), start=time(8), until=time(12)),
    "condition": "args.amount > 50",
    "groups": (GroupNeed(group="finance", count=2),),
    "exclude_owner": True,
    "editor_may_approve": True,
    "friction": Friction.SECOND_FACTOR,
    "friction_seconds": 60,
    "review_hours": 3.5,
    "calendar": "office",
    "extend_limit_hours": 8,
    "on_expiry": Expiry.ESCALATE,
    "escalation": ("finance", "support"),
    "reminder": False,
    "execute_by_minutes": 30.0,
    "undo_seconds": 5.0,
    "outcome": "allow",
    "risks": (Risk.CRITICAL,),
}
SAID = {
    "agents": "agents from not set to desk",
    "condition": "condition from not set to “args.amount > 50”",
    "escalation": "groups asked next from not set to finance and support",
    "exclude_owner": "the owner group is left out from no to yes",
    "friction": "asked besides the verdict from none to second factor",
    "groups": "who decides from 1 of the agent's owner group to 2 of finance",
    "review_hours": "hours to decide from not set to 3.5",
    "threshold": "threshold from not set to 0.70",
    "time_window": "times from not set to on Saturday between 08:00 and 12:00 (UTC)",
    "tools": "tools from not set to pay",
}


def with_rule(rule: Rule) -> Policy:
    return default_policy().model_copy(update={"rules": (rule,)})


def changed(part: BaseModel, field: str, value: Any) -> Any:
    """The part with one field changed, wherever inside it that stands."""
    inner = {"when": When, "requirements": Requirements}
    for name, model in inner.items():
        if name in type(part).model_fields and field in model.model_fields:
            return part.model_copy(
                update={name: getattr(part, name).model_copy(update={field: value})}
            )
    return part.model_copy(update={field: value})


def fields_of(part: type[BaseModel]) -> Iterator[str]:
    for name in part.model_fields:
        if name == "when":
            yield from fields_of(When)
        elif name == "requirements":
            yield from fields_of(Requirements)
        else:
            yield name


@pytest.mark.parametrize("field", [name for name in fields_of(Rule) if name != "name"])
def test_every_field_of_a_rule_that_differs_is_named(field: str) -> None:
    said = changes(with_rule(RULE), with_rule(changed(RULE, field, OTHER[field])))
    assert len(said) == 1
    title = "Larger" if field == "title" else RULE.title
    assert said[0].startswith(f"Rule “{title}”: ")
    assert SAID.get(field, " from ") in said[0]


@pytest.mark.parametrize("field", list(fields_of(BaselineRow)))
def test_every_field_of_the_baseline_that_differs_is_named(field: str) -> None:
    row = BaselineRow(risks=(Risk.HIGH,))
    before, after = (
        default_policy().model_copy(update={"baseline": (each,)})
        for each in (row, changed(row, field, OTHER[field]))
    )
    said = changes(before, after)
    if field in ("risks", "effects", "reversible"):
        assert [line.rpartition(": ")[2] for line in said] == [
            "this line is new.",
            "this line is taken out.",
        ]
    else:
        assert len(said) == 1
        assert SAID.get(field, " from ") in said[0]


def test_lines_about_the_same_are_told_apart() -> None:
    row = BaselineRow(risks=(Risk.HIGH,))
    two = row.model_copy(update={"requirements": Requirements(groups=(GroupNeed(group="x"),))})
    before = default_policy().model_copy(update={"baseline": (row, row)})
    after = default_policy().model_copy(update={"baseline": (row, two)})
    assert changes(before, after) == [
        "Baseline, high risk: who decides from 1 of the agent's owner group to 1 of x."
    ]


WHOLE: dict[str, Any] = {
    "thresholds": default_policy().thresholds.model_copy(update={"default": Decimal("0.5")}),
    "baseline": (),
    "rules": (RULE,),
    "undo_seconds": 3.0,
    "review_hours": 5.0,
    "calendar": "office",
    "sticky_hours": 1.0,
    "delegates": ("support",),
    "scores": Scores.model_validate(default_policy().scores.with_line({}, {"source": "verifier"})),
}


@pytest.mark.parametrize(
    "field", [name for name in Policy.model_fields if name != "schema_version"]
)
def test_no_part_of_a_policy_changes_unsaid(field: str) -> None:
    before = default_policy()
    after = before.model_copy(update={field: WHOLE[field]})
    assert changes(before, after)
    assert not changes(after, after)
