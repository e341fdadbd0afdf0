"""Quorum: the matching against brute force."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.quorum import missing

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


@settings(max_examples=1_500)
@given(needs_lists, voter_maps, st.sets(st.integers(1, 4), max_size=1))
def test_matching_agrees_with_trying_everything(
    needs: list[tuple[int, int]], voters: dict[int, set[int]], stand_ins: set[int]
) -> None:
    places = [group for group, count in needs for _ in range(count)][:4]
    few = [(group, 1) for group in places]
    best = most_places_taken(places, voters, stand_ins)
    assert sum(missing(few, voters, stand_ins).values()) == len(places) - best


memberships = st.tuples(st.integers(1, 3), st.integers(1, 4))
lendings = st.dictionaries(st.integers(1, 4), st.lists(memberships, max_size=3), max_size=3)


def most_places_taken_with_lent(
    places: list[int],
    voters: dict[int, set[int]],
    lent: dict[int, list[tuple[int, int]]],
    stand_ins: set[int],
) -> int:
    """Try every membership of every person for every place; each person and each membership once."""
    ways = [
        (person, held)
        for person, groups in voters.items()
        for held in {*((group, person) for group in groups), *lent.get(person, ())}
    ]

    def most(left: list[int], people: set[int], used: set[tuple[int, int]]) -> int:
        if not left:
            return 0
        best = most(left[1:], people, used)
        for person, held in ways:
            fits = held[0] == left[0] or held[0] in stand_ins
            if fits and person not in people and held not in used:
                best = max(best, 1 + most(left[1:], people | {person}, used | {held}))
        return best

    return most(places, set(), set())


@settings(max_examples=1_500)
@given(needs_lists, voter_maps, lendings, st.sets(st.integers(1, 4), max_size=1))
def test_matching_with_lent_memberships_agrees_with_trying_everything(
    needs: list[tuple[int, int]],
    voters: dict[int, set[int]],
    lent: dict[int, list[tuple[int, int]]],
    stand_ins: set[int],
) -> None:
    places = [group for group, count in needs for _ in range(count)][:3]
    few = [(group, 1) for group in places]
    best = most_places_taken_with_lent(places, voters, lent, stand_ins)
    assert sum(missing(few, voters, stand_ins, lent).values()) == len(places) - best


def test_a_person_in_two_groups_counts_once() -> None:
    assert missing([(1, 1), (2, 1)], {7: {1, 2}}) in ({1: 1}, {2: 1})


def test_overlap_is_resolved_in_favour_of_the_people_who_voted() -> None:
    assert not missing([(1, 1), (2, 1)], {7: {1, 2}, 8: {1}})
    assert not missing([(1, 1), (2, 1)], {8: {1}, 7: {1, 2}})


def test_a_stand_in_takes_any_place() -> None:
    assert not missing([(1, 2)], {7: {1}, 8: {9}}, [9])
    assert missing([(1, 2)], {7: {1}, 8: {9}})


def test_nobody_needed_is_met() -> None:
    assert not missing([], {})
