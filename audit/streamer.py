"""The senders' turn in the scheduler: a thread for each sink, so that a slow receiver keeps nobody else waiting."""

import threading
from typing import Final, Self

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from audit.services.stream_out import stream_out
from audit.streaming.sinks import Sink

_STOP_SECONDS: Final = 10
log = structlog.get_logger(__name__)


class Streamer:
    """Sends to every sink of the settings until it is told to stop. A context manager; no thread without a sink."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._run, args=(name, sink), name=f"streamer {name}", daemon=True
            )
            for name, sink in settings.COUNTERSIGN.audit_sinks.items()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    def _run(self, name: str, sink: Sink) -> None:
        while not self._stopping.is_set():
            if not send_once(name, sink):
                self._stopping.wait(settings.COUNTERSIGN.audit_sink_seconds)
        connections.close_all()


def send_all() -> None:
    """Send every sink what waits for it, as far as it takes it, one sink after the other."""
    for name, sink in settings.COUNTERSIGN.audit_sinks.items():
        while send_once(name, sink):
            pass


def send_once(name: str, sink: Sink) -> bool:
    """One batch; whether another may follow at once. An error is logged: the next turn tries again."""
    close_old_connections()
    try:
        return stream_out(name, sink)
    except DatabaseError as error:
        log.warning("streaming_failed", sink=name, error=type(error).__name__, exc_info=True)
    except Exception:
        # Whatever it is, the cursor stands where it stood and the next turn looks again.
        log.exception("streaming_failed", sink=name)
    finally:
        close_old_connections()
    return False
