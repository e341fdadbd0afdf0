"""How fast sealed events reach a receiver, for each kind of sink.

`python -m benchmarks.streaming` starts PostgreSQL and Redis, records and seals events, and sends all of them to a
file, to a syslog collector and to a web address on this machine, one after the other, as the scheduler does: each
batch is chosen, committed, read with its proof, sent, and noted. Beside it the same bytes are posted to the same web
address by nothing but a loop. JSON goes to `benchmarks/results/`.
"""

import argparse
import json
import os
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import perf_counter
from typing import Any

import django

from benchmarks import product
from benchmarks.records import circumstances, write

EVENTS_A_TRANSACTION = 500


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    options = parser.parse_args()
    os.environ["SINK_SECRET"] = "whsec_" + "c2lua3Nz" * 5
    with tempfile.TemporaryDirectory(prefix="countersign-streaming-") as folder, product.model():
        around = circumstances()
        with product.services(Path(folder)):
            django.setup()
            figures: dict[str, Any] = {
                **around,
                "options": vars(options),
                "events_per_second": _measured(Path(folder), options.events),
            }
    write("streaming", figures)
    print(json.dumps(figures, indent=2))
    return 0


def _measured(folder: Path, events: int) -> dict[str, int]:
    from audit.models import Checkpoint

    _seal_some(events)
    newest = Checkpoint.objects.newest()
    assert newest is not None
    taken: list[bytes] = []
    with _web(taken) as web, _collector() as collector:
        sinks: dict[str, dict[str, Any]] = {
            "file": {"kind": "file", "path": str(folder / "audit.jsonl")},
            "syslog": {"kind": "syslog", "address": f"tcp://127.0.0.1:{collector}"},
            "webhook": {
                "kind": "webhook",
                "url": f"http://127.0.0.1:{web}/audit",
                "secret": {"env": "SINK_SECRET"},
            },
        }
        rates = {
            name: round(newest.size / _timed(_sending(name, declared, newest.size)))
            for name, declared in sinks.items()
        }
        rates["the webhook's bytes, posted by a loop"] = round(
            newest.size / _timed(_posting(web, list(taken)))
        )
    return rates


def _seal_some(events: int) -> None:
    from django.db import transaction

    from audit.actors import Actor
    from audit.recorder import record
    from audit.services.seal import seal

    for first in range(0, events, EVENTS_A_TRANSACTION):
        with transaction.atomic():
            for number in range(first, min(first + EVENTS_A_TRANSACTION, events)):
                record(
                    type="signout",
                    actor=Actor.person(number, "session"),
                    stream=f"person:{number % 500}",
                )
        seal()


def _sending(name: str, declared: dict[str, Any], size: int) -> Callable[[], None]:
    from audit.models import SinkCursor
    from audit.services.stream_out import stream_out
    from audit.streaming.sinks import named_sinks

    (sink,) = named_sinks(json.dumps({name: declared})).values()

    def send() -> None:
        while stream_out(name, sink):
            pass
        cursor = SinkCursor.objects.get(pk=name)
        assert (cursor.next, cursor.problem) == (size, ""), cursor.problem

    return send


def _posting(port: int, messages: list[bytes]) -> Callable[[], None]:
    def post() -> None:
        for message in messages:
            # As the product does: a connection for each.
            connection = HTTPConnection("127.0.0.1", port)
            connection.request("POST", "/audit", message)
            assert connection.getresponse().status == 204
            connection.close()

    return post


def _timed(work: Callable[[], None]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


@contextmanager
def _web(taken: list[bytes]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


@contextmanager
def _collector() -> Iterator[int]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.read(1 << 16):
                pass

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    sys.exit(main())
