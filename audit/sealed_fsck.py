"""Check the sealed log: leaves against events, tiles and checkpoints against leaves, and what is kept outside.

Goes through the leaves once, in their order, at a flat memory; the tree is built anew from them.
"""

import datetime as dt
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, Self
from uuid import UUID

from django.db import connection
from django.db.models import Count, Max

from audit import outside
from audit.fact_schemas import moment_text
from audit.merkle.growing import Growing, GrowingTiles
from audit.merkle.notes import Checkpoint as Said
from audit.merkle.notes import NoteNotValid, VerifierKey, opened, read_checkpoint, read_note
from audit.merkle.tiles import TileName
from audit.models import Checkpoint, Event, LogKey, Tile, TreeState
from audit.record_keeping import Retired
from audit.waiting_fsck import check_waiting

ROWS_AT_A_TIME: Final = 2_000
# How long a transaction may have waited between writing an event and committing it.
LONGEST_TRANSACTION: Final = dt.timedelta(hours=1)

_LEAVES: Final = """
SELECT leaf.index, leaf.event, leaf.event_inserted_at, leaf.leaf_hash, event.leaf_hash
FROM audit_leaf AS leaf LEFT JOIN audit_event AS event
    ON event.id = leaf.event AND event.inserted_at = leaf.event_inserted_at
ORDER BY leaf.index
"""


@dataclass
class CheckedLog:
    """How much of the sealed log a check has looked at, and what is worth a note."""

    leaves: int = 0
    checkpoints: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Leaf:
    index: int
    event: UUID
    inserted_at: dt.datetime
    sealed_as: bytes
    stored_as: bytes | None


@dataclass(frozen=True)
class Kept:
    """What lies outside of the database, read before the database is: it grows meanwhile."""

    note: str | None = None
    trouble: str = ""

    @classmethod
    def read(cls) -> Self:
        try:
            return cls(outside.read())
        except outside.OutsideTrouble as trouble:
            return cls(trouble=str(trouble))


def check_sealed(checked: CheckedLog, kept_outside: Kept) -> Iterator[str]:
    """Sentences about what does not fit, in the order in which it is found; none when all is well.

    Inside the transaction of the whole check (`audit.fsck.check`).
    """
    state = TreeState.objects.filter(pk=TreeState.THE_ONE).first()
    if state is None:
        yield "The state of the sealed log is not in the database: it was deleted."
        return
    kept = yield from _kept_outside(checked, kept_outside)
    keys = [row.key for row in LogKey.objects.all()]
    yield from _leaves(checked, _Checkpoints(keys, checked, kept))
    if state.size != checked.leaves:
        yield (
            f"The log's state says {state.size} leaves and {checked.leaves} are there: "
            f"{'leaves were deleted' if state.size > checked.leaves else 'the state was set back'}."
        )
    checked.notes.extend(_outlived())
    yield from check_waiting()


def _outlived() -> Iterator[str]:
    """What former logs had signed and their successors do not have: known since the successor was begun."""
    lost = Checkpoint.objects.outlived().values("log__origin")
    for each in lost.annotate(last=Max("size"), number=Count("id")).order_by("log__origin"):
        yield (
            f"The log {each['log__origin']} had signed {each['last']} events and its successor began with fewer: "
            f"{each['number']} of its checkpoints speak of events that were lost before."
        )


class _Checkpoints:
    """The checkpoints of the database and the one outside, each held against the tree at its size."""

    def __init__(self, keys: list[VerifierKey], checked: CheckedLog, kept: Said | None) -> None:
        self._keys = keys
        self._checked = checked
        self._kept = kept
        rows = Checkpoint.objects.standing().select_related("log").order_by("size")
        self._rows = rows.iterator(ROWS_AT_A_TIME)
        self._next = next(self._rows, None)
        self.last: Checkpoint | None = None

    def at(self, tree: Growing) -> Iterator[str]:
        """What does not fit at the size that the tree has now."""
        if (
            self._kept is not None
            and self._kept.size == tree.size
            and self._kept.root != tree.root()
        ):
            yield (
                f"The first {tree.size} leaves do not have the root of the checkpoint that is kept outside of "
                "the database: they were rewritten after it was signed."
            )
        while self._next is not None and self._next.size <= tree.size:
            yield from self._one(self._next, tree)
            self.last, self._next = self._next, next(self._rows, None)

    def beyond(self, size: int) -> Iterator[str]:
        """What speaks of more leaves than there are."""
        if self._kept is not None and self._kept.size > size:
            yield (
                f"The checkpoint that is kept outside of the database says {self._kept.size} events and the log "
                f"has {size}: the tail was cut, or a backup was restored."
            )
        if self._next is not None:
            yield (
                f"There is a checkpoint of {self._next.size} events and the log has {size}: the tail was cut."
            )

    def _one(self, row: Checkpoint, tree: Growing) -> Iterator[str]:
        self._checked.checkpoints += 1
        called = f"The checkpoint of {row.size} events"
        try:
            said = opened(row.note, self._keys)
        except NoteNotValid as wrong:
            yield f"{called} is not signed by a key of the log: {wrong}"
            return
        if said != (row.log.origin, row.size, bytes(row.root)):
            yield f"{called} does not say what its signed note says: the row was changed."
        if said.size != tree.size or said.root != tree.root():
            yield (
                f"{called} does not have the root of the first {said.size} leaves: a leaf was changed, deleted "
                "or moved after it was signed."
            )


