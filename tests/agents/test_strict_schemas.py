"""Schemas of offered tools: closed everywhere, and as servers take them that hold a model to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field

from agents.authoring import Risk, Tool, ToolContext, Trust, tool
from agents.builtin import JUDGEMENT, offered_tools
from agents.models import Run, Step
from agents.strict_schemas import KNOWN, closed, open_objects, strict, without_nulls
from demo.agents import refund_desk
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.model_server import call, calls, final, judged


class Line(BaseModel):
    """One line of an order."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    article: str = Field(min_length=3)
    number: int = Field(default=1, ge=1)


class Parcel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    lines: list[Line]
    first: Line = Field(description="The line that goes first")
    weight: Decimal = Field(gt=0, max_digits=6, decimal_places=2)
    until: date | None = None
    way: Literal["road", "air"] = "road"
    properties: list[str] = Field(default_factory=list)


@tool(risk=Risk.LOW, trust=Trust.TRUSTED)
def send(ctx: ToolContext, parcel: Parcel) -> dict[str, Any]:
    """Send it."""
    return parcel.model_dump(mode="json")


def objects_in(schema: Any) -> list[dict[str, Any]]:
    """Every schema of an object with named properties."""
    if isinstance(schema, list):
        return [found for each in schema for found in objects_in(each)]
    if not isinstance(schema, dict):
        return []
    here = [schema] if schema.get("type") == "object" and "properties" in schema else []
    return here + [found for each in schema.values() for found in objects_in(each)]


@pytest.mark.parametrize("agent", [teller(Bank(), tools=[send]), refund_desk])
def test_what_is_offered_is_closed_everywhere_and_asks_how_sure_the_model_is(agent: Any) -> None:
    for offered in offered_tools(agent):
        parameters = offered["function"]["parameters"]
        Draft202012Validator.check_schema(parameters)
        assert objects_in(parameters)
        for each in objects_in(parameters):
            assert each["additionalProperties"] is False
        if offered["function"]["name"] in {each.name for each in agent.tools}:
            assert set(JUDGEMENT) <= set(parameters["required"])


def test_an_object_that_says_nothing_of_further_fields_is_closed_at_every_depth() -> None:
    field = {"type": "object", "properties": {"a": {"type": "string"}}}
    given = {
        **field,
        "properties": {"a": field, "b": {"type": "array", "items": field}, "c": {"anyOf": [field]}},
        "$defs": {"D": field},
    }
    assert len(objects_in(closed(given))) == 5
    assert all(each["additionalProperties"] is False for each in objects_in(closed(given)))
    assert set(open_objects(given)) == {"a", "items", "anyOf", "D"}


@pytest.mark.parametrize("agent", [teller(Bank(), tools=[send]), refund_desk])
def test_a_strict_schema_requires_everything_and_uses_known_words_only(agent: Any) -> None:
    for offered in offered_tools(agent):
        made = strict(offered["function"]["parameters"])
        assert made is not None
        Draft202012Validator.check_schema(made)
        for each in objects_in(made):
            assert each["required"] == list(each["properties"])
            assert each["additionalProperties"] is False
        assert not words_of(made) - KNOWN
        assert "(?" not in json.dumps(made)


def words_of(schema: Any) -> set[str]:
    found = set(schema) - {"$defs", "properties"}
    for inner in [*schema.get("$defs", {}).values(), *schema.get("properties", {}).values()]:
        found |= words_of(inner)
    for inner in schema.get("anyOf", []):
        found |= words_of(inner)
    return found | (words_of(schema["items"]) if "items" in schema else set())


@pytest.mark.parametrize(
    "part",
    [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"allOf": [{"type": "string"}, {"type": "string"}]},
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {"description": "anything"},
    ],
)
def test_what_no_strict_server_could_hold_a_model_to_is_not_claimed(part: dict[str, Any]) -> None:
    whole = closed({"type": "object", "properties": {"a": part}, "required": ["a"]})
    assert strict(whole) is None


def test_null_stands_for_what_is_left_out_and_only_for_that() -> None:
    schema = Parcel.model_json_schema()
    given = {
        "lines": [{"article": "abc", "number": None}],
        "first": None,
        "until": None,
        "way": None,
        "unknown": None,
    }
    assert without_nulls(given, schema) == {
        "lines": [{"article": "abc"}],
        # Required, and so a mistake that is told; null is a date's own value; nobody knows the last.
        "first": None,
        "until": None,
        "unknown": None,
    }


def test_a_model_that_writes_null_for_what_it_leaves_out_is_understood(
    counter: Counter, bank: Bank, steps_of: Callable[[Run], list[Step]]
) -> None:
    tools: list[Tool] = [send]
    host(teller(bank, tools=tools))
    line = {"article": "abc", "number": None}
    parcel = {"lines": [line], "first": line, "weight": "1.50", "until": None, "way": None}
    run = counter.start(
        [calls(call("send", judged({**parcel, "properties": None}))), final(summary="ok")]
    )
    step = next(step for step in steps_of(run) if step.name == "send")
    assert step.state == "succeeded"
    assert (step.arguments or {})["way"] == "road"
    assert (step.arguments or {})["lines"] == [{"article": "abc", "number": 1}]
