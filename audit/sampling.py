"""A random sample that anybody can draw again. Pure.

Each event of the population gets a rank: the SHA-256 of the seed's UTF-8 bytes followed by the 36 characters of
the event's id. The events with the lowest ranks, compared as hexadecimal text, are the sample, in that order.
Who knows the seed before the population is closed could record events to fit it; so the population ends when the
sample is drawn, and seed, end and size stand in one event.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.utils.translation import gettext_noop

SEED: Final = re.compile(r"[A-Za-z0-9_.:/@+\-]{1,64}", re.ASCII)
IN_WORDS: Final = gettext_noop(
    "For each event of the population, write the seed and right after it the event's id (36 characters, lower "
    "case), and take the SHA-256 of that text. Sort the events by it as hexadecimal text. The first ones, in "
    "that order, are the sample."
)


def rank(seed: str, event: UUID) -> str:
    """Where an event comes in the draw: 64 hexadecimal digits, lowest first."""
    return hashlib.sha256(f"{seed}{event}".encode()).hexdigest()


def draw(seed: str, size: int, population: Iterable[UUID]) -> list[UUID]:
    """The sample, in the order of the draw; the whole population where it is no larger."""
    return sorted(population, key=lambda event: rank(seed, event))[:size]


def fresh_seed() -> str:
    """A seed nobody could have known before: 64 random bits in hexadecimal."""
    return secrets.token_hex(8)
