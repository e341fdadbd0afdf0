"""How much a message weighs, and how it is said shorter: by an excerpt, a reference, or a line. Pure.

Nothing that a person said is ever shortened, wherever it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from agents import wording
from agents.llm_types import arguments_text, call_ids
from agents.models import Step

Message = dict[str, Any]

PER_MESSAGE: Final = 8
PER_CALL: Final = 16
#: Of results and of what the model wrote, how much of the room one exchange may take: a half, a quarter.
RESULTS_SHARE, WORDS_SHARE = 2, 4
FIRST_LINE: Final = 120
OLD_TEXT: Final = 300
LINE_ARGUMENTS: Final = 80
#: What an excerpt needs beside its text.
AROUND: Final = 160
#: Fields of a result in which a person speaks.
SPOKEN: Final = ("feedback", "answer", "why")


def tokens(text: str) -> int:
    """At least as many tokens as a text takes: five for every twelve ASCII characters and more for others.

    An estimate: there is no tokeniser for every model, and none is fetched. Prose takes half of it.
    """
    if text.isascii():
        return (5 * len(text) + 11) // 12
    plain = len(text.encode("ascii", "ignore"))
    others = len(text.encode("utf-8", "surrogatepass")) - plain
    return (5 * plain + 11) // 12 + (others + 1) // 2


def tokens_of(message: Mapping[str, Any]) -> int:
    """The tokens of a message with the calls that it makes."""
    made = sum(
        PER_CALL + tokens(call["function"]["name"]) + tokens(call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    )
    return PER_MESSAGE + tokens(message.get("content") or "") + made


@dataclass(frozen=True)
class Said:
    """Messages, and the steps whose results they do not hold whole."""

    messages: list[Message]
    shortened: tuple[int, ...] = ()

    @cached_property
    def tokens(self) -> int:
        return sum(tokens_of(message) for message in self.messages)


@dataclass(frozen=True)
class Exchange:
    """A reply of the model with the results of its calls, in order. `nudge`: what a reply without any is told."""

    reply: Step
    results: Sequence[Step] = field(default_factory=tuple)
    nudge: str = ""

    def whole(self, room: int) -> Said:
        """As it was, but for what alone would fill the room: that is cut to an excerpt."""
        written = self._written(room // WORDS_SHARE)
        texts = [_dumped(step.output or {}) for step in self.results]
        most = _most([tokens(text) for text in texts], room // RESULTS_SHARE)
        told, cut = [written], []
        for step, text in zip(self.results, texts, strict=True):
            kept = text
            if most is not None and tokens(text) > most:
                kept = _shorter(_excerpt(step, most), text)
            if kept != text:
                cut.append(step.seq)
            told.append(_result(step, kept))
        return Said([*told, *self._nudged()], tuple(cut))

    def referenced(self, room: int) -> Said:
        """With references instead of results."""
        told, cut = [self._written(room // WORDS_SHARE, old=True)], []
        for step in self.results:
            whole = _dumped(step.output or {})
            text = _shorter(_reference(step), whole)
            if text != whole:
                cut.append(step.seq)
            told.append(_result(step, text))
        return Said([*told, *self._nudged()], tuple(cut))

    @cached_property
    def lines(self) -> list[str]:
        """One line for each call."""
        if not self.results:
            return [f"step {self.reply.seq}: words, no call"]
        return [
            f"step {step.seq}: {step.name}({wording.brief(step.arguments or {}, LINE_ARGUMENTS)})"
            f" {(step.output or {}).get('status', '')}"
            for step in self.results
        ]

    @cached_property
    def spoken(self) -> list[str]:
        """What people said in the results."""
        return [
            f"step {step.seq}, {step.name}: {_dumped(said)}"
            for step in self.results
            if (said := _spoken(step))
        ]

    def _nudged(self) -> list[Message]:
        return [{"role": "user", "content": self.nudge}] if self.nudge else []

    def _written(self, share: int, *, old: bool = False) -> Message:
        message = assistant(self.reply)
        calls = message.get("tool_calls") or []
        texts = [message["content"] or "", *(call["function"]["arguments"] for call in calls)]
        most = _most([tokens(text) for text in texts], share)
        length = OLD_TEXT if old else None
        if message["content"]:
            message["content"] = _cut(message["content"], most, length)
        for call in calls:
            given = call["function"]["arguments"]
            kept = _cut(given, most, length)
            if kept != given:
                # Still JSON: servers read the arguments of earlier calls.
                call["function"]["arguments"] = json.dumps(
                    {"shortened": f"{len(given):,} characters, first: {kept}"}, ensure_ascii=False
                )
        return message


def assistant(step: Step) -> Message:
    """The model's reply as it is sent back to it."""
    message = (step.response or {})["choices"][0]["message"]
    text = message.get("content")
    said = text if isinstance(text, str) and text else None
    sent: Message = {"role": "assistant", "content": said}
    calls = message.get("tool_calls") or []
    if calls:
        sent["tool_calls"] = [
            {
                "id": name,
                "type": "function",
                "function": {
                    "name": str(call["function"]["name"]),
                    "arguments": arguments_text(call["function"]["arguments"]),
                },
            }
            for name, call in zip(call_ids(calls), calls, strict=True)
        ]
    elif sent["content"] is None:
        sent["content"] = ""
    return sent


def _result(step: Step, text: str) -> Message:
    return {"role": "tool", "tool_call_id": step.call_id, "content": text}


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _spoken(step: Step) -> dict[str, Any]:
    output = step.output or {}
    return {name: output[name] for name in SPOKEN if output.get(name) not in (None, "")}


def _about(step: Step) -> tuple[str, dict[str, Any]]:
    """The text of a result, and what is kept of it in any case."""
    output = step.output or {}
    body = output.get("result", output.get("message", ""))
    text = body if isinstance(body, str) else _dumped(body)
    kept = {name: output[name] for name in ("status", "trust", "code") if name in output}
    return text, kept | _spoken(step)


def _reference(step: Step) -> str:
    text, kept = _about(step)
    first = wording.brief(text.strip().partition("\n")[0], FIRST_LINE)
    status = kept.get("status", "")
    said = (
        f"result {step.seq}: {step.name}, {status}, {len(text):,} characters, first line: {first}"
    )
    return _dumped({**kept, "reference": said})


def _excerpt(step: Step, most: int) -> str:
    text, kept = _about(step)
    begin = _begin(text, most - AROUND)
    if not begin:
        return _reference(step)
    said = f"result {step.seq}: {step.name}, the first {len(begin):,} of {len(text):,} characters"
    return _dumped({**kept, "reference": said, "excerpt": begin})


def _shorter(one: str, other: str) -> str:
    return one if tokens(one) < tokens(other) else other


def _cut(text: str, most: int | None, length: int | None) -> str:
    if most is not None and tokens(text) > most:
        text = f"{_begin(text, most - AROUND)}…"
    return text if length is None or len(text) <= length else f"{text[:length]}…"


def _begin(text: str, most: int) -> str:
    """The longest beginning that, written as JSON, takes no more tokens; found by taking fifths away."""
    length = max(0, min(len(text), most * 12 // 5))
    while length and tokens(json.dumps(text[:length], ensure_ascii=False)) > most:
        length = length * 4 // 5
    return text[:length]


def _most(sizes: Sequence[int], share: int) -> int | None:
    """The size to which the largest are cut, so that all of them take no more than the share; None where
    they do anyway."""
    if sum(sizes) <= share:
        return None
    left = share
    for place, size in enumerate(sorted(sizes)):
        even = left // (len(sizes) - place)
        if size > even:
            return even
        left -= size
    return None
