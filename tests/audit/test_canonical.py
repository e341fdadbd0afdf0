"""Canonical bytes, the log's restricted profile, and strict parsing."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from audit.canonical import (
    INTEGER_LIMIT,
    MalformedJson,
    OutsideProfile,
    canonical_bytes,
    event_bytes,
    loads_strict,
    sha256_hex,
)

KEYS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
PLAIN = st.none() | st.booleans() | st.integers(1 - INTEGER_LIMIT, INTEGER_LIMIT - 1) | TEXTS
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
ANY_JSON = st.recursive(
    PLAIN | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=8)


@given(OBJECTS)
@example({"a": '\x00\x07\b\t\n\x0b\f\r\x1f\x7f\x80"\\/ \u2028\u2029\ufeff\U0001f600 é'})
@example({"b": 1 - INTEGER_LIMIT, "a_": [], "a0": {}, "_sd": [None, True, False, ""]})
def test_inside_the_profile_the_bytes_are_those_of_rfc_8785(value: dict[str, Any]) -> None:
    assert event_bytes(value) == rfc8785.dumps(value)


@given(OBJECTS)
def test_what_is_written_is_read_back_by_the_strict_parser(value: dict[str, Any]) -> None:
    assert loads_strict(event_bytes(value)) == value


@pytest.mark.parametrize(
    "outside",
    [
        {"a": 1.0},
        {"a": float("nan")},
        {"a": INTEGER_LIMIT},
        {"a": -INTEGER_LIMIT},
        {"a": ["\ud800"]},
        {"Key": 1},
        {"a b": 1},
        {"ä": 1},
        {"a\n": 1},
        {"": 1},
        {1: 1},
        {"a": (1, 2)},
        {"a": b"bytes"},
        {"a": {1, 2}},
    ],
)
def test_a_value_outside_the_profile_is_refused(outside: dict[Any, Any]) -> None:
    with pytest.raises(OutsideProfile):
        event_bytes(outside)


def test_a_refused_value_is_named_by_its_path() -> None:
    with pytest.raises(OutsideProfile, match=r"facts\.amounts\[1\]"):
        event_bytes({"facts": {"amounts": [1, 2.5]}})


def test_nesting_is_bounded() -> None:
    value: dict[str, Any] = {}
    for _ in range(40):
        value = {"a": value}
    with pytest.raises(OutsideProfile, match="deeper"):
        event_bytes(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        str(2**53),
        str(-(2**53)),
        "9" * 5000,
        '"\\ud800"',
        '{"\\udfff": 1}',
        b"\xff",
        '{"a": 1',
        "",
        "[" * 33 + "]" * 33,
        "[" * 100_000 + "]" * 100_000,
        "\ufeff{}",
    ],
)
def test_ambiguous_or_broken_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedJson):
        loads_strict(text)


@given(VALUES | st.floats(allow_nan=False, allow_infinity=False))
def test_ordinary_json_is_read_as_it_is(value: Any) -> None:
    assert loads_strict(json.dumps(value)) == value


def test_arguments_of_any_shape_have_canonical_bytes() -> None:
    # From RFC 8785, section 3.2.2 and 3.2.3.
    value = {"numbers": [333333333.33333329, 1e30, 4.50, 2e-3], "€": "Euro", "\r": "CR", "1": "One"}
    assert canonical_bytes(value) == (
        '{"\\r":"CR","1":"One","numbers":[333333333.3333333,1e+30,4.5,0.002],"€":"Euro"}'.encode()
    )


@given(ANY_JSON)
@example({"\U0001f600": 1, "\uffff": 2})
@example({"b": 1e21, "a": -0.0})
@example([2**53 - 1, '\u2028\x7f\x1f"\\'])
def test_any_json_has_the_bytes_of_rfc_8785(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800", {1: 2}, object()])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(MalformedJson):
        canonical_bytes(value)


def test_digests_name_their_algorithm() -> None:
    assert sha256_hex(b"") == (
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
