"""Arguments as fields: each type is written in its own way, and gets its type back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from approvals.argument_forms import SchemaForm, slots_of, written


class Address(BaseModel):
    street: str
    floor: int | None = None


class Transfer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    order: str = Field(description="Order number, as in the ticket")
    amount: Decimal = Field(gt=0, decimal_places=2)
    share: float = 0.5
    copies: int = 1
    urgent: bool = False
    speed: Literal["slow", "fast"] = "slow"
    note: str | None = None
    tags: list[str] = []
    address: Address
    extra: dict[str, int] = {}


SCHEMA = Transfer.model_json_schema()
VALUES = Transfer(
    order="ORD-1", amount=Decimal("42.00"), address=Address(street="Main Street 1"), tags=["a", "b"]
).model_dump(mode="json")


def posted(**changes: str) -> dict[str, str]:
    """What a browser sends when only these fields were changed."""
    as_shown = {slot.name: written(slot) for slot in slots_of(SCHEMA, VALUES)}
    return as_shown | {f"arguments.{name}": text for name, text in changes.items()}


def form(**changes: str) -> SchemaForm:
    return SchemaForm(schema=SCHEMA, values=VALUES, data=posted(**changes))


def test_a_heading_that_was_made_of_a_name_is_written_as_a_sentence_begins() -> None:
    class Payment(BaseModel):
        account_on_invoice: str
        iban: str = Field(title="IBAN on File")

    values = {"account_on_invoice": "a", "iban": "b"}
    labels = [slot.label for slot in slots_of(Payment.model_json_schema(), values, "arguments")]
    assert labels == ["Account on invoice", "IBAN on File"]


def test_every_argument_has_a_field_of_its_kind() -> None:
    kinds = {".".join(slot.path): slot.kind for slot in slots_of(SCHEMA, VALUES)}
    assert kinds == {
        "order": "text",
        "amount": "decimal",
        "share": "number",
        "copies": "integer",
        "urgent": "yes_no",
        "speed": "choice",
        "note": "text",
        "tags": "lines",
        "address.street": "text",
        "address.floor": "integer",
        "extra": "json",
    }


def test_what_is_sent_unchanged_keeps_its_exact_value() -> None:
    bound = form()
    assert bound.is_valid()
    assert bound.edited() == VALUES
    assert not any(change.changed for change, _field in bound.rows)


def test_line_ends_and_blank_lines_that_nobody_touched_stay_as_they_are() -> None:
    values = VALUES | {"note": "first\r\nsecond", "tags": ["a", "", " b"]}
    shown = {slot.name: written(slot) for slot in slots_of(SCHEMA, values)}
    as_browsers_send_it = {name: text.replace("\r\n", "\n") for name, text in shown.items()}
    as_browsers_send_it = {
        name: text.replace("\n", "\r\n") for name, text in as_browsers_send_it.items()
    }
    bound = SchemaForm(schema=SCHEMA, values=values, data=as_browsers_send_it)
    assert bound.is_valid()
    assert bound.edited() == values


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("amount", "40.5", "40.5"),
        ("share", "0.75", 0.75),
        ("copies", "3", 3),
        ("urgent", "true", True),
        ("speed", '"fast"', "fast"),
        ("note", "By hand", "By hand"),
        ("tags", "a\r\nc\r\n", ["a", "c"]),
        ("extra", '{"x": 1}', {"x": 1}),
        ("order", " ORD-2 ", " ORD-2 "),
    ],
)
def test_a_changed_field_gets_its_type_back(name: str, text: str, value: Any) -> None:
    bound = form(**{name: text})
    assert bound.is_valid(), bound.errors
    assert bound.edited() == VALUES | {name: value}
    changed = [field.name for change, field in bound.rows if change.changed]
    assert changed == [f"arguments.{name}"]


def test_a_text_that_may_be_missing_is_taken_out_by_emptying_it() -> None:
    values = VALUES | {"note": "By hand"}
    bound = SchemaForm(schema=SCHEMA, values=values, data=posted(note=""))
    assert bound.is_valid()
    assert bound.edited()["note"] is None


def test_a_nested_value_is_put_back_where_it_was() -> None:
    bound = form(**{"address.floor": "4"})
    assert bound.is_valid()
    assert bound.edited()["address"] == {"street": "Main Street 1", "floor": 4}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("copies", "three"),
        ("share", "half"),
        ("extra", "{broken"),
        ("extra", '{"x": 1, "x": 2}'),
        ("extra", "NaN"),
        ("speed", '"light"'),
    ],
)
def test_what_cannot_be_read_is_an_error_at_its_field(name: str, text: str) -> None:
    bound = form(**{name: text})
    assert not bound.is_valid()
    assert list(bound.errors) == [f"arguments.{name}"]


def test_what_the_tool_says_stands_at_the_field_it_speaks_of() -> None:
    bound = form()
    bound.is_valid()
    bound.add_refusals(
        [
            {"field": "amount", "message": "Too much."},
            {"field": "address.street.0", "message": "No such street."},
            {"field": "arguments.copies", "message": "One is enough."},
            {"field": "", "message": "Not on Sundays."},
            {"field": "other", "message": "Is missing."},
        ]
    )
    assert bound.errors["arguments.amount"] == ["Too much."]
    assert bound.errors["arguments.address.street"] == ["No such street."]
    assert bound.errors["arguments.copies"] == ["One is enough."]
    assert bound.non_field_errors() == ["Not on Sundays.", "other: Is missing."]


def test_a_value_that_the_schema_does_not_name_is_edited_as_json() -> None:
    slots = slots_of({"properties": {}}, {"odd": [1, {"x": None}]})
    assert [(slot.kind, json.loads(written(slot))) for slot in slots] == [
        ("json", [1, {"x": None}])
    ]


def test_hidden_characters_in_a_field_are_named_beside_it() -> None:
    bound = SchemaForm(schema=SCHEMA, values=VALUES | {"order": "ORD\u202e-1"})
    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in str(bound["arguments.order"].help_text)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=10),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_arguments_of_any_shape_survive_a_form_that_nobody_touched(values: dict[str, Any]) -> None:
    slots = slots_of({}, values)
    data = {slot.name: written(slot) for slot in slots}
    bound = SchemaForm(schema={}, values=values, data=data)
    assert bound.is_valid(), bound.errors
    assert bound.edited() == values


def test_what_may_hold_much_has_several_lines_however_little_stands_in_it() -> None:
    schema = {
        "properties": {
            "sql": {"type": "string", "maxLength": 4_000},
            "why": {"type": "string", "maxLength": 300},
        }
    }
    kinds = {
        slot.path[0]: slot.kind for slot in slots_of(schema, {"sql": "SELECT 1", "why": "So."})
    }
    assert kinds == {"sql": "long_text", "why": "text"}


def test_required_arguments_stand_in_the_order_of_the_tools_author() -> None:
    # As the database gives a schema back: its keys by length, its lists as they were.
    kept = {
        **SCHEMA,
        "properties": dict(
            sorted(SCHEMA["properties"].items(), key=lambda kv: (len(kv[0]), kv[0]))
        ),
    }
    names = list(dict.fromkeys(slot.path[0] for slot in slots_of(kept, VALUES)))
    assert names[:3] == ["order", "amount", "address"]
    assert sorted(names) == sorted(SCHEMA["properties"])
