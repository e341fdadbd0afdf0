"""Whether the votes given meet what is needed: a matching, in which a person counts once. Pure.

A greedy count goes wrong with overlapping groups: where one of Finance and one of Support are
needed, and somebody in both and somebody in Finance only have voted, it depends on whom it takes
first. Kuhn's augmenting paths (1955) find an assignment whenever there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def missing(
    needs: Sequence[tuple[int, int]],
    voters: Mapping[int, Collection[int]],
    stand_ins: Collection[int] = (),
) -> dict[int, int]:
    """How many of which group are still needed, by group id; empty when all is met.

    `needs` are pairs of group id and number of people; `voters` maps each person who approved to
    the groups they are in. Members of `stand_ins` may take any place.
    """
    places = [group for group, count in needs for _ in range(count)]
    taken: dict[int, int] = {}

    def fits(person: int, place: int) -> bool:
        groups = voters[person]
        return places[place] in groups or any(group in groups for group in stand_ins)

    def seat(person: int, tried: set[int]) -> bool:
        for place in range(len(places)):
            if place in tried or not fits(person, place):
                continue
            tried.add(place)
            if place not in taken or seat(taken[place], tried):
                taken[place] = person
                return True
        return False

    for person in sorted(voters):
        seat(person, set())
    left: dict[int, int] = {}
    for place, group in enumerate(places):
        if place not in taken:
            left[group] = left.get(group, 0) + 1
    return left


def is_met(
    needs: Sequence[tuple[int, int]],
    voters: Mapping[int, Collection[int]],
    stand_ins: Collection[int] = (),
) -> bool:
    """Whether every place is taken by a different person."""
    return not missing(needs, voters, stand_ins)
