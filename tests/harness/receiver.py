"""A receiver of spans: OTLP over HTTP as collectors speak it, in a process of its own.

`python -m tests.harness.receiver PORT FILE MODE` decodes what it is sent and appends a line of JSON for each span.
MODE is `take`, or `hang`: it takes connections and never answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.harness.ports import free_port

START_SECONDS = 30.0
KINDS = ("", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True)
class Received:
    """One span that arrived. Ids are hexadecimal; moments nanoseconds since 1970."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    start: int
    end: int
    failed: bool
    attributes: Mapping[str, Any]
    links: list[tuple[str, str]]
    events: list[str]
    resource: Mapping[str, Any] = field(default_factory=dict)


class Receiver:
    """The receiving process; `environment` is what sends spans to it."""

    def __init__(self, folder: Path, mode: Literal["take", "hang"] = "take") -> None:
        self.port = free_port()
        self.file = folder / f"spans-{self.port}.jsonl"
        self.file.touch()
        self._process = subprocess.Popen(
            (sys.executable, "-m", __name__, str(self.port), str(self.file), mode)
        )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > end:
                raise AssertionError("The receiver does not start.")
            time.sleep(0.05)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def spans(self) -> list[Received]:
        """Everything that arrived until now."""
        lines = self.file.read_text().splitlines()
        return [
            Received(**{**each, "links": [tuple(link) for link in each["links"]]})
            for each in map(json.loads, lines)
        ]

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/up", timeout=1).close()
        except (URLError, OSError):
            return False
        return True


def main(port: int, file: Path, mode: str) -> None:
    """Receive until killed."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if mode == "hang":
                threading.Event().wait()
            assert self.path == "/v1/traces", self.path
            assert self.headers["Content-Type"] == "application/x-protobuf"
            request = ExportTraceServiceRequest.FromString(body)
            lines = "".join(json.dumps(span) + "\n" for span in decoded(request))
            with lock, file.open("a") as out:
                out.write(lines)
            self._answer(ExportTraceServiceResponse().SerializeToString())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever()


def decoded(request: ExportTraceServiceRequest) -> list[dict[str, Any]]:
    """The spans of a message, as JSON."""
    return [
        {
            "trace": span.trace_id.hex(),
            "id": span.span_id.hex(),
            "parent": span.parent_span_id.hex(),
            "name": span.name,
            "kind": KINDS[span.kind],
            "start": span.start_time_unix_nano,
            "end": span.end_time_unix_nano,
            "failed": span.status.code == 2,
            "attributes": _plain(span.attributes),
            "links": [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
            "events": [event.name for event in span.events],
            "resource": _plain(of_resource.resource.attributes),
        }
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _plain(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, str(kind))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
