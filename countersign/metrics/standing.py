"""Figures of how everything stands now: from tables, and of queues from Redis.

Each scrape costs a fixed number of statements, whose work grows with what is open and not with all that ever was:
what has ended is counted once a minute in each web process, and more rarely where that takes long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import Any, Final

import structlog
from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis, RedisError
from rq.utils import utcparse

from agents import figures as of_runs
from approvals import figures as of_requests
from audit.clock import database_now
from audit.services.cosigned import witnesses_state
from audit.services.sealing_state import sealing_state
from audit.services.streaming_state import streaming_state
from countersign.redis import connect

log = structlog.get_logger(__name__)

ENDED_SECONDS: Final = 60.0
#: Of a process's time, at most one part in so many is spent on counting what has ended.
ONE_PART_IN: Final = 50


class Lately:
    """What takes longer to count the more there ever was, as it was a while ago."""

    def __init__(
        self, count: Callable[[], dict[str, int]], clock: Callable[[], float] = monotonic
    ) -> None:
        self._count = count
        self._clock = clock
        self._due: float | None = None
        self._found: dict[str, int] = {}

    def __call__(self) -> dict[str, int]:
        began = self._clock()
        if self._due is None or began >= self._due:
            self._found = self._count()
            now = self._clock()
            self._due = now + max(ENDED_SECONDS, (now - began) * ONE_PART_IN)
        return self._found

    def forget(self) -> None:
        """Count anew the next time."""
        self._due = None


ended_runs: Final = Lately(lambda: of_runs.runs_by_state(ended=True))
decided_requests: Final = Lately(lambda: of_requests.requests_by_state(decided=True))


def gauge(
    name: str, meaning: str, values: Mapping[str, float], label: str = "state"
) -> GaugeMetricFamily:
    """A figure by one label."""
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


class Runs(Collector):
    """Where runs stand."""

    def collect(self) -> Iterator[Metric]:
        by_state = {**ended_runs(), **of_runs.runs_by_state(ended=False)}
        yield gauge("countersign_runs", "Runs by state.", by_state)
        ready = of_runs.ready_runs()
        yield GaugeMetricFamily(
            "countersign_ready_runs", "Runs that a worker may take now.", ready.runs
        )
        yield GaugeMetricFamily(
            "countersign_ready_oldest_seconds",
            "For how long the first of them has been ready.",
            ready.oldest_seconds,
        )
        yield gauge(
            "countersign_leases",
            "Runs at work, by whether their worker gave its sign of life in time.",
            of_runs.leases(),
        )
        yield GaugeMetricFamily(
            "countersign_paused_runs",
            "Open runs that a person has paused.",
            of_runs.paused_runs(),
        )
        yield GaugeMetricFamily(
            "countersign_effects_in_doubt",
            "Calls of which nobody knows whether they happened.",
            of_runs.effects_in_doubt(),
        )


class Requests(Collector):
    """What waits for people."""

    def collect(self) -> Iterator[Metric]:
        by_state = {**decided_requests(), **of_requests.requests_by_state(decided=False)}
        yield gauge("countersign_requests", "Approval requests by state.", by_state)
        counted = GaugeMetricFamily(
            "countersign_pending_requests",
            "Requests that wait, by risk and by the span that their age lies in.",
            labels=["risk", "age"],
        )
        oldest: dict[str, float] = {}
        for each in of_requests.pending():
            counted.add_metric([each.risk, each.age], each.requests)
            oldest[each.risk] = max(oldest.get(each.risk, 0.0), each.oldest_seconds)
        yield counted
        yield gauge(
            "countersign_pending_oldest_seconds",
            "For how long the first of them has waited, by risk.",
            oldest,
            "risk",
        )


class Audit(Collector):
    """How sealing stands, and who is sent the log and witnesses it."""

    def collect(self) -> Iterator[Metric]:
        state = sealing_state()
        for name, meaning, value in (
            ("sealed_events", "Events that have a place in the sealed audit log.", state.sealed),
            ("unsealed_events", "Events that wait for sealing.", state.waiting),
            ("seal_lag_seconds", "How long the oldest of them has waited.", state.lag_seconds),
            (
                "sealing_halted",
                "1 while sealing has halted until an operator looks.",
                int(bool(state.halted)),
            ),
        ):
            yield GaugeMetricFamily(f"countersign_audit_{name}", meaning, value)
        sinks = [sink for sink in streaming_state() if sink.sink is not None]
        yield from _named(
            "sink",
            sinks,
            behind_events=("Sealed events that wait for a sink.", lambda sink: sink.behind),
            failing_seconds=(
                "For how long a sink has not taken them.",
                lambda sink: sink.failing_seconds,
            ),
        )
        witnesses = [each for each in witnesses_state() if each.witness is not None]
        yield from _named(
            "witness",
            witnesses,
            behind_events=(
                "Signed events that a witness has not cosigned.",
                lambda witness: witness.behind,
            ),
            failing=(
                "1 while a witness does not cosign.",
                lambda witness: int(bool(witness.problem)),
            ),
        )


def _named(
    kind: str, those: list[Any], **figures: tuple[str, Callable[[Any], float]]
) -> Iterator[Metric]:
    for name, (meaning, read) in figures.items() if those else ():
        values = {each.name: read(each) for each in those}
        yield gauge(f"countersign_audit_{kind}_{name}", meaning, values, kind)


class Queues(Collector):
    """What lies in the queues; nothing but that Redis is away, while it is."""

    def collect(self) -> Iterator[Metric]:
        try:
            with connect(settings.COUNTERSIGN.redis_url) as redis:
                depths, ages = _queues(redis)
        except RedisError as error:
            log.warning("queues_not_counted", error=type(error).__name__)
            yield GaugeMetricFamily("countersign_redis_up", "Whether Redis answers.", 0)
            return
        yield GaugeMetricFamily("countersign_redis_up", "Whether Redis answers.", 1)
        yield gauge("countersign_queue_jobs", "Jobs that wait in a queue.", depths, "queue")
        yield gauge(
            "countersign_queue_oldest_seconds",
            "For how long the first of them has waited.",
            ages,
            "queue",
        )


def _queues(redis: Redis) -> tuple[dict[str, float], dict[str, float]]:
    names = list(settings.RQ_QUEUES)
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.llen(f"rq:queue:{name}")
            pipeline.lindex(f"rq:queue:{name}", 0)
        answers = pipeline.execute()
    depths = dict(zip(names, map(float, answers[::2]), strict=True))
    ages = dict.fromkeys(names, 0.0)
    for name, first in zip(names, answers[1::2], strict=True):
        asked: Any = redis.hget(f"rq:job:{first.decode()}", "enqueued_at") if first else None
        if asked:
            ages[name] = max(0.0, (database_now() - utcparse(asked.decode())).total_seconds())
    return depths, ages
