"""docs/policies.md says what the gate does, and its examples are judged; policy-fields.md is what the schema says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from approvals import conditions, policies, scores, thresholds
from approvals.digests import action_digest
from approvals.errors import BadPolicy
from approvals.gate import judge
from approvals.policies import Policy, PublishedPolicy, default_policy, load
from approvals.reasons import sentences
from approvals.schemas import (
    Confidence,
    GateContext,
    GateVerdict,
    GroupNeed,
    ProposedAction,
    Requirements,
    Shape,
)

DOCUMENTS = Path(__file__).resolve().parent.parent.parent / "docs"
EXAMPLES = "Worked examples"
SHAPES: tuple[type[Shape], ...] = (
    policies.Policy,
    thresholds.Thresholds,
    scores.Scores,
    scores.ScoreChoice,
    policies.BaselineRow,
    policies.Rule,
    policies.When,
    policies.TimeWindow,
    Requirements,
    GroupNeed,
)
SHARE = "share"
MONEY = {"anyOf": [{"type": "number"}, {"type": "string"}]}


@dataclass
class Section:
    """What stands under one heading: JSON blocks, and rows of tables by their head."""

    blocks: list[Any]
    tables: list[tuple[tuple[str, ...], list[tuple[str, ...]]]]
    open: bool = False

    def rows(self, *head: str) -> list[tuple[str, ...]]:
        """The rows of the tables that begin with these columns."""
        return [row for names, rows in self.tables if names[: len(head)] == head for row in rows]


def read(text: str) -> dict[str, dict[str, Section]]:
    """Sections by the headings of both levels."""
    found: dict[str, dict[str, Section]] = {}
    upper = lower = ""
    block: list[str] | None = None
    for line in text.splitlines():
        section = found.setdefault(upper, {}).setdefault(lower, Section([], []))
        if block is not None:
            if line == "```":
                section.blocks.append(json.loads("\n".join(block)))
                block = None
            else:
                block.append(line)
        elif line == "```json":
            block = []
        elif line.startswith("## "):
            upper, lower = line.removeprefix("## "), ""
        elif line.startswith("### "):
            lower = line.removeprefix("### ")
        elif line.startswith("|---"):
            names, _ = section.tables.pop()
            section.tables.append((names, []))
        elif line.startswith("|") and section.tables and section.open:
            section.tables[-1][1].append(cells(line))
        elif line.startswith("|"):
            section.tables.append((cells(line), []))
        section.open = line.startswith("|")
    return found


def cells(line: str) -> tuple[str, ...]:
    parts = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return tuple(part.strip().replace("\\|", "|") for part in parts)


DOCS = read((DOCUMENTS / "policies.md").read_text())
REFERENCE = read((DOCUMENTS / "policy-fields.md").read_text())
TOOLS = {row[0].strip("`"): row for row in DOCS[EXAMPLES][""].rows("tool", "agent")}
ROWS = [
    pytest.param(name, row, id=f"{name}: {row[0]} {row[1]} {row[2]}")
    for name, section in DOCS[EXAMPLES].items()
    for row in section.rows("call", "confidence")
]


def policy_of(section: Section) -> Policy:
    """The section's document, else the shipped policy; with the section's rules on top."""
    document: dict[str, Any] = default_policy().document()
    rules = []
    for block in section.blocks:
        if "effect" in block:
            rules.append(block)
        elif "rules" in block:
            document = block
        else:
            document |= block
    return load(document | {"rules": [*document.get("rules", []), *rules]})


def action_of(call: str) -> ProposedAction:
    """`tool {"argument": …}` of the table of tools; one that is not in it is unknown."""
    name, _, arguments = call.strip("`").partition(" ")
    known = name in TOOLS
    _, agent, owner, risk, effects, reversible = (
        TOOLS[name] if known else next(iter(TOOLS.values()))
    )
    given = json.loads(arguments)
    return ProposedAction.model_validate(
        {
            "agent": agent.strip("`"),
            "agent_version": "sha256:" + "a" * 64,
            "owner_group": owner,
            "tool": name,
            "tool_version": "1",
            "arguments": given,
            "digest": action_digest(name, "1", given),
            "risk": risk,
            "effects": [] if effects == "none" else effects.split(", "),
            "reversible": reversible == "yes",
            "known": known,
            "argument_schema": {"type": "object", "properties": {"amount": MONEY}},
        }
    )


def context_of(run: str) -> GateContext:
    """`tainted`, `first use`, `31 calls this hour`, `at 2026-11-23T21:30+01:00`; or a dash."""
    values: dict[str, Any] = {"at": datetime(2026, 11, 23, 10, tzinfo=UTC)}
    for word in [] if run == "–" else run.split(", "):
        if word == "tainted":
            values |= {"tainted": True, "tainted_by": ("read_mail",)}
        elif word == "first use":
            values["first_use"] = True
        elif found := re.fullmatch(r"(\d+) calls this hour", word):
            values["calls_last_hour"] = int(found[1])
        else:
            values["at"] = datetime.fromisoformat(word.removeprefix("at "))
    return GateContext.model_validate(values)


def judged(section: Section, call: str, confidence: str, run: str) -> GateVerdict:
    policy = policy_of(section)
    sure = Confidence(raw_bp=round(float(confidence) * 10_000), source="self_reported")
    none = confidence == "none"
    return judge(
        action_of(call),
        None if none else sure,
        context_of(run),
        PublishedPolicy(1, policy.digest(), policy),
    )


def said(verdict: GateVerdict) -> tuple[str, str]:
    """The last two cells of a row."""
    outcome = verdict.outcome.value
    if verdict.requirements is not None:
        people = [f"{need.count} {need.group}" for need in verdict.requirements.groups]
        outcome = f"review: {', '.join(people)}"
    return outcome, " ".join(sentences(verdict.reasons))


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_every_example_is_judged_as_the_page_says(name: str, row: tuple[str, ...]) -> None:
    call, confidence, run, outcome, why = row
    assert said(judged(DOCS[EXAMPLES][name], call, confidence, run)) == (outcome, why)


def test_what_both_rules_for_payments_ask_for_adds_up_as_the_page_says() -> None:
    call = '`pay_invoice {"amount": "10000.00", "country": "DE"}`'
    needs = judged(DOCS[EXAMPLES]["Payments by two people"], call, "1", "–").requirements
    assert needs is not None
    assert (needs.friction, needs.friction_seconds, needs.review_hours) == ("second_factor", 600, 4)
    assert (needs.on_expiry, needs.escalation) == ("escalate", ("controllers",))
    assert (needs.exclude_owner, needs.undo_seconds) == (True, 30)


@pytest.mark.parametrize("name", [name for name in DOCS[EXAMPLES] if name])
def test_every_example_has_a_policy_and_more_than_one_verdict(name: str) -> None:
    section = DOCS[EXAMPLES][name]
    assert section.blocks
    assert len({row[3] for row in section.rows("call", "confidence")}) > 1


@pytest.mark.parametrize("name", [name for name in DOCS[EXAMPLES] if name])
def test_every_rule_of_an_example_decides_one_of_its_rows(name: str) -> None:
    section = DOCS[EXAMPLES][name]
    rules = {rule.name: rule.title for rule in policy_of(section).rules}
    why = " ".join(row[4] for row in section.rows("call", "confidence"))
    assert all(f"\u201c{title or name}\u201d" in why for name, title in rules.items())


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_the_reference_has_every_field_with_its_bounds_and_its_default(shape: type[Shape]) -> None:
    rows = REFERENCE[shape.__name__][""].rows("field", "takes", "default")
    written = [row[:3] for row in rows]
    assert written == described(shape)
    assert all(row[3] for row in rows)


def test_the_reference_has_no_shape_that_is_not_part_of_a_policy() -> None:
    parts = set(Policy.model_json_schema()["$defs"]) | {"Policy"}
    shapes = {shape.__name__ for shape in SHAPES}
    enums = {"Risk", "Effect", "Friction", "Expiry"}
    assert parts == shapes | enums
    assert set(REFERENCE) == shapes | {""}


def described(shape: type[Shape]) -> list[tuple[str, ...]]:
    """Field, what it takes and its default, as the schema has them."""
    schema = shape.model_json_schema()
    return [
        (
            f"`{name}`",
            takes(name, field, schema.get("$defs", {})),
            default(field),
        )
        for name, field in schema["properties"].items()
    ]


def default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return "`{}`" if field.get("type") == "object" else "must be given"
    value = field["default"]
    if isinstance(value, dict):
        return "that of each field"
    return f"`{json.dumps(value)}`"


def takes(name: str, field: dict[str, Any], parts: dict[str, Any]) -> str:
    """In words, with the bounds."""
    if "$ref" in field:
        part = field["$ref"].rsplit("/")[-1]
        inner = parts[part]
        return choice(inner["enum"]) if "enum" in inner else f"[{part}](#{part.lower()})"
    if "anyOf" in field:
        inner_types = [each for each in field["anyOf"] if each.get("type") != "null"]
        nullable = ", or null" if len(inner_types) < len(field["anyOf"]) else ""
        if len(inner_types) > 1:
            return f"{SHARE}{nullable}"
        return takes(name, inner_types[0], parts) + nullable
    return plain(name, field, parts)


def plain(name: str, field: dict[str, Any], parts: dict[str, Any]) -> str:
    if "enum" in field:
        return choice(field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if name == "samples":
        return f"whole number, {scores.FEWEST_SAMPLES} to {scores.MOST_SAMPLES}"
    match field["type"]:
        case "array":
            return f"list; each {takes('', field['items'], parts)}"
        case "object":
            return f"by name: {takes('', field['additionalProperties'], parts)}"
        case "boolean":
            return "`true` or `false`"
        case "integer" | "number" as kind:
            word = "number" if kind == "number" else "whole number"
            low = f"above {field['exclusiveMinimum']}" if "exclusiveMinimum" in field else ""
            bounds = [low or str(field["minimum"])]
            if "maximum" in field:
                bounds.append(f"to {field['maximum']}")
                return f"{word}, {', up '.join(bounds) if low else ' '.join(bounds)}"
            return f"{word}, {bounds[0]} or more"
    if "pattern" in field:
        return f"text that fits `{field['pattern']}`"
    if field.get("format") == "time":
        return "time of day"
    if "maxLength" in field:
        return f"text, {field['minLength']} to {field['maxLength']} characters"
    return "text"


def choice(words: list[str]) -> str:
    return f"one of {', '.join(f'`{word}`' for word in words)}"


def test_a_share_is_bounded_as_the_page_says() -> None:
    for good in ("0", "1", "0.8125"):
        load({"thresholds": {"default": good}})
    for bad in ("-0.0001", "1.0001", "0.81255", "NaN", True):
        with pytest.raises(BadPolicy):
            load({"thresholds": {"default": bad}})


def test_the_bounds_of_the_page_are_those_of_the_code() -> None:
    bounds = {
        "rules in a policy": policies.MOST_RULES,
        "characters of a condition": conditions.LONGEST_CONDITION,
        "loops over lists in a condition": conditions.MOST_LOOPS,
        "steps of these loops, counted as values of the arguments to the power of the loops": (
            conditions.MOST_STEPS
        ),
        "levels of nesting in the arguments": conditions.DEEPEST_ARGUMENTS,
        "values in the arguments": conditions.MOST_VALUES,
        "characters of text in the arguments": conditions.MOST_TEXT,
    }
    rows = DOCS["Conditions"][""].rows("at most", "of what")
    assert {what: int(number.replace(",", "")) for number, what in rows} == bounds
