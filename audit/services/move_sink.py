"""Move a sink: let it get the log again from a place on, or go on behind what it cannot take."""

import uuid6
from django.db import transaction

from audit.actors import Actor
from audit.errors import Invalid, NotFound
from audit.models import Checkpoint, SinkCursor
from audit.recorder import record


def move_sink(name: str, index: int, *, actor: Actor) -> SinkCursor:
    """The next event that the sink gets is the one at `index`; what was on its way is chosen anew, under new ids.

    Waits for a batch that is being sent. Raises `NotFound`, and `Invalid` for a place that the log has not come to.
    """
    with transaction.atomic():
        cursor = SinkCursor.objects.select_for_update().filter(pk=name).first()
        if cursor is None:
            raise NotFound(f"No scheduler has taken up a sink {name} yet.")
        newest = Checkpoint.objects.newest()
        size = newest.size if newest is not None else 0
        if not 0 <= index <= size:
            raise Invalid(f"The log has {size} signed events: name a place from 0 to {size}.")
        send_from(cursor, index, actor=actor)
    return cursor


def send_from(cursor: SinkCursor, index: int, *, actor: Actor) -> None:
    """The same for a sink whose row is locked, inside a transaction; the place is the caller's to check."""
    before = cursor.next
    cursor.next = cursor.until = index
    cursor.series = uuid6.uuid7()
    cursor.attempts, cursor.retry_at = 0, None
    cursor.save(update_fields=["next", "until", "series", "attempts", "retry_at"])
    record(
        type="sink.moved",
        actor=actor,
        stream="log",
        facts={"sink": cursor.name, "from_index": before, "index": index},
    )
