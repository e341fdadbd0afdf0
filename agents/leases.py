"""One thread per process that renews the leases of the runs the process works on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

import structlog
from django.conf import settings
from django.db import Error, close_old_connections, connection

from agents.services.claim import Lease, renew

log = structlog.get_logger(__name__)


@dataclass
class Held:
    """What is known of a lease here. Moments are those of the monotonic clock, which a stopped process
    does not stop."""

    certain_until: float
    ours: bool = True
    step_ends: float | None = None


class Renewer:
    """Renews held leases until they are dropped, or their step outlives its time; remembers lost ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Lease, Held] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def hold(self, lease: Lease, *, since: float) -> Iterator[None]:
        """Keep the lease alive while the block runs.

        `since` is a moment before it was claimed: a process may stand still right after the claim.
        """
        with self._lock:
            self._held[lease] = Held(_certain_until(since))
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

    @contextmanager
    def within(self, lease: Lease, seconds: float) -> Iterator[None]:
        """Renew the lease during the block for so long at most.

        A block that takes longer is not stopped: its lease runs out, and another worker takes over.
        """
        self._set_end(lease, monotonic() + seconds)
        try:
            yield
        finally:
            self._set_end(lease, None)

    def _set_end(self, lease: Lease, moment: float | None) -> None:
        with self._lock:
            held = self._held.get(lease)
            if held is not None:
                held.step_ends = moment

    def is_lost(self, lease: Lease) -> bool:
        """Whether the run belongs to somebody else: as a renewal found, or as is found out now, where
        too much time has gone by without one."""
        with self._lock:
            held = self._held.get(lease)
            if held is None:
                return False
            if not held.ours or monotonic() <= held.certain_until:
                return not held.ours
        return not self._renew_one(lease)

    def _renew_for_ever(self) -> None:
        while True:
            self._wake.wait(settings.COUNTERSIGN.lease_renewal_seconds)
            self.renew_due()

    def renew_due(self) -> None:
        """Renew every lease that is ours and whose step still has time."""
        now = monotonic()
        with self._lock:
            leases = [
                lease
                for lease, held in self._held.items()
                if held.ours and (held.step_ends is None or now <= held.step_ends)
            ]
        if not leases:
            return
        close_old_connections()
        for lease in leases:
            try:
                self._renew_one(lease)
            except Error as error:
                # The lease runs out by itself if the database stays away; the fence decides then.
                log.warning("lease_not_renewed", run=str(lease.run_id), error=type(error).__name__)
                connection.close()
                return

    def _renew_one(self, lease: Lease) -> bool:
        began = monotonic()
        ours = renew(lease)
        with self._lock:
            held = self._held.get(lease)
            if held is not None:
                held.ours = ours
                held.certain_until = _certain_until(began)
        return ours


def _certain_until(renewed: float) -> float:
    """Until when a lease renewed at that moment is ours for certain, with a renewal's time to spare."""
    config = settings.COUNTERSIGN
    return renewed + config.lease_seconds - config.lease_renewal_seconds


renewer = Renewer()
