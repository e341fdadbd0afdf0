"""Processes that start fast: forked from one that has imported the libraries already.

Each is a process of its own, as a command line would start it: its session, environment, folder, log and
signals. Nothing of the project is imported before the fork, since its settings read the environment.
`python -m tests.harness.nursery` reads one JSON object a line and answers each with a process id.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import django.conf

from countersign.embedded.processes import ends_with_parent

#: What the product's processes import, as far as it can be imported without settings.
LIBRARIES = (
    "asyncio",
    "channels.generic.websocket",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "django.contrib.staticfiles.handlers",
    "django.core.handlers.asgi",
    "django.core.management",
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
    "uvicorn.main",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_impl",
    "uuid6",
)


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
        request = {
            "arguments": arguments,
            "folder": str(folder),
            "environment": environment,
            "log": str(log),
        }
        with self._lock:
            process = self._process or self._open()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        return Forked(int(answer))

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


def _serve() -> dict[str, Any] | None:
    """Fork for every line; returns what to run in the child, and None where there is no more to do."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        arrange = ends_with_parent(signal.SIGKILL)
        pid = os.fork()
        if pid == 0:
            arrange()
            _settle(request)
            return request
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    return None


def _settle(request: dict[str, Any]) -> None:
    """Make this fork look as if a command line had started it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for descriptor, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, descriptor)
    os.close(nothing)
    os.close(log)
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]
    given = request["environment"].get("PYTHONPATH", "")
    sys.path[:1] = [request["folder"], *filter(None, given.split(os.pathsep))]


OWN = frozenset({"accounts", "agents", "approvals", "audit", "countersign", "demo", "tests"})


def _run(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    for library in LIBRARIES:
        importlib.import_module(library)
    assert not django.conf.settings.configured, "a library has read the settings"
    if (wanted := _serve()) is not None:
        _run(wanted["arguments"])
