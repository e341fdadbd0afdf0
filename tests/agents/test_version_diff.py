"""What differs between two versions of an agent, told part by part."""

from __future__ import annotations

from typing import Any

import pytest

from agents.authoring import Asserts, Budget, Route, Trust
from agents.version_changes import changes_between
from agents.version_diff import Change, differences
from tests.agents.bank import Bank, teller, tools_of

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
    assert (found["models"].before, found["models"].after) == (
        "the one that the installation is set to",
        "a, b",
    )
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
    assert (found["tools.pay.risk"].title, found["tools.pay.risk"].tool) == (
        "The tool Pay: risk",
        "pay",
    )
    assert (found["tools.fly"].title, found["tools.fly"].tool) == ("The tool Fly", "fly")
    assert found["tools.pay.effects"].before == "Moves money"
    assert "optional" in str(found["tools.pay.arguments.amount"].after)
    assert "high risk; moves money" in str(found["tools.wire"].before)
    assert str(found["tools.wire"].before).endswith("takes Account, Amount")


def test_a_part_that_a_later_release_records_is_told_too() -> None:
    old = teller(Bank()).definition
    (change,) = differences(old, {**old, "colours": ["cheap", "dear"]})
    assert (change.part, change.title, change.after) == ("colours", "Its colours", "cheap, dear")


def test_what_a_schema_says_besides_its_fields_is_told_too() -> None:
    old = teller(Bank()).definition
    looser = {**old["output"], "additionalProperties": True}
    (change,) = differences(old, {**old, "output": looser})
    assert (change.part, change.after) == ("output.additionalProperties", "yes")


def test_values_are_told_in_words_and_what_there_is_no_word_for_exactly() -> None:
    def takes(**field: Any) -> dict[str, Any]:
        return {
            "input": {"type": "object", "properties": {"ticket": field}, "required": ["ticket"]}
        }

    long = takes(type="string", maxLength=10_000, title="Ticket", description="What they wrote")
    assert changed({}, long)["input.ticket"].after == (
        "text, required, at most 10,000 characters: What they wrote"
    )
    assert set(changed({}, long)) == {"input.ticket"}
    listed = takes(anyOf=[{"type": "number"}, {"type": "null"}], title="Sum", default=None)
    assert changed({}, listed)["input.ticket"].after == (
        "number or nothing, required, nothing when left out, called “Sum”"
    )
    # A keyword that nobody has words for is not kept quiet, neither beside others nor inside.
    odd = takes(anyOf=[{"type": "string", "pattern": "^A"}], multipleOf=2)
    assert '"multipleOf": 2' in str(changed({}, odd)["input.ticket"].after)
    assert '"pattern": "^A"' in str(changed({}, odd)["input.ticket"].after)
    # Where the words are the same of both, what is recorded stands there.
    (alike,) = differences({"flags": {"one": "yes"}}, {"flags": {"one": True}})
    assert (alike.before, alike.after) == ('{"one": "yes"}', '{"one": true}')
    done = {"tool": "pay", "when": {"outcome": ["paid"]}, "same": {"amount": "sum"}}
    (asserts,) = differences({}, {"asserts": [done]})
    assert asserts.after == "pay; when its outcome is paid; its amount is the result's sum"
    kept = changed({}, {"category": "bounded", "input_trust": "untrusted"})
    assert str(kept["category"].after).startswith("Bounded: the model chooses")
    assert kept["input_trust"].after == "not trusted: it may hold text from outside"


def test_the_first_version_is_told_whole() -> None:
    found = changed({}, teller(Bank()).definition)
    assert shown(found["instructions"]) == ["+You serve at the counter of a bank."]
    assert all(change.kind == "added" for change in found.values())
    assert "tools.pay" in found


def test_nothing_differs_from_itself() -> None:
    definition = teller(Bank()).definition
    assert differences(definition, definition) == []


@pytest.mark.parametrize(
    "new", ["Serve.\nPay.\n", "Serve.\u2028Pay.", "Serve.\r\nPay.", " Serve.\nPay."]
)
def test_a_difference_that_no_line_shows_is_said_in_words(new: str) -> None:
    bank = Bank()
    old = teller(bank, instructions="Serve.\nPay.").definition
    (change,) = differences(old, teller(bank, instructions=new).definition)
    assert shown(change) == ["…Only blanks, or how its lines are broken."]


EVERY_PART = {
    "title": "Till",
    "category": "open",
    "owner": "support",
    "instructions": "Be quick.",
    "models": ["a"],
    "budget": {"steps": 1},
    "tools": [],
    "input": {},
    "output": {},
    "verifier": "a",
    "route": {"entry": ["a"]},
    "limits": {"steps": 1},
    "asserts": [{"tool": "pay"}],
    "context_tokens": 5_000,
    "answer_threshold_bp": 8_000,
    "delegates": ["clerk"],
    "memory": True,
    "input_trust": "untrusted",
    "colours": ["red"],
}


@pytest.mark.parametrize("part", EVERY_PART)
def test_no_part_of_a_version_changes_without_a_sentence_and_a_difference(part: str) -> None:
    old = teller(Bank()).definition
    new = {**old, part: EVERY_PART[part]}
    assert changes_between(old, new) != []
    assert {change.part.split(".")[0] for change in differences(old, new)} == {part}


def test_every_part_that_a_version_may_record_is_among_those() -> None:
    bank = Bank()
    tools = tools_of(bank)
    whole = teller(
        bank,
        tools=tools,
        verifier="a",
        route=Route(entry=("a",)),
        limits=Budget(),
        asserts=[Asserts(tools[2])],
        context_tokens=5_000,
        answer_threshold=0.8,
        delegates=["clerk"],
        memory=True,
        input_trust=Trust.UNTRUSTED,
    )
    assert whole.definition.keys() - {"schema", "slug"} <= EVERY_PART.keys()


def test_a_workflow_is_told_state_by_state() -> None:
    def machine(**pay: object) -> dict[str, Any]:
        states = [
            {
                "name": "read",
                "about": "Read it.",
                "to": ["pay"],
                "ends": False,
                "source": "sha256:aa",
                "asks": {"properties": {"amount": {"type": "number"}}, "required": ["amount"]},
            },
            {
                "name": "pay",
                "about": "Pay it.",
                "to": [],
                "ends": True,
                "asks": None,
                "source": "sha256:bb",
                **pay,
            },
        ]
        return {"flow": {"start": "read", "version": "1", "states": states}}

    whole = changed({}, machine())
    assert set(whole) == {"flow.start", "flow.version", "flow.states.read", "flow.states.pay"}
    assert shown(whole["flow.states.read"]) == [
        "+Read it.",
        "+leads to pay",
        "+the model answers with amount: number, required",
        "+code aa",
    ]
    (change,) = differences(machine(), machine(source="sha256:cc"))
    assert (change.part, change.kind) == ("flow.states.pay", "changed")
    assert shown(change) == [" Pay it.", " may end the run", "-code bb", "+code cc"]
