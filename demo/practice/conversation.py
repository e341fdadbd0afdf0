"""A chat-completions conversation as the script sees it: the task, what people said, the calls so far. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A tool call of an earlier reply, with what came back for it (`{}` when nothing did)."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    answer: Mapping[str, Any]

    @property
    def status(self) -> str:
        return str(self.answer.get("status", ""))

    @property
    def done(self) -> bool:
        """Whether the call was carried out."""
        return self.status == "done"

    @property
    def result(self) -> Mapping[str, Any]:
        """What the tool returned, where that is an object."""
        result = self.answer.get("result")
        return result if isinstance(result, Mapping) else {}

    @property
    def words(self) -> str:
        """What a person said about it; where nobody did, what the engine says."""
        said = [self.answer.get(name) for name in ("feedback", "reason", "answer", "message")]
        return next((str(text) for text in said if text not in (None, "")), "")


@dataclass(frozen=True)
class Conversation:
    """The task, later messages from people, and every call in order."""

    task: str
    notes: tuple[str, ...]
    calls: tuple[Call, ...]

    def named(self, name: str) -> tuple[Call, ...]:
        """The calls of one tool, oldest first."""
        return tuple(call for call in self.calls if call.name == name)


def read_conversation(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    """Read the messages of a request; the first user message is the task."""
    answers = {
        str(message.get("tool_call_id")): _object(text_of(message))
        for message in messages
        if message.get("role") == "tool"
    }
    said = [text_of(message) for message in messages if message.get("role") == "user"]
    calls = [
        Call(
            id=str(call["id"]),
            name=str(call["function"]["name"]),
            arguments=_object(str(call["function"]["arguments"])),
            answer=answers.get(str(call["id"]), {}),
        )
        for message in messages
        if message.get("role") == "assistant"
        for call in message.get("tool_calls") or ()
    ]
    return Conversation(task=said[0] if said else "", notes=tuple(said[1:]), calls=tuple(calls))


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, whether it is a plain text or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, Mapping)]
        return "\n".join(str(part) for part in parts)
    return ""


def _object(text: str) -> Mapping[str, Any]:
    """The JSON object in a text; any other text is what was said."""
    try:
        value = json.loads(text)
    except ValueError:
        return {"message": text}
    return value if isinstance(value, dict) else {"message": text}
