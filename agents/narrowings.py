"""Filters of the list of runs that a higher app offers: what its figures stand for.

An address names one as `name=value`. The app that offers them fills them in when it is ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from agents.models import RunQuerySet as RunRows

LONGEST: Final = 200


class Narrowing(Protocol):
    """One filter."""

    @property
    def name(self) -> str:
        """What an address calls it."""
        ...

    def words(self, value: str) -> str:
        """What the value asks for, in words; empty for one that this filter does not know."""
        ...

    def applied(self, runs: RunRows, value: str) -> RunRows:
        """The runs that fit."""
        ...


__all__ = ["Narrowing", "RunRows", "asked_in", "narrowed", "provide_narrowings", "words_of"]

_known: dict[str, Narrowing] = {}


def provide_narrowings(narrowings: Sequence[Narrowing]) -> None:
    """Offer them; of two with one name the later holds."""
    _known.update({each.name: each for each in narrowings})


def asked_in(given: Mapping[str, str]) -> dict[str, str]:
    """What of an address these filters are, by name; values that no filter knows are left in: nothing fits them."""
    return {name: str(given[name])[:LONGEST] for name in _known if given.get(name)}


def words_of(asked: Mapping[str, str]) -> dict[str, str]:
    """Each in words, empty where it is not known."""
    return {name: _known[name].words(value) for name, value in asked.items()}


def narrowed(runs: RunRows, asked: Mapping[str, str]) -> RunRows:
    """The runs that fit all of them; none where one is not known."""
    for name, value in asked.items():
        runs = _known[name].applied(runs, value) if _known[name].words(value) else runs.none()
    return runs
