"""Which steps of two runs stand for each other: every step once, in order, alike where they are paired."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agents.alignment import align

Key = tuple[str, str]
KEYS = st.tuples(st.sampled_from("mts"), st.sampled_from("ab"))
RUNS = st.lists(KEYS, max_size=30)


def kind(key: Key) -> str:
    return key[0]


def aligned(one: Sequence[Key], other: Sequence[Key]) -> list[tuple[int | None, int | None]]:
    return align(one, other, loosely=kind)


@given(RUNS, RUNS)
def test_every_step_of_both_stands_in_exactly_one_pair_in_order(
    one: list[Key], other: list[Key]
) -> None:
    pairs = aligned(one, other)
    assert [mine for mine, _ in pairs if mine is not None] == list(range(len(one)))
    assert [theirs for _, theirs in pairs if theirs is not None] == list(range(len(other)))
    assert (None, None) not in pairs


@given(RUNS, RUNS)
def test_steps_are_paired_with_steps_of_their_own_kind_only(
    one: list[Key], other: list[Key]
) -> None:
    for mine, theirs in aligned(one, other):
        if mine is not None and theirs is not None:
            assert kind(one[mine]) == kind(other[theirs])


@given(RUNS)
def test_a_run_beside_itself_is_paired_step_by_step(run: list[Key]) -> None:
    assert aligned(run, run) == [(place, place) for place in range(len(run))]


@given(RUNS, RUNS, RUNS)
def test_what_begins_alike_is_paired(begins: list[Key], one: list[Key], other: list[Key]) -> None:
    pairs = aligned([*begins, *one], [*begins, *other])
    assert pairs[: len(begins)] == [(place, place) for place in range(len(begins))]


@given(RUNS, RUNS, RUNS)
def test_what_ends_alike_is_paired_where_nothing_begins_alike(
    one: list[Key], other: list[Key], ends: list[Key]
) -> None:
    one, other = [("m", "mine"), *one], [("t", "theirs"), *other]
    pairs = aligned([*one, *ends], [*other, *ends])
    alike = [(len(one) + back, len(other) + back) for back in range(len(ends))]
    assert pairs[len(pairs) - len(ends) :] == alike


def test_a_step_more_leaves_the_others_paired_and_another_tool_stands_beside_the_first() -> None:
    one = [("m", "a"), ("t", "read"), ("m", "a"), ("t", "pay"), ("m", "a")]
    other = [("m", "a"), ("t", "read"), ("t", "read"), ("m", "a"), ("t", "mail"), ("m", "a")]
    pairs = aligned(one, other)
    assert pairs.count((3, 4)) == 1
    assert [pair for pair in pairs if None in pair] in ([(None, 1)], [(None, 2)])
