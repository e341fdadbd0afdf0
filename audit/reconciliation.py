"""Rows and events must say the same: every row has its events, with equal digests, and every event its row.

This is what shows an event that was deleted, before it was sealed, together with what it changed: some row of the
story nearly always stays behind.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import orjson

from audit.disclosures import CannotOpen, read
from audit.keyring import open_disclosure
from audit.models import Disclosure, Event
from audit.ports import Ledger, Stated, ledgers
from audit.record_keeping import RetiredStream

_EVENTS_AT_A_TIME = 2_000


def differences(counted: Counter[str]) -> Iterator[str]:
    """Sentences about rows and events that do not agree; `counted` counts the rows of each ledger along."""
    for ledger in ledgers():
        for rows in ledger.rows():
            counted[ledger.what] += len(rows)
            yield from _rows(ledger, rows)
        yield from _without_row(ledger)


def _rows(ledger: Ledger, rows: Sequence[Stated]) -> Iterator[str]:
    owners = {row.owner for row in rows}
    told: dict[str, list[tuple[Event, dict[str, Any]]]] = defaultdict(list)
    events = Event.objects.of_type(*sorted(ledger.types)).filter(**{f"{ledger.owner}__in": owners})
    for event in events.oldest_first():
        body = orjson.loads(bytes(event.body))
        if (named := ledger.named_in(body)) is not None:
            told[named].append((event, body))
    dropped = _dropped(ledger, owners)
    bound = _bound({event.id for each in told.values() for event, body in each if "_sd" in body})
    for row in rows:
        if row.owner in dropped:
            continue
        yield from _row(ledger, row, told[str(row.id)])
        yield from _digests(row, [event for event, _ in told[str(row.id)]], bound)


def _row(
    ledger: Ledger, row: Stated, told: Sequence[tuple[Event, Mapping[str, Any]]]
) -> Iterator[str]:
    if not told:
        yield f"{row.what} has no event: its event was deleted, or it was never recorded."
        return
    state = ""
    for _, body in told:
        state = ledger.after(state, body)
    if not ledger.agree(row.state, state):
        yield (
            f"{row.what} stands as {row.state}, and by the log it is {state or 'nothing of the kind'}: "
            "the row was changed by hand, or its last event was deleted."
        )


def _digests(
    row: Stated, told: Sequence[Event], bound: Mapping[UUID, Mapping[str, Any]]
) -> Iterator[str]:
    for name, digest in row.digests.items():
        # What was erased cannot be compared any more; the erasure is an event itself.
        binding = [event for event in told if name in bound.get(event.id, {})]
        event = binding[-1] if binding else None
        if event is not None and bound[event.id][name] != digest:
            yield (
                f"{row.what} has another {name} than event {event.id} ({event.type}) binds: "
                "what was decided was changed afterwards."
            )


def _bound(events: set[UUID]) -> dict[UUID, dict[str, Any]]:
    found: dict[UUID, dict[str, Any]] = defaultdict(dict)
    for disclosure in Disclosure.objects.filter(event__in=events).select_related("key"):
        try:
            name, value = read(open_disclosure(disclosure))
        except CannotOpen:
            continue  # the check of disclosures has said so
        found[disclosure.event][name] = value
    return found


def _dropped(ledger: Ledger, owners: set[UUID | str]) -> set[UUID | str]:
    """Owners some of whose bodies are no longer kept: their events tell only the end of the story."""
    prefix = "" if ledger.owner == "stream" else f"{ledger.owner}:"
    streams = {f"{prefix}{owner}": owner for owner in owners}
    found = RetiredStream.objects.filter(stream__in=streams).values_list("stream", flat=True)
    return {streams[stream] for stream in found}


def _without_row(ledger: Ledger) -> Iterator[str]:
    events = iter(
        Event.objects.of_type(*sorted(ledger.types)).oldest_first().iterator(_EVENTS_AT_A_TIME)
    )
    while chunk := list(islice(events, _EVENTS_AT_A_TIME)):
        named = {event: ledger.named_in(orjson.loads(bytes(event.body))) for event in chunk}
        there = ledger.there({row for row in named.values() if row is not None})
        for event, row in named.items():
            if row is not None and row not in there:
                yield (
                    f"Event {event.id} ({event.type}, number {event.seq} of {event.stream}) speaks of {row}, "
                    "which is not there: its row was deleted."
                )
