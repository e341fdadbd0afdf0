"""A server that takes connections and never says a word, as one does that was cut off."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class SilentServer:
    """Listens on a free loopback port until `close`; `connections` counts who came."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        return len(self._held)

    def close(self) -> None:
        """End, and let everybody go."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        for each in self._held:
            each.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                self._held.append(self._listener.accept()[0])
