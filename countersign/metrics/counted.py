"""Figures that processes count as things happen, summed over all of them (`audit.counts`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import structlog
from django.conf import settings
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from redis import RedisError

from accounts.hints import HINTS_LOST, HINTS_SENT
from agents import counted as of_agents
from approvals import counted as of_people
from audit.counts import Counted, Measured, Standing, Sums, send_counts, sums
from countersign.redis import connect

log = structlog.get_logger(__name__)

ALL: Final[tuple[Counted | Measured | Standing, ...]] = (
    *of_agents.ALL,
    *of_people.ALL,
    HINTS_SENT,
    HINTS_LOST,
)


class Counts(Collector):
    """All of them, as far as Redis knows them; those of this process up to now."""

    def collect(self) -> Iterator[Metric]:
        send_counts()
        try:
            with connect(settings.COUNTERSIGN.redis_url) as redis:
                found = sums(redis)
        except RedisError as error:
            log.warning("counts_not_read", error=type(error).__name__)
            return
        for each in ALL:
            yield _family(each, found)


def _family(each: Counted | Measured | Standing, found: Sums) -> Metric:
    if isinstance(each, Standing):
        return GaugeMetricFamily(each.name, each.meaning, found.standing.get(each.name, 0))
    if isinstance(each, Measured):
        histogram = HistogramMetricFamily(each.name, each.meaning, labels=each.labels)
        for labels, buckets in found.buckets(each):
            up_to = [(_bound(bound), number) for bound, number in buckets.up_to]
            histogram.add_metric(labels, up_to, buckets.sum)
        return histogram
    counter = CounterMetricFamily(
        each.name.removesuffix("_total"), each.meaning, labels=each.labels
    )
    under = found.counted.get(each.name, {} if each.labels else {(): 0.0})
    for labels, number in sorted(under.items()):
        counter.add_metric(labels, number)
    return counter


def _bound(name: str) -> str:
    return "+Inf" if name == "inf" else name
