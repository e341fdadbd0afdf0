"""The process that owns one embedded server: starts it, starts it again, stops it with its last user.

Run as `python -m countersign.embedded.keeper postgres|redis DATA_DIR`, detached from whoever
needed it first. On standard output it says at most one sentence: why the server cannot be had.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO, Protocol

from countersign.embedded.errors import EmbeddedError
from countersign.embedded.layout import Layout
from countersign.embedded.postgres import Postgres
from countersign.embedded.redis import RedisServer
from countersign.embedded.secrets import ensure_secrets

LOOK_SECONDS = 0.1
TAKE_OVER_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 5.0


class Server(Protocol):
    """What the keeper needs of a server."""

    def start(self) -> None: ...
    def alive(self) -> bool: ...
    def stop(self) -> None: ...


def main(arguments: list[str]) -> int:
    """Keep one server; return 0 also when somebody else keeps it already."""
    service, data_dir = arguments
    layout = Layout(Path(data_dir))
    layout.prepare()
    stopping = _listen_for_end()
    with (
        layout.keeper_lock(service).open("ab") as mine,
        layout.users_lock(service).open("ab") as users,
    ):
        if not _become_keeper(mine):
            return 0
        try:
            server = _server(service, layout)
            server.start()
        except EmbeddedError as error:
            sys.stdout.write(str(error))
            return 1
        _say(f"{service} runs in {layout.data_dir}")
        _keep(service, server, users, stopping)
        server.stop()
        _say(f"{service} stopped")
        # Without the interpreter's own tidying, which takes a moment and begins with these files: the
        # locks fall with the process, so that who waits for them finds it gone.
        os._exit(0)


def _keep(service: str, server: Server, users: IO[bytes], stopping: list[int]) -> None:
    pause = LOOK_SECONDS
    while not stopping and not _unused(users):
        if server.alive():
            time.sleep(LOOK_SECONDS)
            continue
        _say(f"{service} ended by itself; starting it again")
        try:
            server.start()
            pause = LOOK_SECONDS
        except EmbeddedError as error:
            _say(str(error))
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _server(service: str, layout: Layout) -> Server:
    if service == "postgres":
        return Postgres(layout, ensure_secrets(layout))
    return RedisServer(layout)


def _become_keeper(lock: IO[bytes]) -> bool:
    # Users look whether the lock is taken by taking it shared for a moment: try more than once.
    deadline = time.monotonic() + TAKE_OVER_SECONDS
    while time.monotonic() < deadline:
        if _taken(lock):
            return True
        time.sleep(0.02)
    return False


def _unused(users: IO[bytes]) -> bool:
    """Whether nobody holds the users' lock. If so it is held from here on, and newcomers wait."""
    return _taken(users)


def _taken(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listen_for_end() -> list[int]:
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, note)
    return received


def _say(sentence: str) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    sys.stderr.write(f"{now} [{os.getpid()}] {sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
