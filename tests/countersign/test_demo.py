"""`manage.py demo`, for real: it comes up, says so, and leaves nothing behind."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness.cluster import PROJECT, product_environment, short_folder
from tests.harness.ports import free_port


class Demo:
    """One `manage.py demo`, its console, and every process that belongs to it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.console = folder.with_name(f"{folder.name}-console-{port}")
        self.process = self.command("demo")

    def command(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with self.console.open("ab") as console:
            return subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=PROJECT,
                env=product_environment(
                    PORT=str(self.port),
                    COUNTERSIGN_DATA_DIR=str(self.folder),
                    COUNTERSIGN_SIGN_OF_LIFE_SECONDS="3",
                ),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.console.read_text()

    def until_said(self, words: str, times: int = 1, seconds: float = 280) -> None:
        end = time.monotonic() + seconds
        while self.said().count(words) < times:
            assert time.monotonic() < end, self.last_words()
            time.sleep(0.1)

    def last_words(self) -> str:
        """The console, and the end of each process's log."""
        logs = {path.name: path.read_text().splitlines()[-5:] for path in self.folder.glob("log/*")}
        return "\n".join([self.said(), *(f"{name}: {end}" for name, end in logs.items())])

    def until_green(self) -> None:
        end = time.monotonic() + 120
        while self.status() != 200:
            assert time.monotonic() < end, self.last_words()
            time.sleep(0.1)

    def status(self) -> int:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/health/ready", timeout=10
            ) as answer:
                json.load(answer)
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code
        except OSError:
            return 0

    def family(self) -> list[psutil.Process]:
        """Everything that works for this demo, whoever its parent is by now."""
        found = []
        for process in psutil.process_iter():
            try:
                line = _line_of(process)
                mine = process.environ().get("COUNTERSIGN_DATA_DIR") == str(self.folder)
            except psutil.Error:
                continue
            if mine or str(self.folder) in line:
                found.append(process)
        return found

    def one(self, *words: str) -> psutil.Process:
        """The process whose command line holds the words and whose parent does not."""
        matching = [
            process for process in self.family() if all(word in _line_of(process) for word in words)
        ]
        pids = {process.pid for process in matching}
        [top] = [process for process in matching if process.ppid() not in pids]
        return top

    def until_gone(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while left := self.family():
            assert time.monotonic() < end, [_line_of(process) for process in left]
            time.sleep(0.1)


def _line_of(process: psutil.Process) -> str:
    """Its command line; empty where it has ended since it was found."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture
def demo() -> Iterator[Callable[[], Demo]]:
    made: list[Demo] = []

    def start(folder: Path | None = None) -> Demo:
        started = Demo(folder or short_folder(), free_port())
        made.append(started)
        return started

    yield start
    for each in made:
        each.process.kill()
        each.process.wait()
    for each in made:
        each.until_gone()
        shutil.rmtree(each.folder, ignore_errors=True)
        each.console.unlink(missing_ok=True)


@pytest.mark.timeout(900)
def test_it_comes_up_beside_another_heals_leaves_nothing_finds_its_data_again_and_forgets_it(
    demo: Callable[..., Demo],
) -> None:
    first, other = demo(), demo()
    first.until_said("Ready: ")
    other.until_said("Ready: ")
    assert first.status() == 200
    assert f"Ready: http://127.0.0.1:{first.port}\n" in first.said()
    for account in ("admin", "reviewer", "second-reviewer", "operator", "auditor"):
        assert account in first.said()
    password = re.findall(r"Password: (\S+)", first.said())
    assert len(password) == 1
    assert first.command("demo", "--forget").wait(60) == 1
    assert "is in use" in first.said()

    what_is_killed_comes_back(first)
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(60) == 0
    assert first.family() == []

    again = demo(first.folder)
    again.until_said("Ready: ")
    assert re.findall(r"Password: (\S+)", again.said()) == password
    again.process.send_signal(signal.SIGINT)
    assert again.process.wait(60) == 0
    assert again.command("demo", "--forget").wait(60) == 0
    assert not again.folder.exists()

    assert other.status() == 200
    other.process.kill()
    other.process.wait()
    other.until_gone()


def what_is_killed_comes_back(running: Demo) -> None:
    for name, words in {
        "web": ("uvicorn",),
        "resumes": ("rqworker-pool", "resumes"),
        "scheduler": ("manage.py", "scheduler"),
        "payment provider": ("demo.provider",),
    }.items():
        running.one(*words).kill()
        running.until_said(f"{name} was ended by SIGKILL; starting it again")
    for words in (("embedded.keeper", "postgres"), ("embedded.keeper", "redis")):
        running.one(*words).kill()
    running.until_green()


def test_a_taken_port_is_a_sentence(demo: Callable[[], Demo]) -> None:
    folder = short_folder()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = subprocess.run(
            [sys.executable, "manage.py", "demo"],
            cwd=PROJECT,
            env=product_environment(
                PORT=str(taken.getsockname()[1]), COUNTERSIGN_DATA_DIR=str(folder)
            ),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert outcome.returncode == 1
    assert "Address already in use" in outcome.stderr
    assert "PORT=" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL is not a PostgreSQL address"),
        ("DATABASE_URL", "postgresql://u:secret@/no?host=/nowhere", "Check DATABASE_URL"),
        ("COUNTERSIGN_DATA_DIR", "/proc/no/where", "COUNTERSIGN_DATA_DIR"),
        ("COUNTERSIGN_UNDO", "1", "COUNTERSIGN_UNDO is not a setting"),
    ],
)
def test_a_wrong_setting_is_a_sentence(name: str, value: str, sentence: str) -> None:
    folder = short_folder()
    given = {"COUNTERSIGN_DATA_DIR": str(folder), "PORT": str(free_port()), name: value}
    outcome = subprocess.run(
        [sys.executable, "manage.py", "demo"],
        cwd=PROJECT,
        env=product_environment(**given),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert outcome.returncode == 1
    assert sentence in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "secret" not in outcome.stderr
    shutil.rmtree(folder)
