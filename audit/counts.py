"""What happens, counted for operators: by each process in memory, and every few seconds added to sums in Redis.

So the processes add up, on whatever machine they work, and one of them can tell the sums of all. They are made for
looking and for alarms: a process that is killed takes its last seconds along, and a Redis that forgets begins at
nought, which programs that read counters expect. What must be exact is counted from tables, and proved by the log.

Labels are words of programs, such as a tool's or a model's name; never a person, never content.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from typing import Any, Final
from uuid import uuid4

import orjson
import structlog
from redis import Redis, RedisError

from audit.told import client

log = structlog.get_logger(__name__)

SUMS: Final = "countersign:counts"
PROCESSES: Final = "countersign:process"
SEND_SECONDS: Final = 2.0
#: After which a process that says nothing any more is counted no more.
GONE_SECONDS: Final = 15
#: Of one figure in one process; whatever comes after these is counted as `OTHER`.
MOST_LABELS: Final = 200
OTHER: Final = "other"

SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Counted:
    """A figure that only grows. Its name ends with `_total`."""

    name: str
    meaning: str
    labels: Labels = ()

    def add(self, *labels: str, by: float = 1) -> None:
        """It happened, or happened so much, under these labels in their order."""
        _ledger.add(self.name, labels, "", by)


@dataclass(frozen=True)
class Measured:
    """How much each of many took: how many took up to each of `bounds`, and all of them together."""

    name: str
    meaning: str
    labels: Labels = ()
    bounds: tuple[float, ...] = SECONDS

    def add(self, *labels: str, took: float) -> None:
        """One more, under these labels in their order."""
        place = bisect_left(self.bounds, took)
        bound = self.bounds[place] if place < len(self.bounds) else inf
        _ledger.add(self.name, labels, f"{bound:g}", 1)
        _ledger.add(self.name, labels, "sum", took)


@dataclass(frozen=True)
class Standing:
    """What a process has now, such as open sockets: asked of it every few seconds, and summed over all."""

    name: str
    meaning: str

    def asked(self, ask: Callable[[], float]) -> None:
        """Ask this, from now on, in this process."""
        _ledger.watch(self.name, ask)


@dataclass(frozen=True)
class Buckets:
    """A measured figure under one set of labels: how many took up to each bound, and the sum of all."""

    up_to: list[tuple[str, float]]
    sum: float


@dataclass
class Sums:
    """What all processes counted until now: by name, then by labels."""

    counted: dict[str, dict[Labels, float]] = field(default_factory=dict)
    parts: dict[str, dict[Labels, dict[str, float]]] = field(default_factory=dict)
    standing: dict[str, float] = field(default_factory=dict)

    def buckets(self, measured: Measured) -> Iterator[tuple[Labels, Buckets]]:
        """The figure under each of its labels."""
        for labels, parts in sorted(self.parts.get(measured.name, {}).items()):
            names = [*(f"{bound:g}" for bound in measured.bounds), f"{inf:g}"]
            sums = accumulate(parts.get(name, 0.0) for name in names)
            yield labels, Buckets(list(zip(names, sums, strict=True)), parts.get("sum", 0.0))


class _Ledger:
    """What this process has counted and not sent yet; one thread of it sends. Never carried over a fork."""

    def __init__(self) -> None:
        self.life = uuid4().hex
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Labels, str], float] = {}
        self._known: dict[str, set[Labels]] = {}
        self._asks: dict[str, Callable[[], float]] = {}
        self._sender: threading.Thread | None = None
        self._wake = threading.Event()

    def add(self, name: str, labels: Labels, part: str, by: float) -> None:
        with self._lock:
            known = self._known.setdefault(name, set())
            if labels not in known:
                if len(known) >= MOST_LABELS:
                    labels = (OTHER,) * len(labels)
                known.add(labels)
            key = (name, labels, part)
            self._counts[key] = self._counts.get(key, 0) + by
        if self._sender is None:
            self._start()
        if not self._wake.is_set():
            self._wake.set()

    def watch(self, name: str, ask: Callable[[], float]) -> None:
        with self._lock:
            self._asks[name] = ask
        self._start()
        self._wake.set()

    def send(self) -> bool:
        """Add what was counted to the sums; what Redis does not take is kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, {}
            asks = dict(self._asks)
        try:
            with client().pipeline(transaction=False) as pipeline:
                for key, by in counts.items():
                    pipeline.hincrbyfloat(SUMS, orjson.dumps(key).decode(), by)
                if asks:
                    told = orjson.dumps({name: ask() for name, ask in asks.items()})
                    pipeline.set(f"{PROCESSES}:{self.life}", told, ex=GONE_SECONDS)
                pipeline.execute()
        except (RedisError, OSError) as error:
            log.debug("counts_kept", error=type(error).__name__)
            with self._lock:
                for key, by in counts.items():
                    self._counts[key] = self._counts.get(key, 0) + by
            return False
        return True

    def _start(self) -> None:
        with self._lock:
            if self._sender is None:
                self._sender = threading.Thread(
                    target=self._send_for_ever, name="counts", daemon=True
                )
                self._sender.start()

    def _send_for_ever(self) -> None:
        pause = threading.Event()
        while True:
            if not self._asks:
                self._wake.wait()
            pause.wait(SEND_SECONDS)
            self._wake.clear()
            try:
                self.send()
            # Whatever is wrong with one figure, the others go on.
            except Exception:
                log.exception("counts_not_sent")


_ledger = _Ledger()


def _forget() -> None:
    """What the parent counted is the parent's to send."""
    global _ledger  # noqa: PLW0603 - there is one for each process
    _ledger = _Ledger()


os.register_at_fork(after_in_child=_forget)


def send_counts() -> bool:
    """Send what this process has counted, now; whether Redis took it."""
    return _ledger.send()


def sums(redis: Redis) -> Sums:
    """What all processes counted until now, and what those that live have. Raises RedisError."""
    found = Sums()
    raw: Mapping[bytes, bytes] = redis.hgetall(SUMS)  # type: ignore[assignment]
    for key, value in raw.items():
        name, labels, part = orjson.loads(key)
        under = tuple(labels)
        if part:
            found.parts.setdefault(name, {}).setdefault(under, {})[part] = float(value)
        else:
            found.counted.setdefault(name, {})[under] = float(value)
    keys = list(redis.scan_iter(match=f"{PROCESSES}:*", count=1000))
    for told in redis.mget(keys) if keys else ():  # type: ignore[union-attr]
        having: dict[str, Any] = orjson.loads(told) if told else {}
        for name, value in having.items():
            found.standing[name] = found.standing.get(name, 0) + float(value)
    return found
