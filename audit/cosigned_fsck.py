"""Check that every cosignature that is kept is one of its checkpoint, by the key of its witness."""

from collections.abc import Iterator
from typing import Final

from audit.merkle.cosignatures import WitnessKey, cosignature, with_cosignatures
from audit.merkle.notes import NoteNotValid
from audit.models import Cosignature

_ROWS_AT_A_TIME: Final = 1_000


def check_cosignatures() -> Iterator[str]:
    """Sentences about cosignatures that do not fit."""
    rows = Cosignature.objects.select_related("checkpoint").order_by("checkpoint__size", "id")
    for row in rows.iterator(_ROWS_AT_A_TIME):
        note = with_cosignatures(row.checkpoint.note, [row.line])
        try:
            fits = cosignature(note, WitnessKey.read(row.key)) is not None
        except NoteNotValid:
            fits = False
        if not fits:
            yield (
                f"A witness cosigned a checkpoint of {row.checkpoint.size} events, and not the one that the log "
                "has now: the checkpoint or the cosignature was changed."
            )
