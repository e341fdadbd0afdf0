"""The supervisor: starts again what dies, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from countersign.programs import Program
from countersign.supervisor import Supervisor
from tests.harness.cluster import PROJECT, product_environment

SLEEPER = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)"
FAILING = "import sys; sys.exit(3)"
DEAF = (
    "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)"
)
BOSS = """
import os, sys
from pathlib import Path
from countersign.programs import Program
from countersign.supervisor import Supervisor
boss = Supervisor(
    [Program("sleeper", (sys.executable, "-c", sys.argv[1], sys.argv[2]))],
    environment=os.environ, logs=Path(sys.argv[3]), say=print,
)
boss.start()
boss.watch()
"""


class Watched:
    """A supervisor over one sleeping program, and what it said."""

    def __init__(self, folder: Path, code: str) -> None:
        self.pids = folder / "pids"
        self.said: list[str] = []
        self.supervisor = Supervisor(
            [Program("sleeper", (sys.executable, "-c", code, str(self.pids)))],
            environment=os.environ,
            logs=folder / "log",
            say=self.said.append,
        )

    def started(self) -> list[int]:
        return read_pids(self.pids)


def read_pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], object], *, look: Callable[[], None] = lambda: None) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        look()
        time.sleep(0.02)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[[str], Watched]]:
    made: list[Watched] = []

    def start(code: str) -> Watched:
        watched = Watched(tmp_path, code)
        made.append(watched)
        watched.supervisor.start()
        return watched

    yield start
    for watched in made:
        watched.supervisor.stop()


def test_a_killed_program_is_started_again_and_this_is_said(
    watch: Callable[[str], Watched],
) -> None:
    watched = watch(SLEEPER)
    until(watched.started)
    [first] = watched.started()
    os.kill(first, signal.SIGKILL)
    until(lambda: len(watched.started()) == 2, look=watched.supervisor.look)
    assert "sleeper was ended by SIGKILL; starting it again" in watched.said[0]
    assert lives(watched.started()[1])


def test_a_program_that_keeps_failing_is_tried_ever_more_slowly(
    watch: Callable[[str], Watched],
) -> None:
    watched = watch(FAILING)
    until(lambda: len(watched.said) == 3, look=watched.supervisor.look)
    assert all("ended with code 3" in sentence for sentence in watched.said)
    assert watched.supervisor._children[0].pause > 1


def test_stopping_leaves_no_process(watch: Callable[[str], Watched]) -> None:
    watched = watch(SLEEPER)
    until(watched.started)
    watched.supervisor.stop()
    assert not any(lives(pid) for pid in watched.started())


def test_a_program_that_does_not_hear_is_killed(
    watch: Callable[[str], Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("countersign.supervisor.STOP_SECONDS", 0.2)
    watched = watch(DEAF)
    until(watched.started)
    watched.supervisor.stop()
    assert not any(lives(pid) for pid in watched.started())
    assert "does not end by itself" in watched.said[-1]


def test_watching_ends_when_asked(watch: Callable[[str], Watched]) -> None:
    watched = watch(SLEEPER)
    threading.Timer(0.1, watched.supervisor.stopping.set).start()
    watched.supervisor.watch()
    assert watched.supervisor.stopping.is_set()


def test_programs_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    boss = subprocess.Popen(
        [sys.executable, "-c", BOSS, SLEEPER, str(pids), str(tmp_path / "log")],
        cwd=PROJECT,
        env=product_environment(),
    )
    until(lambda: read_pids(pids))
    boss.kill()
    boss.wait()
    until(lambda: not any(lives(pid) for pid in read_pids(pids)))
