"""Processes that start fast: forked from one that has read the same settings already.

Each is a process of its own, as a command line would start it: its session, environment, folder, log and
signals. `python -m tests.harness.nursery` has imported the libraries and nothing of the project, whose
settings read the environment; it keeps a fork for each environment, with Django set up, from which the
processes are forked in turn, as a pool forks its workers. It reads one JSON object a line and answers each
with a process id.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import django
import django.conf
from django.core import checks

from countersign.embedded.processes import ends_with_parent

#: What the product's processes import, as far as it can be imported without settings.
LIBRARIES = (
    "asyncio",
    "channels.generic.websocket",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "django.contrib.staticfiles.handlers",
    "django.core.handlers.asgi",
    "django.core.management",
    "django.core.management.commands.migrate",
    "django.db.backends.postgresql.base",
    "django.forms",
    "django.template.defaulttags",
    "django.test.signals",
    "django.views.generic",
    "jsonschema",
    "openai",
    "openai.resources.chat.completions",
    "psycopg_pool",
    "pydantic",
    "redis.asyncio",
    "rfc8785",
    "rq.worker_pool",
    "stamina",
    "structlog",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.main",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "uuid6",
)
#: What web, worker pools and scheduler import besides, with the settings of their environment.
PARTS = (
    "agents.jobs",
    "agents.worker",
    "countersign.asgi",
    "countersign.management.commands.rqworker-pool",
    "countersign.management.commands.scheduler",
    "countersign.urls",
    "countersign.views",
)

log = logging.getLogger(__name__)


class Forked:
    """A process that was started here, with what `subprocess.Popen` offers of it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._descriptor = -1

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def ended(self, seconds: float = 0) -> bool:
        """Whether it has ended, waiting so many seconds for that."""
        if self._descriptor < 0:
            return True
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def wait(self, seconds: float | None = None) -> None:
        """Until it has ended. Raises `subprocess.TimeoutExpired`."""
        if not self.ended(3_600 if seconds is None else seconds):
            raise subprocess.TimeoutExpired(str(self.pid), seconds or 0)

    def terminate(self) -> None:
        """Ask it to end."""
        if not self.ended():
            signal.pidfd_send_signal(self._descriptor, signal.SIGTERM)


