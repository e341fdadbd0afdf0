"""One thread per process that renews the leases of the runs the process works on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from agents.services.claim import Lease, renew

log = structlog.get_logger(__name__)


class Renewer:
    """Renews held leases until they are dropped; remembers those that were lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Lease, bool] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def hold(self, lease: Lease) -> Iterator[None]:
        """Keep the lease alive while the block runs."""
        with self._lock:
            self._held[lease] = True
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._renew_for_ever, name="leases", daemon=True
                )
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(lease, None)

    def is_lost(self, lease: Lease) -> bool:
        """True once a renewal found that the run belongs to somebody else."""
        with self._lock:
            return self._held.get(lease) is False

    def _renew_for_ever(self) -> None:
        while True:
            self._wake.wait(settings.COUNTERSIGN.lease_renewal_seconds)
            with self._lock:
                leases = [lease for lease, ours in self._held.items() if ours]
            if leases:
                self._renew(leases)

    def _renew(self, leases: list[Lease]) -> None:
        close_old_connections()
        for lease in leases:
            try:
                ours = renew(lease)
            except DatabaseError as error:
                # The lease runs out by itself if the database stays away; the fence decides then.
                log.warning("lease_not_renewed", run=str(lease.run_id), error=type(error).__name__)
                connection.close()
                return
            if not ours:
                with self._lock:
                    if lease in self._held:
                        self._held[lease] = False


renewer = Renewer()
