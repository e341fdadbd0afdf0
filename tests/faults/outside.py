"""What stands outside the product in the fault tests: a recorder of effects, and a model without memory."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.model_server import Answer, call, calls, final, judged, says


@dataclass(frozen=True)
class Call:
    """One call that reached the recorder."""

    tool: str
    key: str
    arguments: dict[str, Any]


@dataclass
class Recorder:
    """Serves on a free port of `host` and writes down every call, in order.

    The answers to tickets in `deaf` are never sent. Those in `holds` wait for their event.
    """

    calls: list[Call] = field(default_factory=list)
    deaf: set[str] = field(default_factory=set)
    holds: dict[str, threading.Event] = field(default_factory=dict)
    host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer((self.host, 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://{self.host}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def of(self, ticket: str) -> list[Call]:
        """The calls for a ticket."""
        return [made for made in list(self.calls) if made.arguments["ticket"] == ticket]

    def close(self) -> None:
        for event in self.holds.values():
            event.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                sent = self.rfile.read(length)
                if len(sent) < length:
                    # Whoever called died while calling: this is no call.
                    return
                body = json.loads(sent)
                made = Call(self.path.strip("/"), body["key"], body["arguments"])
                outer.calls.append(made)
                ticket = made.arguments["ticket"]
                if ticket in outer.holds:
                    outer.holds[ticket].wait(30)
                if ticket not in outer.deaf:
                    self._answer({"reference": made.key})

            def do_GET(self) -> None:
                (key,) = parse_qs(urlsplit(self.path).query)["key"]
                known = any(made.key == key for made in list(outer.calls))
                self._answer({"reference": key} if known else None)

            def _answer(self, document: object) -> None:
                body = json.dumps(document).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    # Whoever asked is dead, as the test wants it.
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: `calls` is the log."""

        return Handler


def ticket_text(ticket: str, rounds: list[list[tuple[str, str]]]) -> str:
    """The task whose ticket scripts the model: each round is one reply of (tool, amount) calls."""
    return json.dumps({"ticket": ticket, "rounds": rounds})


#: A round in which the model ends by relying on a call that it never made.
LIE = "lie"


def reply(request: dict[str, Any]) -> Answer:
    """The model: what comes next follows from the conversation alone, so that it may be asked twice.

    As a verifier it has no objections; every task is about payments.
    """
    if _asks_for(request) == "kind_of_task":
        return says(json.dumps({"kind": "payments"}))
    if "response_format" in request:
        return says(json.dumps({"score": 1, "objections": []}))
    if "tool_choice" in request:
        # At a decision point of a workflow.
        asked = json.loads(request["messages"][2]["content"])
        return calls(call("answer", judged(asked["content"])))
    task = json.loads(request["messages"][1]["content"])
    done = sum(message["role"] == "assistant" for message in request["messages"])
    if done >= len(task["rounds"]):
        return final(summary="Done.")
    if task["rounds"][done][0][0] == LIE:
        return calls(call("final_answer", {"summary": "Done.", "relies_on": ["never-made"]}))
    return calls(*[_called(task["ticket"], *each) for each in task["rounds"][done]])


def _asks_for(request: dict[str, Any]) -> str:
    """The name of what the answer has to fit; empty where it is free."""
    asked = request.get("response_format") or {}
    return str((asked.get("json_schema") or {}).get("name") or "")


def _called(ticket: str, tool: str, amount: str) -> dict[str, Any]:
    """One call; one that hands work on has the rounds of the other agent for its amount."""
    if tool == "delegate":
        task = ticket_text(ticket, json.loads(amount))
        return call(tool, judged({"agent": "works", "task": task}))
    if tool == "remember":
        return call(tool, judged({"key": ticket, "text": amount}))
    return call(tool, judged({"ticket": ticket, "amount": amount}))
