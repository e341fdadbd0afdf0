"""A model server that answers at once: the first turn marks, the second ends.

`python -m benchmarks.model` serves on a free port of this machine and prints its base URL.
"""

import asyncio
from typing import Any, cast

import httptools
import orjson
import uvloop


class Conversation(asyncio.Protocol):
    """One connection: chat completions, the least of them, kept alive."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        # uvloop's transports are written to like asyncio's, and inherit from none of them.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self.body = b""

    def on_body(self, body: bytes) -> None:
        """Another part of the request."""
        self.body += body

    def on_message_complete(self) -> None:
        """Answer one request."""
        assert self.transport is not None
        answer = orjson.dumps(reply(orjson.loads(self.body)["messages"]))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % len(answer) + answer)


def reply(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A chat completion that calls `mark` with the number of the task, or ends after its result."""
    if messages[-1]["role"] == "tool":
        return _completion("final_answer", {"summary": "Marked.", "relies_on": []})
    cycle = int(messages[1]["content"])
    return _completion("mark", {"cycle": cycle, "confidence": 0.5, "rationale": ""})


def _completion(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    call = {
        "id": f"call_{name}",
        "type": "function",
        "function": {"name": name, "arguments": orjson.dumps(arguments).decode()},
    }
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 0,
        "model": "benchmark",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


async def serve() -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Conversation, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
