"""The scheduler's turn with everybody outside: a thread for each sink and each witness, so that a slow one keeps
nobody else waiting."""

import threading
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final, Self

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from audit.services.ask_witness import ask_witness
from audit.services.stream_out import stream_out

_STOP_SECONDS: Final = 5
log = structlog.get_logger(__name__)

Turn = Callable[[], bool]
"""One try; whether another may follow at once."""


class Streamer:
    """Sends to every sink, and asks every witness, of the settings until it is told to stop. A context manager."""

    def __init__(self) -> None:
        config = settings.COUNTERSIGN
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(turn, pause), name=name, daemon=True)
            for turns, pause in (
                (sending(), config.audit_sink_seconds),
                (asking(), config.witness_seconds),
            )
            for name, turn in turns.items()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        ends = monotonic() + _STOP_SECONDS
        for thread in self._threads:
            # Whoever is still at it dies with the process: what was not noted as sent is sent again.
            thread.join(max(0.0, ends - monotonic()))

    def _run(self, turn: Turn, pause: float) -> None:
        while not self._stopping.is_set():
            if not turn():
                self._stopping.wait(pause)
        connections.close_all()


def sending() -> dict[str, Turn]:
    """A turn for each sink."""
    sinks = settings.COUNTERSIGN.audit_sinks
    return {
        f"sink {name}": partial(_once, partial(stream_out, name, sink), name)
        for name, sink in sinks.items()
    }


def asking() -> dict[str, Turn]:
    """A turn for each witness."""
    witnesses = settings.COUNTERSIGN.witnesses
    return {
        f"witness {name}": partial(_once, partial(ask_witness, name, witness), name)
        for name, witness in witnesses.items()
    }


def send_all() -> None:
    """Send every sink what waits for it, as far as it takes it, and ask every witness, one after the other."""
    for turn in (*sending().values(), *asking().values()):
        while turn():
            pass


def _once(turn: Turn, name: str) -> bool:
    """One turn. An error is logged: the next one tries again."""
    close_old_connections()
    try:
        return turn()
    except DatabaseError as error:
        log.warning("streaming_failed", to=name, error=type(error).__name__, exc_info=True)
    except Exception:
        # Whatever it is, nothing was noted as sent and the next turn looks again.
        log.exception("streaming_failed", to=name)
    finally:
        close_old_connections()
    return False
