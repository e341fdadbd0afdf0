"""Whether the votes given meet what is needed: a matching, in which a person counts once. Pure.

A greedy count goes wrong with overlapping groups: where one of Finance and one of Support are
needed, and somebody in both and somebody in Finance only have voted, it depends on whom it takes
first. Augmenting paths (Kuhn 1955; Ford and Fulkerson 1956) find an assignment whenever there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

Membership = tuple[int, int]
"""A group, and the person whose membership of it this is."""

Held = tuple[int, int | None]
"""A group that a person counts as a member of, and for whom they stand in there; None: in their own right."""

_Node = tuple[str, int, int]
_SOURCE: _Node = ("source", 0, 0)
_SINK: _Node = ("sink", 0, 0)


def missing(
    needs: Sequence[tuple[int, int]],
    voters: Mapping[int, Collection[int]],
    stand_ins: Collection[int] = (),
    lent: Mapping[int, Collection[Membership]] = MappingProxyType({}),
) -> dict[int, int]:
    """How many of which group are still needed, by group id; empty when all is met.

    `needs` are pairs of group id and number of people; `voters` maps each person who approved to
    the groups they are in. Members of `stand_ins` may take any place. `lent` maps a person to the
    memberships of those for whom they stand in: each membership fills one place only, whether its
    owner uses it or who stands in.
    """
    places = [group for group, count in needs for _ in range(count)]
    onward = _ways(places, voters, stand_ins, lent)
    while _one_more(onward, _SOURCE, set()):
        pass
    left: dict[int, int] = {}
    for place, group in enumerate(places):
        if _SINK in onward[_place(place)]:
            left[group] = left.get(group, 0) + 1
    return left


def missing_among(
    needs: Sequence[tuple[int, int]],
    held: Mapping[int, Collection[Held]],
    stand_ins: Collection[int] = (),
    barred: Collection[int] = (),
) -> dict[int, int]:
    """The same of people by what they count as members of. Nobody counts by standing in for one of
    `barred`."""
    own = {
        person: {group for group, absent in has if absent is None} for person, has in held.items()
    }
    lent = {
        person: {(g, absent) for g, absent in has if absent is not None and absent not in barred}
        for person, has in held.items()
    }
    return missing(needs, own, stand_ins, lent)


def _ways(
    places: Sequence[int],
    voters: Mapping[int, Collection[int]],
    stand_ins: Collection[int],
    lent: Mapping[int, Collection[Membership]],
) -> dict[_Node, list[_Node]]:
    """The flow network: each person, each membership and each place is passed once at most.

    A node stands twice, as where one comes in and as where one goes out, which keeps it to one.
    """
    onward: dict[_Node, list[_Node]] = {_SOURCE: [], _SINK: []}
    for place in range(len(places)):
        onward[_place(place)] = [_SINK]
    for person in sorted(voters):
        onward[_SOURCE].append(("person", person, 0))
        ways = onward.setdefault(("person", person, 0), [])
        own = [(group, person) for group in voters[person]]
        for group, owner in sorted({*own, *lent.get(person, ())}):
            ways.append(("in", group, owner))
            onward[("in", group, owner)] = [("out", group, owner)]
            onward[("out", group, owner)] = [
                _place(place)
                for place, needed in enumerate(places)
                if needed == group or group in stand_ins
            ]
    return onward


def _place(place: int) -> _Node:
    return ("place", place, 0)


def _one_more(onward: dict[_Node, list[_Node]], node: _Node, seen: set[_Node]) -> bool:
    """Seat one more person, re-seating others where that helps: turns the way that was found around."""
    if node == _SINK:
        return True
    seen.add(node)
    for following in list(onward[node]):
        if following not in seen and _one_more(onward, following, seen):
            onward[node].remove(following)
            onward[following].append(node)
            return True
    return False