class _Tiles:
    """The stored tiles, read in their order beside those that follow from the leaves."""

    def __init__(self) -> None:
        self._stored: dict[int, Iterator[Tile]] = {}

    def compare(self, name: TileName, data: bytes) -> Iterator[str]:
        found = next(self._of(name.level), None)
        if found is None or found.n != name.n or bytes(found.data) != data:
            yield (
                f"Tile {name.n} of level {name.level} does not hold the hashes of its leaves: "
                "it is missing or was changed."
            )

    def left_over(self) -> Iterator[str]:
        levels = Tile.objects.values_list("level", flat=True).distinct().order_by("level")
        for level in list(levels):
            if (more := next(self._of(level), None)) is not None:
                yield f"Tile {more.n} of level {more.level} stands past the end of the log."

    def _of(self, level: int) -> Iterator[Tile]:
        if level not in self._stored:
            rows = Tile.objects.filter(level=level).order_by("n")
            self._stored[level] = iter(rows.iterator(64))
        return self._stored[level]


class _Dropped:
    """The months whose bodies were dropped, and how many leaves of each were met."""

    def __init__(self) -> None:
        self._months = dict.fromkeys(Retired.objects.order_by("since"), 0)

    def held(self, leaf: _Leaf) -> bool:
        """Whether the event's body went with its month."""
        for month in self._months:
            if month.since <= leaf.inserted_at < month.until:
                self._months[month] += 1
                return True
        return False

    def differing(self) -> Iterator[str]:
        for month, leaves in self._months.items():
            if leaves != month.events:
                yield (
                    f"The month {month.partition} was dropped with {month.events} events, and {leaves} leaves of "
                    "it have no body: an event was deleted beside those that were dropped."
                )


def _leaves(checked: CheckedLog, checkpoints: _Checkpoints) -> Iterator[str]:
    tree, growing, tiles, dropped = Growing(), GrowingTiles(), _Tiles(), _Dropped()
    tiles_fit = True
    for leaf in _stored_leaves():
        if leaf.index != tree.size:
            yield _gap(tree.size, leaf.index)
            return
        if leaf.stored_as is not None or not dropped.held(leaf):
            yield from _event_of(leaf, checkpoints.last)
        tree.add(leaf.sealed_as)
        checked.leaves += 1
        for name, data in growing.add(leaf.sealed_as):
            if tiles_fit:
                found = list(tiles.compare(name, data))
                tiles_fit = not found
                yield from found
        yield from checkpoints.at(tree)
    yield from checkpoints.beyond(tree.size)
    yield from dropped.differing()
    if tiles_fit:
        edge = chain.from_iterable(tiles.compare(name, data) for name, data in growing.partial())
        yield from chain(edge, tiles.left_over())


def _stored_leaves() -> Iterator[_Leaf]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_LEAVES)
        while rows := cursor.fetchmany(ROWS_AT_A_TIME):
            for index, event, inserted_at, sealed_as, stored_as in rows:
                yield _Leaf(index, event, inserted_at, bytes(sealed_as), _bytes(stored_as))


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _gap(expected: int, found: int) -> str:
    lacking = f"leaf {expected}" if found == expected + 1 else f"leaves {expected} to {found - 1}"
    return f"The log lacks {lacking}: deleted after the events were sealed."


def _event_of(leaf: _Leaf, before: Checkpoint | None) -> Iterator[str]:
    if leaf.stored_as is None:
        yield _not_there(leaf)
    elif leaf.stored_as != leaf.sealed_as:
        yield (
            f"Event {leaf.event} is leaf {leaf.index} of the log, sealed with another hash: it was changed "
            "after it was written."
        )
    elif before is not None and leaf.inserted_at < before.signed_at - LONGEST_TRANSACTION:
        yield (
            f"Event {leaf.event} says that it was written at {moment_text(leaf.inserted_at)} and came into the "
            f"log after the checkpoint of {moment_text(before.signed_at)}: it was put in later with an earlier "
            "time, or the clock was set back."
        )


def _not_there(leaf: _Leaf) -> str:
    moved = Event.objects.filter(pk=leaf.event).first()
    if moved is None:
        return (
            f"Leaf {leaf.index} of the log is event {leaf.event}, which is not there: it was deleted after it "
            "was sealed."
        )
    return (
        f"Event {leaf.event} was written at {moment_text(leaf.inserted_at)} and says "
        f"{moment_text(moved.inserted_at)} now: it was moved in time after it was written."
    )


def _kept_outside(checked: CheckedLog, kept: Kept) -> Generator[str, None, Said | None]:
    """Yields what is wrong with the checkpoint outside; returns it where it is one of the newest log."""
    newest = Checkpoint.objects.select_related("log").newest()
    if kept.trouble:
        yield kept.trouble
        return None
    try:
        if kept.note is None:
            if newest is not None:
                checked.notes.append(
                    f"No checkpoint is kept in {outside.path()}: whether the tail was cut cannot be told."
                )
            return None
        said = read_checkpoint(read_note(kept.note).text)
        if newest is not None and said.origin != newest.log.origin:
            checked.notes.append(
                f"The checkpoint in {outside.path()} is of another log, {said.origin}."
            )
            return None
        return opened(kept.note, [row.key for row in LogKey.objects.all()])
    except NoteNotValid as wrong:
        yield f"The checkpoint that is kept outside of the database, in {outside.path()}, is not valid: {wrong}"
    return None
