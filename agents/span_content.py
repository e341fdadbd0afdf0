"""What was sent and received, for spans, where `COUNTERSIGN_TRACE_CONTENT` asks for it.

Even then nothing leaves that is kept from people here. Secrets of tools are masked. Scores, which may be secret until
a person decided, are left out. And of an agent with sensitive arguments nothing but the names of its arguments leaves:
a span is gone before it is known that a task, a result or an earlier call repeats what is sensitive in a later one.
The same holds where work is handed over, since each run then repeats what others were told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.trace import Span
from pydantic import BaseModel

from agents import registry
from agents.llm_types import Reply
from agents.masking import SENSITIVE, sensitive_by_tool
from agents.models import Run
from agents.tool_secrets import without_secrets
from agents.tools import Tool
from audit import tracing

LONGEST: Final = 8_000
CUT: Final = "… [cut]"
SCORE: Final = "confidence"
LEFT_OUT: Final = "left out: this agent has sensitive arguments"
UNREADABLE: Final = "left out: arguments that cannot be read"

_shown: ContextVar[bool | None] = ContextVar("content", default=None)
"""Whether everything may be shown but what is masked; None where nothing is."""


@contextmanager
def of_run(run: Run) -> Iterator[None]:
    """Spans of the block may hold content of the run."""
    if not tracing.shows_content():
        yield
        return
    token = _shown.set(_is_plain(run))
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def none() -> Iterator[None]:
    """Spans of the block hold no content: it would tell a score that is secret yet."""
    token = _shown.set(None)
    try:
        yield
    finally:
        _shown.reset(token)


def _is_plain(run: Run) -> bool:
    """Whether nothing in the run can be sensitive: by the version that it runs, and by what is installed now."""
    installed = registry.find(run.agent.slug)
    definitions = [run.agent_version.definition, *([installed.definition] if installed else [])]
    hands_over = any(definition.get("delegates") for definition in definitions)
    return run.delegated_by_id is None and not hands_over and not sensitive_by_tool(definitions)


def given(made: Span, tool: Tool, arguments: BaseModel) -> None:
    """Put the arguments of a call at its span."""
    shown = _shown.get()
    if shown is None or not made.is_recording():
        return
    plain: dict[str, Any] = arguments.model_dump(mode="json")
    if not shown:
        plain = {name: SENSITIVE if name in tool.sensitive else LEFT_OUT for name in plain}
    made.set_attribute("gen_ai.tool.call.arguments", _written(plain))


def gave(made: Span, result: Any) -> None:
    """Put the result of a call at its span."""
    if _shown.get() and made.is_recording():
        made.set_attribute("gen_ai.tool.call.result", _written(result))


def of_request(request: Mapping[str, Any]) -> dict[str, str]:
    """What a model is sent, as attributes; none where content is not collected."""
    if not _shown.get():
        return {}
    messages = [each for each in request.get("messages", ()) if isinstance(each, Mapping)]
    return {"gen_ai.input.messages": _written([_told(message) for message in messages])}


def of_reply(reply: Reply) -> dict[str, str]:
    """What a model answered, as attributes; none where content is not collected."""
    if not _shown.get():
        return {}
    calls = [
        {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
        for call in reply.calls
    ]
    message = {"role": "assistant", "content": reply.text, "tool_calls": calls}
    return {"gen_ai.output.messages": _written([_told(message)])}


def _told(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message in the shape of the conventions."""
    parts: list[dict[str, Any]] = []
    if message.get("content"):
        kind = "tool_call_response" if message.get("role") == "tool" else "text"
        parts.append({"type": kind, "content": message["content"]})
    for call in message.get("tool_calls") or ():
        parts.append(
            {
                "type": "tool_call",
                "id": call.get("id"),
                "name": call["function"]["name"],
                "arguments": _arguments(call["function"]["arguments"]),
            }
        )
    return {"role": message.get("role"), "parts": parts}


def _arguments(text: str) -> Any:
    """What a model wrote as arguments, without the score that it gave them."""
    try:
        read = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return UNREADABLE
    if not isinstance(read, dict):
        return UNREADABLE
    return {name: value for name, value in read.items() if name != SCORE}


def _written(value: Any) -> str:
    text = without_secrets(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= LONGEST else text[:LONGEST] + CUT
