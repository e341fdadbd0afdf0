"""Looking rules up and asking conditions once makes no difference to what the gate says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from approvals import conditions
from approvals.gate import judge
from approvals.matching import Finding, answers_of, matched, speaking
from approvals.policies import TimeWindow
from approvals.schemas import Confidence, GateContext, ProposedAction
from tests.approvals.test_gate_properties import (
    actions,
    confidences,
    contexts,
    published,
    rule_lists,
)
from tests.approvals.till import context, refund

NODE = {
    "type": "object",
    "properties": {
        "price": {"type": "string", "format": "decimal"},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
        "notes": {"type": "array", "items": {"type": "string", "format": "decimal"}},
    },
    "additionalProperties": {"type": "string", "format": "decimal"},
}
TREE = {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}}


@settings(max_examples=300)
@given(rule_lists, actions, actions, contexts)
def test_rules_that_are_looked_up_are_those_that_speak(
    rule_list: list[dict[str, Any]],
    action: ProposedAction,
    other: ProposedAction,
    where: GateContext,
) -> None:
    policy = published(rule_list)
    for each in (action, other, action):
        found = [line for line in matched(each, where, policy) if isinstance(line, Finding)]
        denying = [line for line in found if line.rule.effect == "deny"]
        expected = denying or found
        assert speaking(each, where, policy, answers_of(each)) == expected


@settings(max_examples=200)
@given(rule_lists, rule_lists, actions, confidences, contexts)
def test_answers_that_two_policies_share_are_those_that_each_would_get(
    first: list[dict[str, Any]],
    second: list[dict[str, Any]],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    answers = answers_of(action)
    for policy in (published(first), published(second), published(first)):
        assert judge(action, confidence, where, policy, answers) == judge(
            action, confidence, where, policy
        )


def test_a_rule_of_another_tool_is_not_looked_at_for_this_one() -> None:
    policy = published(
        [
            {"name": "here", "effect": "deny", "when": {"tools": ["pay_back"]}},
            {"name": "there", "effect": "deny", "when": {"tools": ["other"]}},
        ]
    )
    action, elsewhere = refund(), refund(tool="other")
    for each, name in ((action, "here"), (elsewhere, "there"), (action, "here")):
        assert judge(each, None, context(), policy).rule == name


@pytest.mark.parametrize(
    ("condition", "arguments"),
    [
        ("args.next.next.price < 10", {"next": {"next": {"price": "9.50"}}}),
        ("args.notes[1] < 10", {"notes": ["20", "9.50"]}),
        ("args.other < 10", {"other": "9.50"}),
        ("args.next.other < 10", {"next": {"other": "9.50"}}),
    ],
)
def test_decimals_are_numbers_wherever_the_schema_says_so(
    condition: str, arguments: dict[str, Any]
) -> None:
    assert conditions.Answers(arguments, TREE, {}).holds(condition)


def test_a_schema_with_a_bound_beyond_64_bits_is_read_all_the_same() -> None:
    schema = {"properties": {"price": {"format": "decimal"}, "count": {"maximum": 2**70}}}
    answers = conditions.Answers({"price": "9.50"}, schema, {})
    assert answers.holds("args.price < 10")


def test_a_schema_that_changes_in_place_is_read_anew() -> None:
    schema: dict[str, Any] = {"properties": {"price": {"type": "string"}}}
    assert conditions.Answers({"price": "9.50"}, schema, {}).holds("args.price == '9.50'")
    schema["properties"]["price"]["format"] = "decimal"
    assert conditions.Answers({"price": "9.50"}, schema, {}).holds("args.price < 10")


def test_arguments_that_cannot_be_bound_leave_every_condition_without_an_answer() -> None:
    answers = conditions.Answers({"count": 2**53}, None, {})
    for condition in ("true", "args.count > 1", "true"):
        with pytest.raises(conditions.Unevaluable, match="2\\^53"):
            answers.holds(condition)


@pytest.mark.parametrize("until", ["23:59", "23:59:59"])
def test_a_window_of_a_whole_day_has_no_gap_before_midnight(until: str) -> None:
    saturday = TimeWindow.model_validate({"days": [5], "start": "00:00", "until": until})
    last = datetime(2026, 3, 7, 23, 59, 59, 999_999, tzinfo=UTC)
    assert saturday.contains(last)
    assert not saturday.contains(last.replace(day=8))
    noon = TimeWindow.model_validate({"days": [5], "until": "12:00"})
    assert not noon.contains(datetime(2026, 3, 7, 12, 0, 0, 1, tzinfo=UTC))
