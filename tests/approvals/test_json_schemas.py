"""Schemas that somebody outside wrote cost no more than the text is long, and lead nowhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from referencing.exceptions import Unresolvable

from approvals.json_schemas import problem_of_patterns, validator_of

#: With an engine that goes back in the text, each of these takes longer than anybody waits.
HOSTILE = ["(a+)+$", "(a|aa)+$", "^(a|a?)+$", "(.*a){20}$", r"^(\w+\s?)*$"]
LONG = "a" * 50_000 + "!"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_pattern_keeps_anybody_busy(pattern: str) -> None:
    assert problem_of_patterns({"pattern": pattern}) == ""
    assert not validator_of({"pattern": pattern}).is_valid(LONG)
    named = validator_of({"patternProperties": {pattern: False}, "additionalProperties": True})
    assert named.is_valid({LONG: 1})
    closed = validator_of({"patternProperties": {pattern: {}}, "additionalProperties": False})
    assert not closed.is_valid({LONG: 1})


@pytest.mark.parametrize(
    ("schema", "taken", "refused"),
    [
        ({"pattern": "b.d"}, ["abcd", 7], ["abc"]),
        (
            {"patternProperties": {"^n_": {"type": "integer"}}, "additionalProperties": False},
            [{"n_a": 1}, {}, []],
            [{"n_a": "1"}, {"m": 1}],
        ),
        (
            {
                "properties": {"a": {}},
                "patternProperties": {"^n_": {}},
                "additionalProperties": {"type": "string"},
            },
            [{"a": 1, "n_b": 1, "c": "x"}],
            [{"c": 1}],
        ),
        ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}], [{"b": 1}]),
        # What is not read passes nothing.
        ({"pattern": "(?=a)"}, [7], ["a"]),
    ],
)
def test_patterns_mean_what_json_schema_says(
    schema: dict[str, Any], taken: list[Any], refused: list[Any]
) -> None:
    validator = validator_of(schema)
    assert [value for value in taken if not validator.is_valid(value)] == []
    assert [value for value in refused if validator.is_valid(value)] == []


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"items": [{"pattern": "(?!x)"}]}}},
        {"patternProperties": {r"(a)\1": {}}},
        {"patternProperties": {"a": {}}, "unevaluatedProperties": False},
        {"allOf": [{"patternProperties": {"^(a+)+$": {}}}], "unevaluatedProperties": False},
    ],
)
def test_what_cannot_be_held_to_is_named_beforehand(schema: dict[str, Any]) -> None:
    assert problem_of_patterns(schema)


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server that somebody would like us to ask, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/schema", asked
        server.shutdown()


def test_no_reference_leads_out_of_the_schema(elsewhere: tuple[str, list[str]]) -> None:
    address, asked = elsewhere
    with pytest.raises(Unresolvable):
        validator_of({"$ref": address}).is_valid(1)
    assert asked == []
    assert validator_of({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}}).is_valid(1)
