"""What a running product uses, looked at again and again: is it flat?"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from statistics import linear_regression
from time import monotonic
from typing import Any

import psutil
import psycopg
from redis import Redis

from countersign.config import Config

COUNTS = """
    SELECT (SELECT count(*) FROM audit_event),
           (SELECT count(*) FROM agents_run),
           (SELECT count(*) FROM approvals_approvalrequest WHERE state = 'pending'),
           (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
           pg_database_size(current_database())
"""
#: A process warms up before it is measured: caches fill, pools open, plans are made.
WARM_PART = 0.25


@dataclass(frozen=True)
class Sample:
    """One look. Bytes are of each process's own memory, by name; handles are open files and sockets."""

    seconds: float
    own_bytes: Mapping[str, int]
    handles: Mapping[str, int]
    threads: Mapping[str, int]
    events: int
    runs: int
    pending: int
    connections: int
    database_bytes: int
    redis_bytes: int
    redis_clients: int


class Watcher:
    """Looks every so many seconds, in a thread of its own, from `start` to `stop`."""

    def __init__(
        self,
        config: Config,
        pids: Mapping[str, int],
        every_seconds: float,
        keep: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.samples: list[Sample] = []
        self._owner = psycopg.connect(str(config.database_owner_url), autocommit=True)
        self._redis = Redis.from_url(str(config.redis_url))
        self._pids = pids
        self._every = every_seconds
        self._keep = keep
        self._ended = threading.Event()
        self._began = monotonic()
        self._thread = threading.Thread(target=self._watch, name="watcher")

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End it, with a last look."""
        self._ended.set()
        self._thread.join()
        self._look()
        self._owner.close()
        self._redis.close()

    def _watch(self) -> None:
        self._look()
        while not self._ended.wait(self._every):
            self._look()

    def _look(self) -> None:
        row = self._owner.execute(COUNTS).fetchone()
        assert row is not None
        events, runs, pending, connections, size = row
        own, handles, threads = self._processes()
        info: dict[str, Any] = self._redis.info()  # type: ignore[assignment]
        sample = Sample(
            seconds=round(monotonic() - self._began, 1),
            own_bytes=own,
            handles=handles,
            threads=threads,
            events=events,
            runs=runs,
            pending=pending,
            # Without its own.
            connections=connections - 1,
            database_bytes=size,
            redis_bytes=info["used_memory"],
            redis_clients=info["connected_clients"] - 1,
        )
        self.samples.append(sample)
        self._keep(asdict(sample))

    def _processes(self) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        own, handles, threads = {}, {}, {}
        for name, pid in self._pids.items():
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
            own[name] = handles[name] = threads[name] = 0
            for member in family:
                try:
                    own[name] += member.memory_full_info().uss
                    handles[name] += member.num_fds()
                    threads[name] += member.num_threads()
                except psutil.NoSuchProcess:
                    # PostgreSQL's, between the list and the look.
                    continue
        return own, handles, threads


def growth(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """By figure: how much it was when it was warm, at the end, and how much it grows an hour by the line that
    fits it best; and bytes of the database for each event and run that came."""
    warm = [one for one in samples if one.seconds >= samples[-1].seconds * WARM_PART]
    found: dict[str, dict[str, float]] = {}
    if len(warm) < 2:
        return found
    for name in warm[0].own_bytes:
        found[f"{name}, MB"] = _line(warm, [one.own_bytes[name] / 1e6 for one in warm])
        found[f"{name}, handles"] = _line(warm, [one.handles[name] for one in warm])
        found[f"{name}, threads"] = _line(warm, [one.threads[name] for one in warm])
    figures: dict[str, list[float]] = {
        "PostgreSQL connections": [one.connections for one in warm],
        "Redis clients": [one.redis_clients for one in warm],
        "Redis, MB": [one.redis_bytes / 1e6 for one in warm],
        "pending requests": [one.pending for one in warm],
        "database, MB": [one.database_bytes / 1e6 for one in warm],
        "events": [one.events for one in warm],
        "runs": [one.runs for one in warm],
    }
    for name, values in figures.items():
        found[name] = _line(warm, values)
    return found


def bytes_each(samples: Sequence[Sample]) -> dict[str, float]:
    """How much the database grew for each event and for each run between the first look and the last."""
    first, last = samples[0], samples[-1]
    grown = last.database_bytes - first.database_bytes
    return {
        "events": last.events - first.events,
        "runs": last.runs - first.runs,
        "bytes_per_event": round(grown / max(1, last.events - first.events)),
        "bytes_per_run": round(grown / max(1, last.runs - first.runs)),
    }


def _line(samples: Sequence[Sample], values: Sequence[float]) -> dict[str, float]:
    slope = linear_regression([one.seconds for one in samples], values).slope
    third = max(1, len(values) // 3)
    return {
        "first_third": round(sum(values[:third]) / third, 2),
        "last_third": round(sum(values[-third:]) / third, 2),
        "most": round(max(values), 2),
        "an_hour": round(slope * 3600, 2),
    }


def table(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The growths, a line each."""
    head = f"{'':28}{'first third':>13}{'last third':>13}{'most':>13}{'+ an hour':>13}"
    rows = (
        "".join(chain([f"{name:28}"], (f"{value:>13.2f}" for value in line.values())))
        for name, line in found.items()
    )
    return [head, *rows]
