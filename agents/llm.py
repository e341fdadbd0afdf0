"""The one place that speaks to a model: one attempt at a chat completion, over the `openai` client.

The client's own retries are off; attempts are counted, journalled and delayed by `model_calls`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from time import monotonic
from typing import Any

import openai
from django.conf import settings

from agents.llm_types import Endpoint, ModelError, Reply, calls_in
from agents.storable import storable
from agents.usage import believed_in, believed_out

MAX_REPLY_BYTES = 4_000_000
RETRY_AFTER = re.compile(r"[0-9]{1,9}")


def default_endpoint(model: str | None = None) -> Endpoint:
    """The endpoint that the environment names; the practice model where it names none."""
    config = settings.COUNTERSIGN
    if config.practice:
        return Endpoint(
            base_url=f"http://127.0.0.1:{config.port}/practice/v1",
            api_key="practice",
            model="practice",
            timeout_seconds=config.model_timeout_seconds,
        )
    return Endpoint(
        base_url=config.openai_base_url or None,
        api_key=config.openai_api_key or "none",
        model=model or config.openai_model,
        timeout_seconds=config.model_timeout_seconds,
        log_probabilities=config.model_log_probabilities,
    )


@lru_cache(maxsize=8)
def _client(base_url: str | None, api_key: str, timeout_seconds: float) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key=api_key, timeout=timeout_seconds, max_retries=0)


def complete(endpoint: Endpoint, request: Mapping[str, Any]) -> Reply:
    """Ask once. `request` holds `messages` and `tools` in the chat-completions format.

    Raises ModelError for everything that is not a well-formed reply.
    """
    client = _client(endpoint.base_url, endpoint.api_key, endpoint.timeout_seconds)
    began = monotonic()
    try:
        # By the client's general request: `completions.create` walks through every message to translate
        # what is JSON already, which takes longer than sending it.
        response = client.post(
            "/chat/completions",
            cast_to=openai.HttpxBinaryResponseContent,
            body={
                "model": endpoint.model,
                **({"logprobs": True} if endpoint.log_probabilities else {}),
                **request,
            },
        )
        body = response.content
    except openai.OpenAIError as error:
        raise _translate(error, _elapsed(began)) from error
    return _believed(_read(body, _elapsed(began), endpoint.name), request)


def _believed(reply: Reply, request: Mapping[str, Any]) -> Reply:
    """The reply with no fewer tokens than it can have taken, and no more."""
    written = [f"{call.name} {call.arguments}" for call in reply.calls]
    said_in, said_out = (reply.tokens_in, reply.tokens_out) if reply.counted else (None, None)
    return replace(
        reply,
        tokens_in=believed_in(said_in, request),
        tokens_out=believed_out(said_out, reply.text, written),
    )


def _elapsed(began: float) -> int:
    return int((monotonic() - began) * 1000)


def _translate(error: openai.OpenAIError, latency_ms: int) -> ModelError:
    if isinstance(error, openai.APITimeoutError):
        return ModelError(
            "model_timeout", "The model did not answer in time.", True, latency_ms=latency_ms
        )
    if isinstance(error, openai.APIStatusError):
        return _from_status(error, latency_ms)
    if isinstance(error, openai.APIConnectionError):
        return ModelError(
            "model_unreachable", "The model could not be reached.", True, latency_ms=latency_ms
        )
    return ModelError(
        "model_client_error",
        f"The model client failed: {type(error).__name__}.",
        False,
        latency_ms=latency_ms,
    )


def _from_status(error: openai.APIStatusError, latency_ms: int) -> ModelError:
    status = error.status_code
    if status == 429:
        return ModelError(
            "model_rate_limited",
            "The model server asks us to slow down (429).",
            True,
            status,
            _retry_after(error.response.headers.get("retry-after")),
            latency_ms,
        )
    if status in (401, 403):
        return ModelError(
            "model_key_refused",
            f"The model server refused our key ({status}). Check OPENAI_API_KEY.",
            False,
            status,
            latency_ms=latency_ms,
        )
    if status in (408, 409, 425) or status >= 500:
        return ModelError(
            "model_server_error",
            f"The model server failed ({status}).",
            True,
            status,
            _retry_after(error.response.headers.get("retry-after")),
            latency_ms,
        )
    return ModelError(
        "model_request_refused",
        f"The model server refused the request ({status}).",
        False,
        status,
        latency_ms=latency_ms,
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds of a numeric `Retry-After`; a date or nonsense counts as absent."""
    if value is None or not RETRY_AFTER.fullmatch(value.strip()):
        return None
    return float(value.strip())


def _read(body: bytes, latency_ms: int, asked: str) -> Reply:
    if len(body) > MAX_REPLY_BYTES:
        raise ModelError(
            "model_reply_too_large", "The model's reply was too large.", True, latency_ms=latency_ms
        )
    try:
        raw = storable(json.loads(body))
        choice = raw["choices"][0]
        message = choice["message"]
        calls = calls_in(raw)
        text = message.get("content") or ""
        usage = _usage(raw)
        return Reply(
            raw=raw,
            text=text if isinstance(text, str) else "",
            calls=calls,
            model=str(raw.get("model") or ""),
            finish_reason=str(choice.get("finish_reason") or ""),
            tokens_in=usage["prompt_tokens"] or 0,
            tokens_out=usage["completion_tokens"] or 0,
            latency_ms=latency_ms,
            cached_in=usage["cached_tokens"] or 0,
            counted=usage["prompt_tokens"] is not None and usage["completion_tokens"] is not None,
            asked=asked,
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            "model_reply_malformed",
            "The model server's reply was not a chat completion.",
            True,
            latency_ms=latency_ms,
        ) from error


def _usage(raw: dict[str, Any]) -> dict[str, int | None]:
    """What the server counted: None for what it did not say, or said as no count."""
    usage = raw.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    return {
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "completion_tokens": _count(usage.get("completion_tokens")),
        "cached_tokens": _count(details.get("cached_tokens")),
    }


def _count(value: Any) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if fits else None
