"""Values are found again word for word, and nothing that programs read is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.withholding import MASK, SHORTEST, Withheld, values_in


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Mallory", "to MALLORY, and mallory's friend"),
        ('a "b" c', json.dumps({"to": 'a "b" c'})),
        ("Zürich 1", json.dumps("in Zürich 1 and", ensure_ascii=True)),
        ("  padded  ", "is padded here"),
        ("4711", "number 4711."),
        ("two\nlines", 'said "two\\nlines"'),
    ],
)
def test_a_value_is_found_however_it_is_written(value: str, text: str) -> None:
    hidden = Withheld({value}).text(text)
    assert MASK in hidden
    assert value.strip().lower() not in hidden.lower()


@pytest.mark.parametrize("text", ["1947112", "malory", ""])
def test_another_value_is_left(text: str) -> None:
    assert Withheld({"4711", "mallory"}).text(text) == text


def test_values_are_taken_from_any_depth_and_short_ones_are_not_looked_for() -> None:
    arguments = {
        "who": {
            "name": "Mallory",
            "tags": ["vip!", "x"],
            "age": 42,
            "id": 123456,
            "ok": True,
            "Eve & Co": 1,
        },
        "open": "Everybody",
    }
    assert values_in(arguments, {"who"}) == {"Mallory", "vip!", "123456", "Eve & Co"}
    assert values_in(arguments, {"gone"}) == frozenset()
    assert values_in({"a": "x" * (SHORTEST - 1)}, {"a"}) == frozenset()


def test_content_is_cleared_in_keys_and_numbers_and_shapes_of_ours_are_not() -> None:
    withheld = Withheld({"secret", "123456", "2026"})
    given = {"secret": 123456, "at": "2026-03-02T10:00:00+00:00", "said": ["the secret"]}
    assert withheld.content(given)[MASK] == MASK
    plain = withheld.value(given)
    assert plain["secret"] == 123456
    assert plain["at"] == given["at"]
    assert plain["said"] == [f"the {MASK}"]


def test_without_values_everything_is_the_same_object() -> None:
    given: dict[str, Any] = {"a": [1, "b"]}
    assert Withheld().content(given) is given
    assert Withheld().value(given) is given
    assert not Withheld()


@given(st.text(min_size=SHORTEST), st.text(), st.text())
def test_no_value_survives_between_other_words(value: str, before: str, after: str) -> None:
    if value.strip() and len(value.strip()) >= SHORTEST and not value.isdecimal():
        assert value not in Withheld({value}).text(f"{before}{value}{after}").replace(MASK, "")
