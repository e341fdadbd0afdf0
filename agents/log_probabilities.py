"""A score from the log-probabilities of a call's own tokens, where the server returns them. Pure.

The score is the geometric mean of the tokens' probabilities, `exp(1/L · Σ log p)`: the length-normalised
sequence probability of Malinin and Gales, "Uncertainty Estimation in Autoregressive Structured Prediction"
(ICLR 2021, arXiv:2002.07650). Only the tokens that write the call's own arguments are weighed: neither the
words around it, nor `confidence` and `rationale`, which are about the call.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from agents.builtin import JUDGEMENT
from agents.llm_types import ToolCall

VERSION: Final = "1"
SPACES: Final = frozenset(" \t\r\n")


@dataclass(frozen=True)
class Weighed:
    """The score of one call in basis points, and how many tokens it was made of."""

    score_bp: int
    tokens: int


def weigh(raw: Mapping[str, Any], calls: Sequence[ToolCall]) -> list[Weighed | None]:
    """A score for each call of the reply; None where its tokens are not there or cannot be told apart.

    `raw` is the decoded response body. Servers write the arguments anew, so they are looked for without
    regard to white space, one call after the other. A call without arguments has no tokens to weigh.
    """
    tokens = _tokens(raw)
    if not tokens:
        return [None for _ in calls]
    written = "".join(text for text, _ in tokens)
    owners = [place for place, (text, _) in enumerate(tokens) for _ in text]
    kept = [index for index, char in enumerate(written) if char not in SPACES]
    dense = "".join(written[index] for index in kept)
    found: list[Weighed | None] = []
    start = 0
    for call in calls:
        text = _dense(call.arguments)
        at = dense.find(text, start) if text else -1
        if at < 0:
            found.append(None)
            continue
        start = at + len(text)
        own = sorted(
            {
                owners[kept[at + index]]
                for first, last in _own_members(text)
                for index in range(first, last)
            }
        )
        found.append(_mean([tokens[place][1] for place in own]))
    return found


def _tokens(raw: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Texts and log-probabilities of the reply's tokens; none where anything about them is odd."""
    try:
        entries = raw["choices"][0]["logprobs"]["content"]
        return [(_text(entry["token"]), _log(entry["logprob"])) for entry in entries]
    except (KeyError, IndexError, TypeError, ValueError):
        return []


def _text(token: Any) -> str:
    if not isinstance(token, str):
        raise TypeError("a token is text")
    return token


def _log(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise ValueError("a log-probability is a number")
    if value > 0:
        raise ValueError("a log-probability is not above zero")
    return float(value)


def _mean(logs: Sequence[float]) -> Weighed | None:
    if not logs:
        return None
    return Weighed(int(10_000 * math.exp(math.fsum(logs) / len(logs))), len(logs))


def _dense(text: str) -> str:
    return "".join(char for char in text if char not in SPACES)


def _own_members(text: str) -> Iterator[tuple[int, int]]:
    """Where the members of a JSON object stand in its text, but for those that judge the call."""
    for first, last in pairwise(_borders(text)):
        member = text[first + 1 : last]
        key = member.partition(":")[0]
        if member and key not in _JUDGING:
            yield first + 1, last


_JUDGING: Final = frozenset(json.dumps(name) for name in JUDGEMENT)


def _borders(text: str) -> list[int]:
    """Where the outermost braces and the commas between members stand."""
    borders, depth, quoted, escaped = [], 0, False, False
    for index, char in enumerate(text):
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
            continue
        if char == '"':
            quoted = True
        elif char in "{[":
            depth += 1
            if depth == 1:
                borders.append(index)
        elif char in "}]":
            depth -= 1
            if depth == 0:
                borders.append(index)
        elif char == "," and depth == 1:
            borders.append(index)
    return borders
