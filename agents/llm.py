"""The one place that speaks to a model: one attempt at a chat completion, over the `openai` client.

The client's own retries are off; attempts are counted, journalled and delayed by `model_calls`. What a server
sends is bounded in size and in time, redirects are not followed, and of an error nothing but its status and
`Retry-After` is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from time import monotonic
from typing import Any

import openai
from httpx2 import Response

from agents import model_spans
from agents.bounded_body import read_body
from agents.counted import MODEL_ERRORS, MODEL_SECONDS
from agents.endpoints import strict_offer
from agents.llm_types import Endpoint, ModelError, Reply, calls_in, longest_attempt
from agents.retry_after import retry_after_seconds
from agents.storable import storable
from agents.tool_threads import TimedOut, threads
from agents.usage import believed_in, believed_out

MOST_CALLS_READ = 256
"""A reply with more calls is not journalled at all; each one would take a row."""


class _Connections(openai.DefaultHttpxClient):
    """Connections to one server, closed once nobody asks it any more."""

    def __del__(self) -> None:
        if not self.is_closed:
            self.close()


@lru_cache(maxsize=8)
def _client(base_url: str | None, api_key: str, timeout_seconds: float) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=base_url,
        api_key=api_key,
        timeout=timeout_seconds,
        max_retries=0,
        default_headers={"Accept-Encoding": "gzip, deflate"},
        http_client=_Connections(
            # A task goes to the server that was named and to no other.
            follow_redirects=False,
            event_hooks={"response": [_refuse_errors]},
        ),
    )


def complete(endpoint: Endpoint, request: Mapping[str, Any]) -> Reply:
    """Ask once. `request` holds `messages` and `tools` in the chat-completions format.

    Raises ModelError for everything that is not a well-formed reply within the endpoint's time.
    """
    began = monotonic()
    with model_spans.asking(endpoint) as asked:
        model_spans.sent(asked, request)
        try:
            reply = _complete(endpoint, request)
        except ModelError as error:
            MODEL_ERRORS.add(endpoint.name, error.code)
            raise
        finally:
            MODEL_SECONDS.add(endpoint.name, took=monotonic() - began)
        model_spans.answered(asked, reply)
        return reply


def _complete(endpoint: Endpoint, request: Mapping[str, Any]) -> Reply:
    began = monotonic()
    try:
        # What arrives byte by byte never times out by itself, before the body least of all.
        body = threads.call(longest_attempt(endpoint), partial(_send, endpoint, request, began))
        return _believed(_read(body, endpoint.name), request)
    except ModelError as error:
        error.latency_ms = _elapsed(began)
        raise
    except TimedOut as error:
        raise _timed_out(began) from error
    except openai.APITimeoutError as error:
        raise _timed_out(began) from error
    except openai.APIConnectionError as error:
        raise ModelError(
            "model_unreachable",
            "The model could not be reached.",
            True,
            latency_ms=_elapsed(began),
        ) from error
    except openai.OpenAIError as error:
        raise ModelError(
            "model_client_error",
            f"The model client failed: {type(error).__name__}.",
            False,
            latency_ms=_elapsed(began),
        ) from error


def _send(endpoint: Endpoint, request: Mapping[str, Any], began: float) -> bytes:
    client = _client(endpoint.base_url, endpoint.api_key, endpoint.timeout_seconds)
    # By the client's general request: `completions.create` walks through every message to translate
    # what is JSON already, which takes longer than sending it.
    answer = client.post(
        "/chat/completions",
        cast_to=object,
        body={
            "model": endpoint.model,
            **({"logprobs": True} if endpoint.log_probabilities else {}),
            **request,
            **_strictly(endpoint, request),
        },
        stream=True,
        stream_cls=openai.Stream[object],
    )
    return read_body(answer.response, until=began + endpoint.timeout_seconds)


def _strictly(endpoint: Endpoint, request: Mapping[str, Any]) -> dict[str, Any]:
    wanted = endpoint.strict_tools and "tools" in request
    return {"tools": strict_offer(request["tools"])} if wanted else {}


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


def _timed_out(began: float) -> ModelError:
    return ModelError(
        "model_timeout", "The model did not answer in time.", True, latency_ms=_elapsed(began)
    )


def _refuse_errors(response: Response) -> None:
    """Raise ModelError for a status that is no success, before anything of the body is read."""
    if not response.is_success:
        raise _from_status(response)


def _from_status(response: Response) -> ModelError:
    status = response.status_code
    wait = retry_after_seconds(response.headers.get("retry-after"), response.headers.get("date"))
    if status == 429:
        return ModelError(
            "model_rate_limited",
            "The model server asks us to slow down (429).",
            True,
            status,
            wait,
        )
    if status in (401, 403):
        return ModelError(
            "model_key_refused",
            f"The model server refused our key ({status}). Check the endpoint's key.",
            False,
            status,
        )
    if status in (408, 409, 425) or status >= 500:
        return ModelError(
            "model_server_error", f"The model server failed ({status}).", True, status, wait
        )
    if response.is_redirect:
        return ModelError(
            "model_redirected",
            f"The model server sent us elsewhere ({status}), and we do not follow. Check the endpoint's "
            "address.",
            False,
            status,
        )
    return ModelError(
        "model_request_refused", f"The model server refused the request ({status}).", False, status
    )


def _read(body: bytes, asked: str) -> Reply:
    try:
        raw = storable(json.loads(body))
        choice = raw["choices"][0]
        message = choice["message"]
        if len(message.get("tool_calls") or ()) > MOST_CALLS_READ:
            raise ModelError(
                "model_reply_too_many_calls",
                f"The model's reply made more than {MOST_CALLS_READ} calls; none was taken.",
                True,
            )
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
            cached_in=usage["cached_tokens"] or 0,
            counted=usage["prompt_tokens"] is not None and usage["completion_tokens"] is not None,
            asked=asked,
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            "model_reply_malformed",
            "The model server's reply was not a chat completion.",
            True,
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
