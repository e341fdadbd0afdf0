"""Queries that are made once give what Django's own give, whatever they are asked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import models, transaction

from audit.actors import Actor
from audit.models import Event
from audit.prepared import Prepared
from audit.recorder import record

AFTER = Prepared(
    lambda stream, seq: Event.objects.filter(stream=stream, seq__gt=seq).order_by("seq"), "", 9_999
)
AT = Prepared(lambda seq, other: Event.objects.filter(seq__in=[seq, other]).order_by("pk"), 1, 2)
SINCE = Prepared(
    lambda at: Event.objects.filter(inserted_at__gte=at).order_by("pk"),
    datetime(2000, 1, 1, tzinfo=UTC),
)


@pytest.fixture
def streams(db: None) -> None:
    """Two streams with five events each."""
    with transaction.atomic():
        for stream in ("agent:a", "agent:b"):
            for _ in range(5):
                record(type="price.set", actor=Actor.system("test"), stream=stream, facts=FACTS)


FACTS = {
    "model": "m",
    "input_micros": 1,
    "cached_micros": 1,
    "output_micros": 1,
    "holds_from": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("seq", [0, 1, 2, 4, 5, 9_999])
def test_whole_numbers_find_their_place_whatever_their_column_makes_of_them(
    streams: None, seq: int
) -> None:
    for stream in ("agent:a", "agent:b"):
        asked = Event.objects.filter(stream=stream, seq__gt=seq).order_by("seq")
        assert AFTER(stream, seq) == list(asked)


def test_two_numbers_are_told_apart(streams: None) -> None:
    assert {event.seq for event in AT(3, 5)} == {3, 5}
    assert {event.seq for event in AT(2, 1)} == {1, 2}


def test_moments_find_their_place(streams: None) -> None:
    newest = Event.objects.aggregate(at=models.Max("inserted_at"))["at"]
    assert SINCE(newest) == list(Event.objects.filter(inserted_at__gte=newest).order_by("pk"))
    assert len(SINCE(datetime(2001, 1, 1, tzinfo=UTC))) == Event.objects.count()


def test_what_is_the_same_each_time_stands_in_the_statement_whatever_it_holds(
    streams: None,
) -> None:
    odd = "50 % of 'agent:a' \\ %s {}"
    said = models.Value(odd, models.TextField())
    asked = Prepared(lambda seq: Event.objects.filter(seq__gte=seq).annotate(said=said), 9_999)
    assert {event.said for event in asked(5)} == {odd}  # type: ignore[attr-defined]
    assert asked(6) == []
    # PostgreSQL plans once for all only where it sees what is not a parameter.
    assert asked._plan.sql.count("%(g0)s") == 1
    assert "50 %% of ''agent:a''" in asked._plan.sql
