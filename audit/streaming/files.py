"""A batch as lines at the end of a file, forced to the disk.

The file is opened anew for each batch, so that it may be moved away (logrotate) at any time.
"""

import os
from typing import Final

from audit.streaming.batches import Batch
from audit.streaming.failing import NotDelivered
from audit.streaming.forms import closing_text, event_text
from audit.streaming.sinks import Format, Lines

_BLOCK: Final = 65_536


def append(sink: Lines, batch: Batch) -> None:
    """Append the batch, all of it or nothing; raises `NotDelivered`."""
    try:
        descriptor = os.open(sink.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _append(descriptor, lines(batch, sink.format))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NotDelivered("disk", f"{sink.path} cannot be written ({error.strerror}).") from error


def lines(batch: Batch, form: Format) -> bytes:
    """The events of the batch, and its checkpoint, a line each."""
    texts = [event_text(entry, batch, form) for entry in batch.entries]
    return b"".join(text + b"\n" for text in [*texts, closing_text(batch, form)])


def _append(descriptor: int, data: bytes) -> None:
    # What stands behind the last line was begun by a process that died over it, and comes again now.
    start = _end_of_lines(descriptor)
    os.ftruncate(descriptor, start)
    written = 0
    try:
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], start + written)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, start)
        raise


def _end_of_lines(descriptor: int) -> int:
    """The place behind the last line that is whole."""
    at = os.fstat(descriptor).st_size
    while at:
        start = max(0, at - _BLOCK)
        found = os.pread(descriptor, at - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0
