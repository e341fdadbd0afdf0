"""What a search over several kinds of things comes up with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """One thing: its title and what is said beside it, as the reader may see them, and where it is."""

    title: str
    beside: str
    url: str
