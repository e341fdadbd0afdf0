"""What an attempt at a model gives: a reply with its calls, or an error that says whether to try again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GRACE = 1.25
"""How many times its time-out an attempt takes at most, where a server sends even its headers slowly."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is reached. `base_url` None means the client's own default; `log_probabilities`: it is
    asked for those of its tokens; `strict_tools`: it is held to the schemas of tools; `context_tokens`: what
    it takes in one request, None where nobody said. `server` is the endpoint's name in the settings, empty
    for the default one."""

    base_url: str | None
    api_key: str = field(repr=False)
    model: str
    timeout_seconds: float
    log_probabilities: bool = False
    strict_tools: bool = False
    context_tokens: int | None = None
    server: str = ""

    @property
    def name(self) -> str:
        """What agents, journals and prices call the model: `endpoint/model`, or the model alone."""
        return f"{self.server}/{self.model}" if self.server else self.model


def longest_attempt(endpoint: Endpoint) -> float:
    """Seconds that one attempt takes at most."""
    return endpoint.timeout_seconds * GRACE


@dataclass(frozen=True)
class ToolCall:
    """A call as the model wrote it: `arguments` is raw text, not yet parsed."""

    id: str
    name: str
    arguments: str


LONGEST_ID = 200


def call_ids(written: Sequence[Any]) -> list[str]:
    """The ids of a reply's calls, each told from the others: one that is missing, too long or taken is
    made anew, the same each time, so that every result finds its call."""
    ids: list[str] = []
    for place, call in enumerate(written, start=1):
        given = call["id"] if isinstance(call, dict) and "id" in call else None
        if not isinstance(given, str) or not 0 < len(given) <= LONGEST_ID or given in ids:
            given = f"unnamed-call-{place}"
        ids.append(given)
    return ids


def arguments_text(written: Any) -> str:
    """The arguments of a call as text, which they are by the wire format; some servers send the object."""
    if isinstance(written, dict):
        return json.dumps(written, ensure_ascii=False)
    return "" if written is None else str(written)


def calls_in(raw: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """The calls of a decoded response body, in order. Raises KeyError, IndexError, TypeError or
    AttributeError where it is not a chat completion."""
    written = raw["choices"][0]["message"].get("tool_calls") or []
    return tuple(
        ToolCall(name, str(call["function"]["name"]), arguments_text(call["function"]["arguments"]))
        for name, call in zip(call_ids(written), written, strict=True)
    )


@dataclass(frozen=True)
class Reply:
    """One reply of a model, with the tokens it took. `raw` is the decoded response body; `model` what the
    server says answered, `asked` what was asked for; `cached_in` is part of `tokens_in`; `counted`: the
    server said how many tokens it took."""

    raw: dict[str, Any]
    text: str
    calls: tuple[ToolCall, ...]
    model: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    cached_in: int = 0
    counted: bool = True
    asked: str = ""


@dataclass
class ModelError(Exception):
    """An attempt that gave no usable reply.

    `retryable` says whether the same request may succeed later; `retry_after` is what the server asked
    for, in seconds.
    """

    code: str
    message: str
    retryable: bool
    status: int | None = None
    retry_after: float | None = None
    latency_ms: int = 0

    def __str__(self) -> str:
        return self.message
