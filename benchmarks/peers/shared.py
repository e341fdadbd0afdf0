"""What the scripts of all peers share. Runs in their environments: standard library and redis only."""

import http.client
import json
import os
import threading
from typing import Any
from urllib.parse import urlsplit

from benchmarks.recorder import Recorder

_local = threading.local()


class Outside:
    """The world of one thread: the model server and the place where actions are recorded."""

    def __init__(self) -> None:
        self.recorder = Recorder(os.environ["REDIS_URL"])
        address = urlsplit(os.environ["OPENAI_BASE_URL"])
        self.path = f"{address.path}/chat/completions"
        assert address.hostname is not None
        self.server = http.client.HTTPConnection(address.hostname, address.port, timeout=30)

    def ask(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """The model's call in answer to the conversation, over one connection that is kept."""
        body = json.dumps({"model": "benchmark", "messages": messages})
        self.server.request("POST", self.path, body, {"Content-Type": "application/json"})
        reply = json.loads(self.server.getresponse().read())
        call: dict[str, Any] = reply["choices"][0]["message"]["tool_calls"][0]["function"]
        return call


def outside() -> Outside:
    """The one of this thread."""
    if not hasattr(_local, "outside"):
        _local.outside = Outside()
    found: Outside = _local.outside
    return found


def propose(number: int) -> int:
    """Ask the model what to do; what it wants marked."""
    task = [{"role": "system", "content": "Mark."}, {"role": "user", "content": str(number)}]
    return int(json.loads(outside().ask(task)["arguments"])["cycle"])


def conclude(number: int) -> str:
    """Tell the model what came of it; its last word."""
    task = [{"role": "system", "content": "Mark."}, {"role": "user", "content": str(number)}]
    return str(outside().ask([*task, {"role": "tool", "content": "true"}])["arguments"])