class Nursery:
    """The process that others are forked from; it and they end with this one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def start(
        self, arguments: list[str], *, folder: Path, environment: dict[str, str], log: Path
    ) -> Forked:
        """Start `python` with these arguments: a script's path, or `-m` and a module."""
        return Forked(
            self._asked(
                {
                    "arguments": arguments,
                    "folder": str(folder),
                    "environment": environment,
                    "log": str(log),
                }
            )
        )

    def release(self, *, folder: Path, environment: dict[str, str]) -> None:
        """Say that nothing that was started in an environment runs any more."""
        if self._process is not None:
            self._asked({"folder": str(folder), "environment": environment})

    def _asked(self, request: dict[str, Any]) -> int:
        with self._lock:
            process = self._process or self._open()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

    def _open(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            (sys.executable, "-m", __name__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=ends_with_parent(signal.SIGKILL),
        )
        return self._process


NURSERY = Nursery()


#: Environments whose forks are kept though nothing runs in them now.
KEPT_FOR_LATER = 3


class Kept:
    """A fork of the nursery that has the settings of one environment, and forks what runs in it."""

    def __init__(self, pid: int, requests: int, answers: int) -> None:
        self.pid = pid
        self._requests = requests
        self._answers = os.fdopen(answers)

    def asked(self, line: str) -> str:
        """The answer to one request."""
        os.write(self._requests, line.encode())
        return self._answers.readline()

    def end(self) -> None:
        """End it; what it forked ends with it."""
        os.kill(self.pid, signal.SIGKILL)
        os.close(self._requests)
        self._answers.close()


def _serve() -> dict[str, Any] | None:
    """Pass each line on to the fork of its environment; in what that forks, return what is to be run."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    kept: dict[str, Kept] = {}
    released: list[str] = []
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        key = json.dumps([request["folder"], request["environment"]])
        if key in released:
            released.remove(key)
        if "arguments" in request:
            if key not in kept:
                made = _keep(request)
                if not isinstance(made, Kept):
                    # This is the fork, or what it forked.
                    return _serve_one(made)
                kept[key] = made
            answer = kept[key].asked(line)
        else:
            answer = "0\n"
            released.append(key)
            if len(released) > KEPT_FOR_LATER:
                kept.pop(released.pop(0)).end()
        sys.stdout.write(answer)
        sys.stdout.flush()
    return None


@dataclass(frozen=True)
class Ends:
    """What such a fork holds of itself."""

    requests: TextIO
    answers: int
    is_set_up: bool


def _keep(request: dict[str, Any]) -> Kept | Ends:
    """Fork; here it gives the fork, in the fork its own ends, with the environment set up."""
    their_requests, our_requests = os.pipe()
    our_answers, their_answers = os.pipe()
    arrange = ends_with_parent(signal.SIGKILL)
    if pid := os.fork():
        os.close(their_requests)
        os.close(their_answers)
        return Kept(pid, our_requests, our_answers)
    arrange()
    os.close(our_requests)
    os.close(our_answers)
    _settle(request)
    return Ends(os.fdopen(their_requests), their_answers, is_set_up=_set_up())


def _set_up() -> bool:
    """Whether the settings of this environment were taken."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "countersign.settings")
    # Nothing of what is imported is ever garbage.
    gc.disable()
    try:
        django.setup()
        for module in PARTS:
            importlib.import_module(module)
        hash_cheaply = importlib.import_module("countersign.testing.process").hash_cheaply
        hash_cheaply()
        _check_once()
    except Exception:
        # Each process says so by itself, from its own beginning.
        log.exception("The settings were not taken.")
        return False
    finally:
        gc.enable()
    gc.collect()
    gc.freeze()
    return True


def _check_once() -> None:
    """Where the system checks find nothing, let no process of this environment look again when it starts.

    Here they look for what any of them needs. Where there is something, each finds its own.
    """
    whole = checks.run_checks
    if whole():
        return

    def run_checks(**asked: Any) -> list[checks.CheckMessage]:
        return whole(**asked) if any(asked.values()) else []

    checks.run_checks = run_checks


def _serve_one(ends: Ends) -> dict[str, Any] | None:
    """Fork for every line; returns what to run in the child, and None where there is no more to do."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in ends.requests:
        request: dict[str, Any] = json.loads(line)
        arrange = ends_with_parent(signal.SIGKILL)
        if pid := os.fork():
            os.write(ends.answers, f"{pid}\n".encode())
            continue
        arrange()
        ends.requests.close()
        os.close(ends.answers)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _open_descriptors(request["log"])
        if not ends.is_set_up:
            os.execv(sys.executable, [sys.executable, *request["arguments"]])
        return request
    return None


def _settle(request: dict[str, Any]) -> None:
    """Make this fork look as if a command line had started it."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    _open_descriptors(request["log"])
    _forget_own()
    given = request["environment"].get("PYTHONPATH", "")
    sys.path[:1] = [request["folder"], *filter(None, given.split(os.pathsep))]


def _open_descriptors(log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for descriptor, source in ((0, nothing), (1, written), (2, written)):
        os.dup2(source, descriptor)
    os.close(nothing)
    os.close(written)


def _forget_own() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]


OWN = frozenset(
    {
        "accounts",
        "agents",
        "approvals",
        "audit",
        "countersign",
        "demo",
        "evaluations",
        "insights",
        "tests",
    }
)


def _run(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    gc.disable()
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.enable()
    assert not django.conf.settings.configured, "a library has read the settings"
    if (wanted := _serve()) is not None:
        _run(wanted["arguments"])
