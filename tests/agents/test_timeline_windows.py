"""Which steps of a long run stand on a page: every one of them in exactly one window or gap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agents.windows import SIZE, TAIL, blocks, numbers_shown, stretches, window_of

LENGTHS = st.integers(0, 12_345)


@given(LENGTHS, st.one_of(st.none(), st.integers(1, 20_000)), st.booleans())
def test_every_step_stands_in_exactly_one_stretch_in_order(
    newest: int, at: int | None, tail: bool
) -> None:
    parts = list(stretches(newest, numbers_shown(newest, at, tail=tail)))
    steps = [seq for part in parts for seq in range(part.first, part.last + 1)]
    assert steps == list(range(1, newest + 1))
    shown = {seq for first, last in blocks(parts) for seq in range(first, last + 1)}
    assert shown == {s for p in parts if p.shown for s in range(p.first, p.last + 1)}


@given(LENGTHS, st.integers(1, 20_000))
def test_a_page_holds_the_newest_steps_the_one_that_is_asked_for_and_no_more_than_four_windows(
    newest: int, at: int
) -> None:
    shown = numbers_shown(newest, at)
    assert len(shown) <= TAIL + 2
    assert {1, window_of(newest), min(window_of(at), window_of(newest))} <= shown
    assert numbers_shown(newest, tail=True) <= shown


@given(st.integers(1, 20_000))
def test_a_window_begins_where_it_began_however_long_the_run_becomes(seq: int) -> None:
    number = window_of(seq)
    assert (number - 1) * SIZE < seq <= number * SIZE
