"""Trying a model with a few small calls: what works, what degrades, and whether agents can use it at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from agents.llm_types import Endpoint, ModelError, Reply
from agents.log_probabilities import weigh
from agents.model_door import complete
from audit.canonical import MalformedJson, loads_strict

WORD: Final = "seven"
ECHO: Final[dict[str, Any]] = {
    "type": "function",
    "function": {
        "name": "say_back",
        "description": "Says a word back.",
        "parameters": {
            "type": "object",
            "properties": {"word": {"type": "string"}, "confidence": {"type": "number"}},
            "required": ["word", "confidence"],
            "additionalProperties": False,
        },
    },
}
REQUEST: Final[dict[str, Any]] = {
    "messages": [
        {"role": "system", "content": "Act only through the tools you are offered."},
        {
            "role": "user",
            "content": f"Call say_back with the word {WORD} and how sure you are, from 0 to 1.",
        },
    ],
    "tools": [ECHO],
}


@dataclass(frozen=True)
class Finding:
    """What one try found, in a sentence. `usable` False: agents cannot work with this model."""

    well: bool
    text: str
    usable: bool = True


def probe(endpoint: Endpoint) -> Iterator[Finding]:
    """Try the model; ends early where it cannot be used. Each finding comes as it is made."""
    plain = replace(endpoint, log_probabilities=False, strict_tools=False)
    try:
        reply = complete(plain, REQUEST)
    except ModelError as error:
        yield Finding(False, f"It cannot be used: {error.message}", usable=False)
        return
    yield _answered(endpoint, reply)
    called = _tools(reply)
    yield called
    if not called.usable:
        return
    yield _usage(reply)
    yield _cached(reply)
    yield _tried(
        replace(plain, strict_tools=True),
        lambda _reply: Finding(True, "Strict schemas: taken. strict_tools may be on."),
        "Strict schemas: refused ({}). Leave strict_tools off; calls that do not fit are repaired.",
    )
    yield _tried(
        replace(plain, log_probabilities=True),
        _log_probabilities,
        "Log-probabilities: refused ({}). Leave them off; policies cannot go by that score.",
    )


def _tried(endpoint: Endpoint, then: Callable[[Reply], Finding], refused: str) -> Finding:
    try:
        return then(complete(endpoint, REQUEST))
    except ModelError as error:
        return Finding(False, refused.format(error.message.rstrip(".")))


def _answered(endpoint: Endpoint, reply: Reply) -> Finding:
    if not reply.model:
        return Finding(False, "It answers and does not say which model does: a change goes unseen.")
    named = "" if reply.model == endpoint.model else f", as {reply.model}"
    return Finding(True, f"It answers{named}.")


def _tools(reply: Reply) -> Finding:
    if not reply.calls:
        return Finding(
            False,
            "Tools: it answered in words where a call was asked for. Agents cannot work with it.",
            usable=False,
        )
    call = reply.calls[0]
    try:
        given = loads_strict(call.arguments)
    except MalformedJson:
        given = None
    fits = isinstance(given, dict) and given.keys() == {"word", "confidence"}
    if call.name != "say_back" or not fits or not isinstance(given["confidence"], int | float):
        return Finding(False, "Tools: its call did not fit the schema. Expect repairs, and people.")
    return Finding(True, "Tools: it calls them as they are described.")


def _usage(reply: Reply) -> Finding:
    if reply.counted:
        return Finding(True, "Usage: it counts tokens.")
    return Finding(
        False, "Usage: it does not count tokens. Costs are unknown, and caps on them do not hold."
    )


def _cached(reply: Reply) -> Finding:
    usage = reply.raw.get("usage")
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    if isinstance(details, dict) and isinstance(details.get("cached_tokens"), int):
        return Finding(True, "Cached tokens: it says how many.")
    return Finding(False, "Cached tokens: it does not say. All input is charged as not cached.")


def _log_probabilities(reply: Reply) -> Finding:
    if any(weigh(reply.raw, reply.calls)):
        return Finding(True, "Log-probabilities: given. Policies may go by that score.")
    return Finding(False, "Log-probabilities: none given. Policies cannot go by that score.")
