"""What differs between two versions of an agent, told part by part."""

from __future__ import annotations

from typing import Any

from agents.authoring import Budget
from agents.version_diff import Change, differences
from tests.agents.bank import Bank, teller

MANY = "\n".join(f"Rule {number}." for number in range(1, 21))


def changed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Change]:
    return {change.part: change for change in differences(old, new)}


def shown(change: Change) -> list[str]:
    return [f"{line.mark}{line.text}" for line in change.lines]


def test_instructions_are_compared_line_by_line_with_a_little_around() -> None:
    bank = Bank()
    old = teller(bank, instructions=MANY).definition
    new = teller(bank, instructions=MANY.replace("Rule 9.", "Rule nine.")).definition
    (change,) = differences(old, new)
    assert (change.part, change.kind) == ("instructions", "changed")
    assert shown(change) == [
        "…",
        " Rule 7.",
        " Rule 8.",
        "-Rule 9.",
        "+Rule nine.",
        " Rule 10.",
        " Rule 11.",
        "…",
    ]


def test_limits_models_and_owner_are_told_before_and_after() -> None:
    bank = Bank()
    old = teller(bank).definition
    new = teller(bank, budget=Budget(steps=50), models=["a", "b"], owner="support").definition
    found = changed(old, new)
    assert set(found) == {"budget.steps", "models", "owner"}
    assert (found["budget.steps"].before, found["budget.steps"].after) == ("40", "50")
    assert (found["models"].before, found["models"].after) == ("none", "a, b")
    assert found["owner"].title == "Its owner group"


def test_tools_are_told_by_what_they_may_do_and_by_each_argument() -> None:
    old = teller(Bank()).definition
    tools = {tool["name"]: dict(tool) for tool in old["tools"]}
    gone = tools.pop("wire")
    pay = tools["pay"]
    schema = {**pay["schema"], "properties": dict(pay["schema"]["properties"])}
    del schema["properties"]["account"]
    schema["properties"]["iban"] = {"type": "string"}
    schema["required"] = ["iban"]
    tools["pay"] = {**pay, "risk": "critical", "effects": [], "schema": schema}
    tools["fly"] = {**gone, "name": "fly"}
    found = changed(old, {**old, "tools": list(tools.values())})
    assert {part: change.kind for part, change in found.items()} == {
        "tools.pay.risk": "changed",
        "tools.pay.effects": "changed",
        "tools.pay.arguments.iban": "added",
        "tools.pay.arguments.account": "removed",
        "tools.pay.arguments.amount": "changed",
        "tools.fly": "added",
        "tools.wire": "removed",
    }
    assert found["tools.pay.effects"].before == "money"
    assert '"required": false' in str(found["tools.pay.arguments.amount"].after)
    assert "high risk, money" in str(found["tools.wire"].before)


def test_a_part_that_a_later_release_records_is_told_too() -> None:
    old = teller(Bank()).definition
    (change,) = differences(old, {**old, "colours": ["cheap", "dear"]})
    assert (change.part, change.title, change.after) == ("colours", "Its colours", "cheap, dear")


def test_the_first_version_is_told_whole() -> None:
    found = changed({}, teller(Bank()).definition)
    assert shown(found["instructions"]) == ["+You serve at the counter of a bank."]
    assert all(change.kind == "added" for change in found.values())
    assert "tools.pay" in found


def test_nothing_differs_from_itself() -> None:
    definition = teller(Bank()).definition
    assert differences(definition, definition) == []
