"""What was sent and received, for spans, where `COUNTERSIGN_TRACE_CONTENT` asks for it.

Even then nothing leaves that is kept from people here: secrets of tools, sensitive arguments of the run and of its
kin wherever they are repeated, and scores, which may be secret until a person decided. What cannot be made sure of
is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import structlog
from opentelemetry.trace import Span
from pydantic import BaseModel

from agents import registry
from agents.llm_types import Reply
from agents.masking import sensitive_by_tool
from agents.models import Run
from agents.tool_secrets import without_secrets
from agents.tools import Tool
from agents.withheld import sensitive_values
from approvals.withholding import MASK, Withheld, values_in
from audit import tracing

log = structlog.get_logger(__name__)

LONGEST: Final = 8_000
CUT: Final = "… [cut]"
SCORE: Final = "confidence"
UNREADABLE: Final = "[left out: arguments that cannot be read]"


@dataclass(frozen=True)
class Veil:
    """What is kept from spans of one run: `values`, and by tool the arguments that hold such."""

    values: frozenset[str]
    sensitive: Mapping[str, frozenset[str]]


_veil: ContextVar[Veil | None] = ContextVar("veil", default=None)


@contextmanager
def of_run(run: Run) -> Iterator[None]:
    """Spans of the block may hold content of the run. Its journal is read for what they may not."""
    if not tracing.shows_content():
        yield
        return
    token = _veil.set(_veil_of(run))
    try:
        yield
    finally:
        _veil.reset(token)


@contextmanager
def none() -> Iterator[None]:
    """Spans of the block hold no content: it would tell a score that is secret yet."""
    token = _veil.set(None)
    try:
        yield
    finally:
        _veil.reset(token)


def _veil_of(run: Run) -> Veil | None:
    try:
        installed = registry.find(run.agent.slug)
        definitions = [run.agent_version.definition, *([installed.definition] if installed else [])]
        values = sensitive_values([run]).get(run.pk, frozenset())
        return Veil(values, sensitive_by_tool(definitions))
    # A trace is never a reason for a run to fail; nothing is shown then.
    except Exception:
        log.exception("content_left_out")
        return None


def given(made: Span, tool: Tool, arguments: BaseModel) -> None:
    """Put the arguments of a call at its span."""
    veil = _veil.get()
    if veil is None or not made.is_recording():
        return
    plain = arguments.model_dump(mode="json")
    clear = Withheld(veil.values | values_in(plain, tool.sensitive))
    shown = clear.arguments(
        {name: MASK if name in tool.sensitive else value for name, value in plain.items()}
    )
    made.set_attribute("gen_ai.tool.call.arguments", _written(shown))


def gave(made: Span, result: Any) -> None:
    """Put the result of a call at its span."""
    veil = _veil.get()
    if veil is not None and made.is_recording():
        made.set_attribute(
            "gen_ai.tool.call.result", _written(Withheld(veil.values).content(result))
        )


def of_request(request: Mapping[str, Any]) -> dict[str, str]:
    """What a model is sent, as attributes; none where content is not collected."""
    veil = _veil.get()
    if veil is None:
        return {}
    messages = [each for each in request.get("messages", ()) if isinstance(each, Mapping)]
    return _message_facts("gen_ai.input.messages", messages, veil)


def of_reply(reply: Reply) -> dict[str, str]:
    """What a model answered, as attributes; none where content is not collected."""
    veil = _veil.get()
    if veil is None:
        return {}
    calls = [
        {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
        for call in reply.calls
    ]
    message = {"role": "assistant", "content": reply.text, "tool_calls": calls}
    return _message_facts("gen_ai.output.messages", [message], veil)


def _message_facts(name: str, messages: Iterable[Mapping[str, Any]], veil: Veil) -> dict[str, str]:
    values = set(veil.values)
    told = [_told(message, veil, values) for message in messages]
    return {name: _written(Withheld(values).content(told))}


def _told(message: Mapping[str, Any], veil: Veil, values: set[str]) -> dict[str, Any]:
    """A message in the shape of the conventions; sensitive values of its calls are added to `values`."""
    parts: list[dict[str, Any]] = []
    if message.get("content"):
        kind = "tool_call_response" if message.get("role") == "tool" else "text"
        parts.append({"type": kind, "content": message["content"]})
    for call in message.get("tool_calls") or ():
        name = str(call["function"]["name"])
        arguments = _arguments(call["function"]["arguments"], veil.sensitive.get(name), values)
        parts.append(
            {"type": "tool_call", "id": call.get("id"), "name": name, "arguments": arguments}
        )
    return {"role": message.get("role"), "parts": parts}


def _arguments(text: str, sensitive: frozenset[str] | None, values: set[str]) -> Any:
    try:
        read = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return UNREADABLE
    if not isinstance(read, dict):
        return UNREADABLE
    secret = sensitive or frozenset()
    values |= values_in(read, secret)
    return {key: MASK if key in secret else value for key, value in read.items() if key != SCORE}


def _written(value: Any) -> str:
    text = without_secrets(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= LONGEST else text[:LONGEST] + CUT
