"""The span of one attempt at a model, in the words of OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.trace import Span, SpanKind

from agents import span_content
from agents.llm_types import Endpoint, Reply
from audit import tracing


def asking(endpoint: Endpoint) -> tracing.Opening:
    """An attempt at the endpoint; one that fails carries the code of its error."""
    if not tracing.is_on():
        return tracing.span("chat")
    facts: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        # The protocol that is spoken; who really answers, only its address tells.
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": endpoint.model,
        "countersign.model": endpoint.name,
    }
    if endpoint.base_url:
        parts = urlsplit(endpoint.base_url)
        facts["server.address"] = parts.hostname or ""
        facts["server.port"] = parts.port or (443 if parts.scheme == "https" else 80)
    return tracing.span(f"chat {endpoint.model}", facts, kind=SpanKind.CLIENT)


def sent(made: Span, request: Mapping[str, Any]) -> None:
    """What is sent, where content is collected."""
    if made.is_recording():
        for name, text in span_content.of_request(request).items():
            made.set_attribute(name, text)


def answered(made: Span, reply: Reply) -> None:
    """What the reply says of itself and, where content is collected, what it says."""
    if not made.is_recording():
        return
    made.set_attributes(
        {
            "gen_ai.response.model": reply.model,
            "gen_ai.response.finish_reasons": [reply.finish_reason],
            "gen_ai.response.id": str(reply.raw.get("id") or "")[:200],
            "gen_ai.usage.input_tokens": reply.tokens_in,
            "gen_ai.usage.output_tokens": reply.tokens_out,
            "gen_ai.usage.cache_read.input_tokens": reply.cached_in,
            "countersign.usage.counted": reply.counted,
            "countersign.calls": len(reply.calls),
        }
    )
    for name, text in span_content.of_reply(reply).items():
        made.set_attribute(name, text)
