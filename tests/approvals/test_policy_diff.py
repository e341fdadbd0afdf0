"""Whoever publishes a policy reads every field that it changes, with what it was and what it will be."""

from __future__ import annotations

import pytest

from approvals.policies import BaselineRow, Policy, Rule, default_policy
from approvals.policy_diff import changes
from approvals.schemas import GroupNeed, Requirements
from approvals.vocabulary import Risk
from tests.approvals.every_field import OTHER, RULE, WHOLE, changed, fields_of, with_rule

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
    "tools": "tools from not set to Pay",
}


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


@pytest.mark.parametrize(
    "field", [name for name in Policy.model_fields if name != "schema_version"]
)
def test_no_part_of_a_policy_changes_unsaid(field: str) -> None:
    before = default_policy()
    after = before.model_copy(update={field: WHOLE[field]})
    assert changes(before, after)
    assert not changes(after, after)
