"""The forms in which a batch goes out: a JSON text for each event, and one that closes the batch.

In the form `plain` the event's body stands in its text byte for byte, as the last member: from behind the first
`"body":` to before the last `}`. It is canonical JSON (RFC 8785), so that whoever parsed the text can also write the
same bytes again.
"""

import base64
from typing import Any, Final

import orjson

from audit.fact_schemas import moment_text
from audit.streaming.batches import Batch, Entry
from audit.streaming.ocsf import closing_event, event_of
from audit.streaming.sinks import Format

TYPE: Final = "audit.events"


def event_text(entry: Entry, batch: Batch, form: Format) -> bytes:
    """One event as JSON, in one line."""
    if form == "ocsf":
        return orjson.dumps(event_of(entry, batch))
    head = {"index": entry.index, "leaf_hash": encoded(entry.leaf_hash)}
    if entry.body is None:
        return orjson.dumps({**head, "event": str(entry.event), "gone": entry.why, "body": None})
    return orjson.dumps(head)[:-1] + b',"body":' + entry.body + b"}"


def closing_text(batch: Batch, form: Format) -> bytes:
    """What closes a batch where events go one by one, in one line: its checkpoint and proof."""
    if form == "ocsf":
        return orjson.dumps(closing_event(batch))
    return orjson.dumps({"batch": proving(batch)})


def message(batch: Batch, form: Format) -> bytes:
    """The whole batch as one JSON text. The same bytes whenever it is sent."""
    head = {"type": TYPE, "timestamp": moment_text(batch.signed_at)}
    events = b",".join(event_text(entry, batch, form) for entry in batch.entries)
    data = orjson.dumps(proving(batch))[:-1] + b',"events":[' + events + b"]}"
    return orjson.dumps(head)[:-1] + b',"data":' + data + b"}"


def proving(batch: Batch) -> dict[str, Any]:
    """Places, checkpoint and proof of a batch."""
    return {
        "id": batch.id,
        "log": batch.origin,
        "first": batch.first,
        "until": batch.until,
        "checkpoint": batch.note,
        "proof": list(batch.proof),
    }


def encoded(digest: bytes) -> str:
    """Base64, as in the notes of C2SP."""
    return base64.b64encode(digest).decode()
