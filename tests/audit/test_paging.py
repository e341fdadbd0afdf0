"""Keyset paging over events and exports."""

import base64
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Event, Export
from audit.paging import BadCursor, BadLimit, page
from tests.audit.conftest import Record

pytestmark = pytest.mark.django_db
NEWEST = Event.NEWEST_FIRST


def cursor_of(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def all_pages(limit: int) -> list[list[Event]]:
    pages, cursor = [], None
    while True:
        shown = page(Event.objects.all(), order=NEWEST, cursor=cursor, limit=limit)
        pages.append(shown.items)
        cursor = shown.next_cursor
        if cursor is None:
            return pages


@pytest.mark.parametrize(("limit", "sizes"), [(3, [3, 3, 1]), (7, [7]), (6, [6, 1]), (200, [7])])
def test_pages_hold_every_row_once_in_order(recorded: Record, limit: int, sizes: list[int]) -> None:
    events = [recorded() for _ in range(7)]
    pages = all_pages(limit)
    assert [len(items) for items in pages] == sizes
    assert [event for items in pages for event in items] == events[::-1]


def test_an_empty_list_is_one_empty_page() -> None:
    assert all_pages(5) == [[]]


def test_rows_that_arrive_meanwhile_do_not_shift_the_next_page(recorded: Record) -> None:
    events = [recorded() for _ in range(4)]
    first = page(Event.objects.all(), order=NEWEST, cursor=None, limit=2)
    recorded()
    second = page(Event.objects.all(), order=NEWEST, cursor=first.next_cursor, limit=2)
    assert second.items == [events[1], events[0]]


def test_rows_of_the_same_moment_are_not_lost_between_pages() -> None:
    now = timezone.now()
    exports = [
        Export.objects.create(asked_by="7", format="csv", until=now, created_at=moment)
        for moment in (now - timedelta(1), now, now, now)
    ]
    seen, cursor = [], None
    for _ in range(4):
        shown = page(Export.objects.all(), cursor=cursor, limit=1)
        seen += shown.items
        cursor = shown.next_cursor
    assert sorted(seen, key=str) == sorted(exports, key=str)
    assert cursor is None


def test_mixed_directions_page_too(recorded: Record) -> None:
    for stream in ("log", "policy", "log", "policy"):
        recorded(stream=stream)
    order = ("stream", "-seq")
    first = page(Event.objects.all(), order=order, cursor=None, limit=3)
    second = page(Event.objects.all(), order=order, cursor=first.next_cursor, limit=3)
    places = [(event.stream, event.seq) for event in [*first.items, *second.items]]
    assert places == [("log", 2), ("log", 1), ("policy", 2), ("policy", 1)]


def test_rows_that_agree_in_all_but_the_last_column_are_told_apart(recorded: Record) -> None:
    for kind in ("request.claimed", "signout"):
        for stream in ("log", "policy", "policy"):
            recorded(type=kind, stream=stream)
    seen, cursor = [], None
    for _ in range(6):
        shown = page(Event.objects.all(), order=("type", "stream", "-seq"), cursor=cursor, limit=1)
        seen += [(event.type, event.stream, event.seq) for event in shown.items]
        cursor = shown.next_cursor
    assert seen == [
        ("request.claimed", "log", 1),
        ("request.claimed", "policy", 2),
        ("request.claimed", "policy", 1),
        ("signout", "log", 2),
        ("signout", "policy", 4),
        ("signout", "policy", 3),
    ]
    assert cursor is None


@pytest.mark.parametrize(
    "cursor",
    [
        "?",
        "a",
        "=",
        "bm90IGpzb24",
        cursor_of(),
        cursor_of("2026-11-20T10:00:00+00:00"),
        cursor_of("yesterday", "01a1fae6-52ea-7d20-9c84-529a0f2dd01c"),
        cursor_of("2026-11-20T10:00:00", "01a1fae6-52ea-7d20-9c84-529a0f2dd01c"),
        cursor_of("2026-11-20T10:00:00+00:00", "7"),
        cursor_of(None, None),
        cursor_of(["2026"], {"id": 1}),
        cursor_of("2026-11-20T10:00:00+00:00", "01a1fae6-52ea-7d20-9c84-529a0f2dd01c", 1),
        "é",
    ],
)
@pytest.mark.filterwarnings("ignore:DateTimeField")
def test_a_cursor_that_was_never_given_out_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        page(Event.objects.all(), order=NEWEST, cursor=cursor, limit=5)


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_page_size_out_of_bounds_is_refused(limit: int) -> None:
    with pytest.raises(BadLimit):
        page(Event.objects.all(), order=NEWEST, cursor=None, limit=limit)
