"""OpenAI's chat-completions wire format, as far as an agent needs it: requests in, replies and errors out. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from demo.practice.conversation import text_of
from demo.practice.moves import Move

MODEL = "practice"
CREATED = 1_763_596_800
"""When the practice model's script was written, in Unix seconds: `created` of the model list."""


class WireError(Exception):
    """A request that is answered with an error body in OpenAI's format."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        kind = "invalid_request_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class Function(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str = Field(min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)


class Tool(BaseModel):
    model_config = ConfigDict(frozen=True)
    function: Function


class CompletionRequest(BaseModel):
    """What is read of a request; sampling options change nothing here and are let through."""

    model_config = ConfigDict(frozen=True)
    model: str = Field(min_length=1)
    messages: list[dict[str, Any]] = Field(min_length=1)
    tools: list[Tool] = Field(default_factory=list)
    stream: bool | None = None
    n: int | None = None
    seed: int | None = None
    response_format: dict[str, Any] | None = None

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """The JSON Schema of each offered tool's arguments."""
        return {tool.function.name: tool.function.parameters for tool in self.tools}

    def asks_for(self, name: str) -> bool:
        """Whether the answer is to be text of the JSON Schema with this name."""
        schema = (self.response_format or {}).get("json_schema")
        return isinstance(schema, Mapping) and schema.get("name") == name


def read_request(body: bytes) -> CompletionRequest:
    """Parse and check a request; raises WireError with 400."""
    try:
        request = CompletionRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise WireError(
            400, f"Invalid request: {place or 'body'}: {first['msg']}", param=place or None
        ) from error
    if request.stream:
        raise WireError(
            400, "The practice model does not stream; leave stream out.", param="stream"
        )
    if request.n not in (None, 1):
        raise WireError(400, "The practice model gives one choice; leave n out.", param="n")
    _check_messages(request.messages)
    return request


def _check_messages(messages: Sequence[Mapping[str, Any]]) -> None:
    """Every call has an id and a name, and every reply that called tools is followed by their results."""
    open_calls: list[str] = []
    for place, message in enumerate(messages):
        role, param = message.get("role"), f"messages.[{place}]"
        if role not in {"system", "developer", "user", "assistant", "tool"}:
            raise WireError(
                400, f"Invalid value: {role!r}. Give the message a role.", param=f"{param}.role"
            )
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise WireError(
                    400,
                    "Messages with role 'tool' must follow a message with 'tool_calls' that names their id.",
                    param=f"{param}.role",
                )
            open_calls.remove(str(message["tool_call_id"]))
            continue
        if open_calls:
            raise WireError(
                400,
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. Without a response: {', '.join(open_calls)}.",
                param=param,
            )
        for call in message.get("tool_calls") or ():
            if not _is_call(call):
                raise WireError(
                    400,
                    "A tool call has an id and a function with name and arguments.",
                    param=param,
                )
            open_calls.append(call["id"])
    if open_calls:
        raise WireError(
            400, f"Tool calls without a response: {', '.join(open_calls)}.", param="messages"
        )


def _is_call(call: Any) -> bool:
    if not isinstance(call, Mapping) or not isinstance(call.get("id"), str):
        return False
    function = call.get("function")
    return isinstance(function, Mapping) and all(
        isinstance(function.get(name), str) for name in ("name", "arguments")
    )


def completion(request: CompletionRequest, move: Move, *, created: int) -> dict[str, Any]:
    """The reply that makes the move; its ids follow from the conversation, so that asking again gives them again."""
    mark = _mark(request)
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    if move.tool in request.schemas:
        written = json.dumps(arguments_for(request.schemas[move.tool], move), ensure_ascii=False)
        function = {"name": move.tool, "arguments": written}
        message["tool_calls"] = [{"id": f"call_{mark}", "type": "function", "function": function}]
        finish = "tool_calls"
    else:
        written = str(move.arguments.get("message") or move.arguments.get("reason") or "")
        message["content"] = written
        finish = "stop"
    return _completed(request, message, finish, written, mark, created)


def in_words(request: CompletionRequest, text: str, *, created: int) -> dict[str, Any]:
    """The reply that says this text."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    return _completed(request, message, "stop", text, _mark(request), created)


def _mark(request: CompletionRequest) -> str:
    asked = [request.messages, *([request.seed] if request.seed is not None else [])]
    said = json.dumps(asked, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _completed(
    request: CompletionRequest,
    message: dict[str, Any],
    finish: str,
    written: str,
    mark: str,
    created: int,
) -> dict[str, Any]:
    read = sum(count_tokens(text_of(sent)) + 4 for sent in request.messages)
    read += sum(count_tokens(tool.model_dump_json()) for tool in request.tools)
    wrote = count_tokens(written) + 4
    return {
        "id": f"chatcmpl-{mark}",
        "object": "chat.completion",
        "created": created,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote},
        "system_fingerprint": None,
    }


def arguments_for(schema: Mapping[str, Any], move: Move) -> dict[str, Any]:
    """The move's arguments as far as the tool takes them, with confidence and rationale where it asks for them."""
    known = {**move.arguments, "confidence": move.confidence, "rationale": move.rationale}
    return {name: known[name] for name in schema.get("properties", {}) if name in known}


def count_tokens(text: str) -> int:
    """A fair guess: four characters to a token."""
    return -(-len(text) // 4)


def model_list() -> dict[str, Any]:
    """The body of `GET models`."""
    model = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "countersign"}
    return {"object": "list", "data": [model]}
