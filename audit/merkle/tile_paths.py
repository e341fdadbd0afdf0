"""Addresses of tiles as C2SP tlog-tiles writes them: `<L>/<N>[.p/<W>]`. Pure."""

import re
from typing import Final, NamedTuple

from audit.merkle.tiles import HEIGHT, WIDTH

_INDEX: Final = r"(?P<n>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
_BUNDLE: Final = re.compile(_INDEX, re.ASCII)
_TILE: Final = re.compile(rf"(?P<level>0|[1-9][0-9]?)/{_INDEX}", re.ASCII)
HIGHEST_LEVEL: Final = 63
# Beyond it no place of a log has a number that the database holds.
_LONGEST_INDEX: Final = 6 * 4 - 1


class Wanted(NamedTuple):
    """A tile, or the bundle of entries under one of level 0, and how many of its hashes or entries."""

    level: int
    n: int
    width: int

    def fits(self, size: int) -> bool:
        """Whether a tree of this size has it: whole, or so much of it."""
        if self.level * HEIGHT >= size.bit_length():
            return False
        return (size >> (self.level * HEIGHT)) - self.n * WIDTH >= self.width


def index_path(n: int) -> str:
    """A number in groups of three digits, all but the last after an `x`: 1234067 is `x001/x234/067`."""
    groups = [f"{n % 1000:03}"]
    while n := n // 1000:
        groups.append(f"x{n % 1000:03}")
    return "/".join(reversed(groups))


def read_tile(path: str) -> Wanted | None:
    """The tile of an address; None for what is none, or is not written in the one way."""
    found = _TILE.fullmatch(path)
    if found is None or int(found["level"]) > HIGHEST_LEVEL:
        return None
    return _wanted(int(found["level"]), found)


def read_bundle(path: str) -> Wanted | None:
    """The bundle of entries of an address, as level 0; None as above."""
    found = _BUNDLE.fullmatch(path)
    return None if found is None else _wanted(0, found)


def _wanted(level: int, found: re.Match[str]) -> Wanted | None:
    written = found["n"]
    if len(written) > _LONGEST_INDEX:
        return None
    n = int(written.replace("x", "").replace("/", ""))
    width = WIDTH if found["width"] is None else int(found["width"])
    # A whole tile is written without its width, and a number without groups that say nothing.
    if (found["width"] is not None and width >= WIDTH) or index_path(n) != written:
        return None
    return Wanted(level, n, width)
