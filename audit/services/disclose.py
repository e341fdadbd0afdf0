"""Read what events keep apart: names, reasons, digests of short content."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import transaction

from audit.disclosures import CannotOpen, read
from audit.errors import TooLarge
from audit.keyring import open_disclosure
from audit.models import Disclosure, Event
from audit.ports import Caller
from audit.recorder import record

MOST_AT_ONCE: Final = 50


class TooManyToOpen(TooLarge):
    """More events than are opened at once."""

    code = "too_many_to_open"

    def __init__(self, number: int) -> None:
        super().__init__(
            f"What events keep apart is opened for at most {MOST_AT_ONCE} of them at once, not {number}.",
            params={"largest": MOST_AT_ONCE},
        )


@dataclass(frozen=True)
class Disclosed:
    """One disclosure of an event. Without `name` it was erased; with `problem` it cannot be opened."""

    digest: str
    name: str | None = None
    subject: str | None = None
    value: Any = None
    problem: str = ""

    @property
    def erased(self) -> bool:
        """Whether only the digest is left."""
        return self.name is None


def disclose(events: Iterable[Event], *, caller: Caller) -> dict[UUID, list[Disclosed]]:
    """Each event's disclosures, those that were erased last. Reading them is one event for each event that is
    opened, which names who read which of it.

    Raises `TooManyToOpen`, or a Forbidden unless the caller may read the log.
    """
    caller.require("read_audit", scope="audit")
    digests = {event.id: orjson.loads(bytes(event.body)).get("_sd", []) for event in events}
    digests = {event: found for event, found in digests.items() if found}
    if len(digests) > MOST_AT_ONCE:
        raise TooManyToOpen(len(digests))
    opened: dict[UUID, list[Disclosed]] = defaultdict(list)
    with transaction.atomic():
        rows = Disclosure.objects.filter(event__in=digests).select_related("key")
        for row in rows.order_by("event", "name"):
            opened[row.event].append(_opened(row))
        for event, found in opened.items():
            record(
                type="disclosure.read",
                actor=caller.actor,
                stream="log",
                facts={
                    "event": event,
                    "disclosures": len(found),
                    "names": sorted(
                        {each.name for each in found if each.name and not each.problem}
                    ),
                },
            )
    for event, expected in digests.items():
        there = {each.digest for each in opened[event]}
        opened[event] += [Disclosed(digest) for digest in expected if digest not in there]
    return dict(opened)


def _opened(row: Disclosure) -> Disclosed:
    try:
        encoded = open_disclosure(row)
    except CannotOpen as error:
        return Disclosed(row.digest, row.name, row.key.subject, problem=str(error))
    name, value = read(encoded)
    return Disclosed(row.digest, name, row.key.subject, value)
