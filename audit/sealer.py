"""The sealer's turn in the scheduler: a thread of its own, so that no slow sweep makes events wait."""

import threading
from typing import Final, Self

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from audit.services.seal import seal

_STOP_SECONDS: Final = 10
log = structlog.get_logger(__name__)


class Sealer:
    """Seals every COUNTERSIGN_SEALING_SECONDS until it is told to stop. A context manager."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            seal_once()
            self._stopping.wait(settings.COUNTERSIGN.sealing_seconds)
        connections.close_all()


def seal_once() -> None:
    """One pass. An error is logged: the next pass tries again."""
    close_old_connections()
    try:
        seal()
    except DatabaseError as error:
        log.warning("sealing_failed", error=type(error).__name__, exc_info=True)
    except Exception:
        # Whatever it is, events go on being written and the next pass looks again.
        log.exception("sealing_failed")
    finally:
        close_old_connections()
