"""Being one of the processes that use a data directory's embedded services."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from countersign.embedded.errors import EmbeddedError
from countersign.embedded.layout import Layout
from countersign.embedded.postgres import database_answers
from countersign.embedded.redis import redis_answers
from countersign.embedded.secrets import ensure_secrets

PROJECT = Path(__file__).resolve().parent.parent.parent
SERVICES = ("postgres", "redis")
START_SECONDS = 120.0
LOOK_SECONDS = 0.03
# Slower than the keeper looks: both look by taking the lock for a moment.
STOP_LOOK_SECONDS = 0.17
WATCH_SECONDS = 1.0
RELEASE_SECONDS = 45.0


@dataclass
class Use:
    """This process's hold on one service, kept until it ends or lets go."""

    layout: Layout
    service: str
    descriptor: int
    answers: Callable[[], bool]
    keeper: "subprocess.Popen[bytes] | None" = None


_held: dict[tuple[Path, str], Use] = {}
_guard = threading.Lock()
_let_go = threading.Event()


def ensure_services(layout: Layout, services: Sequence[str] = SERVICES) -> None:
    """Have the named services answer, and keep them as long as this process lives.

    Starts what nobody has started. A thread of this process sees to it that a killed keeper is
    replaced. Forked children count as users too. Raises EmbeddedError with the reason when a
    service cannot be had.
    """
    secrets = ensure_secrets(layout)
    probes: dict[str, Callable[[], bool]] = {
        "postgres": lambda: database_answers(layout, secrets),
        "redis": lambda: redis_answers(layout),
    }
    with _guard:
        wanted = [name for name in services if (layout.data_dir, name) not in _held]
        uses = [_use(layout, name, probes[name]) for name in wanted]
        for use in uses:
            _wait_for(use)
        if uses and len(uses) == len(_held):
            _let_go.clear()
            threading.Thread(target=_watch, name="embedded-services", daemon=True).start()


def release_services() -> None:
    """Let go of everything; return when what nobody else uses has stopped."""
    with _guard:
        _let_go.set()
        uses = list(_held.values())
        _held.clear()
        for use in uses:
            os.close(use.descriptor)
        deadline = time.monotonic() + RELEASE_SECONDS
        for use in uses:
            _await_stop(use, deadline)


def in_use(layout: Layout) -> bool:
    """Whether any process, this one included, uses a service of the directory."""
    for service in SERVICES:
        for path in (layout.users_lock(service), layout.keeper_lock(service)):
            if path.exists() and (_is_locked(path) or _shared_by_others(path)):
                return True
    return False


def _use(layout: Layout, service: str, answers: Callable[[], bool]) -> Use:
    path = layout.users_lock(service)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + START_SECONDS
    while not _taken(descriptor, fcntl.LOCK_SH):
        # A keeper holds it while it stops its server.
        if time.monotonic() > deadline:
            os.close(descriptor)
            raise EmbeddedError(f"{service} is still being stopped; {path} stays locked.")
        time.sleep(LOOK_SECONDS)
    use = Use(layout, service, descriptor, answers)
    _held[layout.data_dir, service] = use
    if not _kept(use):
        use.keeper = _start_keeper(use)
    return use


def _wait_for(use: Use) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (_kept(use) and use.answers()):
        if use.keeper is not None and use.keeper.poll() is not None:
            reason = _reason(use.keeper)
            use.keeper = None
            if reason:
                _drop(use)
                raise EmbeddedError(reason)
        if use.keeper is None and not _kept(use):
            use.keeper = _start_keeper(use)
        if time.monotonic() > deadline:
            _drop(use)
            raise EmbeddedError(
                f"{use.service} did not answer within {START_SECONDS:.0f} seconds; "
                f"see {use.layout.logs}."
            )
        time.sleep(LOOK_SECONDS)
    if use.keeper is not None and use.keeper.stdout is not None:
        use.keeper.stdout.close()


def _drop(use: Use) -> None:
    del _held[use.layout.data_dir, use.service]
    os.close(use.descriptor)


def _start_keeper(use: Use) -> subprocess.Popen[bytes]:
    path = os.environ.get("PYTHONPATH")
    with (use.layout.logs / "keeper.log").open("ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "countersign.embedded.keeper"),
                *(use.service, str(use.layout.data_dir)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=os.environ
            | {"PYTHONPATH": f"{PROJECT}{os.pathsep}{path}" if path else str(PROJECT)},
            start_new_session=True,
        )


def _reason(keeper: subprocess.Popen[bytes]) -> str:
    """Why a keeper ended; empty when it left the work to another one."""
    if keeper.stdout is None or keeper.stdout.closed:
        return ""
    with keeper.stdout as output:
        said = output.read().decode(errors="replace").strip()
    if keeper.returncode == 0:
        return ""
    return said or f"The keeper of the service ended with code {keeper.returncode}."


def _watch() -> None:
    while not _let_go.wait(WATCH_SECONDS):
        for use in list(_held.values()):
            if use.keeper is not None and use.keeper.poll() is not None:
                use.keeper = None
            if use.keeper is None and not _kept(use):
                use.keeper = _start_keeper(use)


def _await_stop(use: Use, deadline: float) -> None:
    lock = use.layout.users_lock(use.service)
    while _kept(use) and time.monotonic() < deadline:
        if _shared_by_others(lock):
            return
        time.sleep(STOP_LOOK_SECONDS)
    if use.keeper is not None:
        use.keeper.poll()


def _kept(use: Use) -> bool:
    """Whether a keeper is at work."""
    return _is_locked(use.layout.keeper_lock(use.service))


def _shared_by_others(path: Path) -> bool:
    """Whether users hold the file; a keeper that stops holds it exclusively, which is not that."""
    with path.open("ab") as lock:
        return _taken(lock.fileno(), fcntl.LOCK_SH) and not _taken(lock.fileno(), fcntl.LOCK_EX)


def _is_locked(path: Path) -> bool:
    """Whether some process holds the file exclusively."""
    with path.open("ab") as lock:
        return not _taken(lock.fileno(), fcntl.LOCK_SH)


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
