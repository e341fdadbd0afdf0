"""Which schema takes all that another took: what decides whether a run may finish on its old definition."""

from __future__ import annotations

from typing import Any

import pytest

from agents.schema_compat import meaning, takes_all_of


def schema(required: tuple[str, ...] = ("name",), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {"name": {"type": "string"}, **properties},
        "required": list(required),
    }


OLD = schema(size={"type": "integer"})


@pytest.mark.parametrize(
    ("now", "takes"),
    [
        (OLD, True),
        ({**OLD, "title": "Other", "description": "Other words."}, True),
        (schema(size={"type": "integer", "title": "How big"}), True),
        (schema(size={"type": "integer"}, colour={"type": "string"}), True),
        (schema((), size={"type": "integer"}), True),
        (schema(("name", "size"), size={"type": "integer"}), False),
        (schema(size={"type": "number"}), False),
        (schema(size={"type": "integer", "default": 3}), False),
        (schema(), False),
        ({**OLD, "additionalProperties": True}, False),
        ({**OLD, "$defs": {"Size": {"type": "integer"}}}, True),
    ],
)
def test_only_a_schema_that_surely_takes_the_same_values_counts(
    now: dict[str, Any], takes: bool
) -> None:
    assert takes_all_of(now, OLD) is takes


def test_a_definition_that_is_referred_to_has_to_mean_the_same() -> None:
    one = {**OLD, "$defs": {"Size": {"enum": ["s", "m"]}}}
    other = {**OLD, "$defs": {"Size": {"enum": ["s", "l"]}}}
    assert not takes_all_of(other, one)


def test_an_argument_called_title_is_no_annotation() -> None:
    titled = schema(title={"type": "string", "title": "Title"})
    assert meaning(titled)["properties"]["title"] == {"type": "string"}
