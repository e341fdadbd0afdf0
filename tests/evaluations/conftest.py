"""The demo with its agents hosted, and the practice model behind a real endpoint."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import RequestFactory
from pytest_django import Settings

from demo.practice import views
from demo.seed import seed
from evaluations.models import Evaluation


class Practice(BaseHTTPRequestHandler):
    """Answers with the practice model's own view."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Authorization"]
        asked = RequestFactory().generic("POST", self.path, body, HTTP_AUTHORIZATION=key)
        answer = views.complete(asked)
        self.send_response(answer.status_code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def practice() -> Iterator[str]:
    """The address of the practice model, served over HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Practice)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Ended:
    """How the command ended: its exit code, what it wrote, and the newest evaluation."""

    code: int
    said: str
    evaluation: Evaluation


@pytest.fixture
def evaluate(
    transactional_db: None, practice: str, settings: Settings, tmp_path: Path
) -> Callable[..., Ended]:
    """`evaluate("refund-desk", suite="…")`: the command in this process, over the demo and the practice model."""
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={
            "data_dir": tmp_path,
            "openai_base_url": practice,
            "openai_api_key": "practice",
            "openai_model": "practice",
            "model_backoff_seconds": 0.01,
            "undo_seconds": 0.0,
        }
    )
    seed()

    def run(agent: str, **options: Any) -> Ended:
        said = io.StringIO()
        code = 0
        try:
            call_command("evaluate", agent, stdout=said, stderr=said, no_color=True, **options)
        except SystemExit as ended:
            code = int(ended.code or 0)
        except CommandError as error:
            said.write(str(error))
            code = error.returncode
        return Ended(
            code, said.getvalue(), Evaluation.objects.newest_first().first() or Evaluation()
        )

    return run
