"""Sums of days and months are what a slow loop over all rows finds, whatever happened when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from audit.clock import database_now
from insights.models import Figure, PersonFigure
from insights.services.advance import advance
from insights.vocabulary import Measure
from tests.insights.direct import Direct
from tests.insights.history import History

WHERE = ("day", "slice__agent", "slice__version", "slice__tool", "measure", "key")
COUNTED = ("verdicts", "approved", "risky", "risky_approved", "fast", "timed", "active_seconds")


def direct() -> Direct:
    return Direct(now=database_now(), window=timedelta(hours=settings.COUNTERSIGN.success_hours))


def summed(span: str = "d") -> dict[Any, tuple[int, int]]:
    rows = Figure.objects.filter(span=span).values_list(*WHERE, "number", "total")
    return {tuple(key): (number, total) for *key, number, total in rows}


def people() -> dict[Any, dict[str, int]]:
    rows = PersonFigure.objects.values_list(*WHERE[:4], "person_id", *COUNTED)
    return {tuple(row[:5]): dict(zip(COUNTED, row[5:], strict=True)) for row in rows}


def whole(figures: dict[Any, tuple[int, int]]) -> dict[Any, tuple[int, int]]:
    """Days as months."""
    numbers: Counter[Any] = Counter()
    totals: Counter[Any] = Counter()
    for (day, *rest), (number, total) in figures.items():
        numbers[day.replace(day=1), *rest] += number
        totals[day.replace(day=1), *rest] += total
    return {key: (number, totals[key]) for key, number in numbers.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_every_sum_of_every_day_and_month_is_what_a_loop_over_all_rows_finds(
    history: Callable[[int], History], seed: int
) -> None:
    history(seed).write(220)
    assert advance() is False
    found = direct()
    assert summed() == found.figures
    assert seed == 1 or {measure for *_, measure, _ in summed()} == {m.value for m in Measure}
    assert people() == {
        key: {name: each[name] for name in COUNTED} for key, each in found.people.items()
    }
    this_month = database_now().date().replace(day=1)
    months = whole(found.figures)
    assert summed("m") == {key: sums for key, sums in months.items() if key[0] < this_month}
    assert summed("m")
