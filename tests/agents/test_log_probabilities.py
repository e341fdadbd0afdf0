"""The score of a call's own tokens: which they are, and what they come to."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm_types import ToolCall
from agents.log_probabilities import weigh

ARGUMENTS = {
    "account": "A1",
    "note": 'a "b", {c} and \\',
    "lines": [{"price": 1, "of": [2, 3]}],
    "confidence": 0.9,
    "rationale": "so, it says",
}


def reply(*tokens: tuple[str, float]) -> dict[str, Any]:
    return {
        "choices": [
            {"logprobs": {"content": [{"token": text, "logprob": log} for text, log in tokens]}}
        ]
    }


def asked(arguments: dict[str, Any]) -> ToolCall:
    return ToolCall("c1", "pay", json.dumps(arguments))


def test_the_score_is_the_geometric_mean_of_the_tokens_probabilities() -> None:
    call = ToolCall("c1", "pay", '{"account":"A1"}')
    tokens = reply(("{", 0.0), ('"account', math.log(0.9)), ('":"A1"', math.log(0.4)), ("}", 0.0))
    (found,) = weigh(tokens, [call])
    assert found is not None
    assert (found.score_bp, found.tokens) == (6_000, 2)


@pytest.mark.parametrize("spacing", [None, 2])
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_tokens_are_found_however_the_arguments_are_spaced(spacing: int | None, size: int) -> None:
    written = json.dumps(ARGUMENTS, indent=spacing)
    text = f'I will pay.\n<tool_call>{{"name": "pay", "arguments": {written}}}</tool_call>'
    tokens = [(text[place : place + size], -0.1) for place in range(0, len(text), size)]
    (found,) = weigh(reply(*tokens), [asked(ARGUMENTS)])
    assert found is not None
    assert found.score_bp == 9_048


def test_words_around_the_call_and_what_judges_it_are_not_weighed() -> None:
    own = {name: ARGUMENTS[name] for name in ("account", "note", "lines")}
    unsure, sure = math.log(0.01), math.log(0.5)
    text = json.dumps(ARGUMENTS)
    start = text.index('"confidence"')
    tokens = [("Hm. ", unsure), *[(char, sure) for char in text[:start]]]
    tokens += [(char, unsure) for char in text[start:]]
    (found,) = weigh(reply(*tokens), [asked(ARGUMENTS)])
    assert found is not None
    assert found.score_bp == 5_000
    assert found.tokens < len(json.dumps(own))


def test_each_call_of_a_reply_is_weighed_by_its_own_tokens() -> None:
    first, second = '{"account":"A1"}', '{"account":"B2"}'
    tokens = [(char, math.log(0.9)) for char in first] + [(c, math.log(0.3)) for c in second]
    calls = [ToolCall("c1", "pay", first), ToolCall("c2", "pay", second)]
    found = weigh(reply(*tokens), calls)
    assert [each.score_bp for each in found if each is not None] == [9_000, 3_000]


ODD: list[Any] = [
    {},
    {"choices": []},
    {"choices": [{}]},
    {"choices": [{"logprobs": None}]},
    {"choices": [{"logprobs": {"content": None}}]},
    {"choices": [{"logprobs": {"content": [None]}}]},
    reply(('{"account":"B2"}', -0.1)),
    reply(("", -0.1)),
    *[reply(('{"account":"A1"}', log)) for log in (float("nan"), 0.5, True, None, "-0.1")],
    reply((None, -0.1)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("raw", ODD)
def test_where_tokens_are_not_there_or_not_the_call_s_there_is_no_score(raw: Any) -> None:
    assert weigh(raw, [ToolCall("c1", "pay", '{"account":"A1"}')]) == [None]


@pytest.mark.parametrize("text", ["{}", "", "[]", "no JSON", '{"confidence":1}'])
def test_a_call_without_arguments_of_its_own_has_no_score(text: str) -> None:
    assert weigh(reply((text, -0.1)), [ToolCall("c1", "pay", text)]) == [None]


def test_an_impossible_token_makes_the_score_zero() -> None:
    (found,) = weigh(
        reply(('{"account":"A1"}', -math.inf)), [ToolCall("c", "p", '{"account":"A1"}')]
    )
    assert found is not None
    assert found.score_bp == 0


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.text(max_size=8), st.floats()), max_size=12),
)
def test_no_reply_whatever_raises_and_no_score_leaves_its_bounds(
    text: str, tokens: list[tuple[str, float]]
) -> None:
    for found in weigh(reply(*tokens, (text, -0.5)), [ToolCall("c1", "pay", text)]):
        assert found is None or 0 <= found.score_bp <= 10_000
