"""`python -m countersign.alive PART`: what probes of containers ask."""

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from redis import Redis

from countersign.alive import main
from countersign.liveness import show_scheduler
from tests.harness.environment import TestProcess
from tests.harness.ports import free_port

HERE = socket.gethostname()


@pytest.fixture
def asked(test_process: TestProcess, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    monkeypatch.setenv("REDIS_URL", test_process.redis_url)
    return redis_client


def test_a_part_lives_while_a_process_of_this_machine_shows_it(
    asked: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resumes"]) == main(["scheduler"]) == 1
    assert "No scheduler of this machine was seen lately." in capsys.readouterr().err
    asked.set("countersign:alive:worker:resumes:1", f"{HERE}.elsewhere:7")
    asked.set("countersign:alive:worker:runs:2", f"{HERE}:7")
    show_scheduler(asked, "another-machine:7")
    assert main(["resumes"]) == main(["scheduler"]) == 1
    assert main(["runs"]) == 0
    show_scheduler(asked, f"{HERE}:7")
    assert main(["scheduler"]) == 0


def test_a_redis_that_is_away_ends_no_process_and_a_wrong_word_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    assert main(["runs"]) == 0
    assert "nothing can be told" in capsys.readouterr().err
    monkeypatch.delenv("REDIS_URL")
    assert main(["runs"]) == main([]) == main(["everything"]) == 2
    monkeypatch.setenv("REDIS_URL_FILE", "/nowhere/redis_url")
    assert main(["runs"]) == 2


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 404)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def web() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_web_process_lives_while_it_answers(web: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", str(web))
    assert main(["web"]) == 0
    monkeypatch.setenv("PORT", str(free_port()))
    assert main(["web"]) == 1
