"""Quorum: the matching against brute force."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.quorum import is_met, missing

needs_lists = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 2)), max_size=3)
voter_maps = st.dictionaries(st.integers(1, 5), st.sets(st.integers(1, 4)), max_size=5)


def most_places_taken(places: list[int], voters: dict[int, set[int]], stand_ins: set[int]) -> int:
    """Try every way to seat the people, empty places included."""
    best = 0
    people: list[int | None] = [*voters, *([None] * len(places))]
    for seating in set(permutations(people, len(places))):
        taken = sum(
            1
            for place, person in zip(places, seating, strict=True)
            if person is not None and (place in voters[person] or voters[person] & stand_ins)
        )
        best = max(best, taken)
    return best


@settings(max_examples=400)
@given(needs_lists, voter_maps, st.sets(st.integers(1, 4), max_size=1))
def test_matching_agrees_with_trying_everything(
    needs: list[tuple[int, int]], voters: dict[int, set[int]], stand_ins: set[int]
) -> None:
    places = [group for group, count in needs for _ in range(count)][:4]
    few = [(group, 1) for group in places]
    best = most_places_taken(places, voters, stand_ins)
    assert sum(missing(few, voters, stand_ins).values()) == len(places) - best
    assert is_met(few, voters, stand_ins) == (best == len(places))


def test_a_person_in_two_groups_counts_once() -> None:
    assert missing([(1, 1), (2, 1)], {7: {1, 2}}) in ({1: 1}, {2: 1})


def test_overlap_is_resolved_in_favour_of_the_people_who_voted() -> None:
    assert is_met([(1, 1), (2, 1)], {7: {1, 2}, 8: {1}})
    assert is_met([(1, 1), (2, 1)], {8: {1}, 7: {1, 2}})


def test_a_stand_in_takes_any_place() -> None:
    assert is_met([(1, 2)], {7: {1}, 8: {9}}, [9])
    assert not is_met([(1, 2)], {7: {1}, 8: {9}})


def test_nobody_needed_is_met() -> None:
    assert is_met([], {})
