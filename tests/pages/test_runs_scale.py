"""The time axis of a timeline: work to scale, long rests folded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.scale import GAP, LEAST, Scale, merged, seconds

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def test_work_alone_fills_the_axis_in_proportion() -> None:
    scale = Scale([(at(0), at(3)), (at(3), at(4))], at(0), at(4))
    assert [scale.at(at(second)) for second in (0, 3, 4)] == [0, 75, 100]


def test_a_wait_of_days_takes_no_more_room_than_one_of_minutes() -> None:
    for wait in (60, 86_400 * 3):
        scale = Scale([(at(0), at(5)), (at(5 + wait), at(10 + wait))], at(0), at(10 + wait))
        assert scale.at(at(5 + wait)) - scale.at(at(5)) == pytest.approx(GAP)
        assert scale.at(at(10 + wait)) == pytest.approx(100)


def test_a_short_rest_is_drawn_to_scale() -> None:
    scale = Scale([(at(0), at(5)), (at(6), at(10))], at(0), at(10))
    assert scale.at(at(6)) - scale.at(at(5)) == pytest.approx(10)


def test_many_waits_leave_room_for_work() -> None:
    work = [(at(number * 1000), at(number * 1000 + 1)) for number in range(50)]
    scale = Scale(work, at(0), at(50_000))
    widths = [scale.bar(span)[1] for span in work]
    assert min(widths) > LEAST
    assert sum(widths) > 50


@pytest.mark.parametrize("work", [[], [(at(2), at(2))]])
def test_nothing_done_yet_is_one_rest(work: list[tuple[datetime, datetime]]) -> None:
    scale = Scale(work, at(0), at(10))
    assert [scale.at(at(second)) for second in (0, 5, 10)] == [0, 50, 100]


def test_a_run_that_has_just_begun_has_an_axis() -> None:
    scale = Scale([], at(0), at(0))
    assert scale.bar((at(0), at(0))) == (0.0, LEAST)


def test_a_bar_is_never_too_narrow_to_be_seen_and_never_beyond_the_end() -> None:
    scale = Scale([(at(0), at(1000)), (at(1000), at(1000.001))], at(0), at(1000.001))
    x, width = scale.bar((at(1000), at(1000.001)))
    assert (width, x + width) == (LEAST, 100)
    x, width = scale.bar((at(5000), at(6000)))
    assert x + width == 100


def test_spans_that_overlap_are_counted_once() -> None:
    assert merged([(at(5), at(9)), (at(0), at(6)), (at(20), at(20))]) == [(at(0), at(9))]
    assert seconds(merged([(at(0), at(6)), (at(5), at(9))])) == 9
