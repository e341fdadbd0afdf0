"""A batch as messages of RFC 5424, one an event, with octet counting (RFC 6587, 3.4.1) over TCP or TLS (RFC 5425).

Syslog has no word for *taken*. So each batch has a connection of its own, which is closed towards the receiver after
the last message: that the receiver then closes it too says that its process has read everything.
"""

import socket
import ssl
from collections.abc import Iterator
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

import orjson
from django.conf import settings

from audit.fact_schemas import moment_text
from audit.streaming.batches import Batch
from audit.streaming.failing import timed_out, unreachable
from audit.streaming.forms import closing_text, event_text
from audit.streaming.severity import Severity, severity_of
from audit.streaming.sinks import Format, Syslog
from audit.streaming.trust import context

# RFC 5424, 6.2.1: log audit.
FACILITY: Final = 13
APP: Final = "countersign"
CHECKPOINT: Final = "checkpoint"
LONGEST_HOST: Final = 255
LONGEST_ID: Final = 32
_NIL: Final = "-"
_READ_BYTES: Final = 4096


def send(sink: Syslog, batch: Batch, seconds: float) -> None:
    """Send the batch, and hear that it was read; raises `NotDelivered`."""
    ends = monotonic() + seconds
    frames = b"".join(framed(each) for each in messages(batch, sink.format))
    try:
        with socket.create_connection((sink.host, sink.port), timeout=seconds) as plain:
            if not sink.is_tls:
                _give(plain, frames, ends)
                plain.shutdown(socket.SHUT_WR)
                _hear_end(plain, ends)
                return
            plain.settimeout(_left(ends))
            wrapping = context(sink.ca_file, sink.cert_file, sink.key_file)
            with wrapping.wrap_socket(plain, server_hostname=sink.host) as secured:
                _give(secured, frames, ends)
                _end_tls(secured, ends)
    except TimeoutError as error:
        raise timed_out(seconds) from error
    except OSError as error:
        raise unreachable(error) from error


def messages(batch: Batch, form: Format) -> Iterator[bytes]:
    """The events of the batch, and its checkpoint."""
    for entry in batch.entries:
        if entry.body is None:
            moment, kind = moment_text(batch.signed_at), "gone"
        else:
            read = orjson.loads(entry.body)
            moment, kind = read["time"], read["type"]
        yield message(moment, kind, severity_of(kind), event_text(entry, batch, form))
    yield message(
        moment_text(batch.signed_at), CHECKPOINT, Severity.INFORMATIONAL, closing_text(batch, form)
    )


def message(moment: str, kind: str, severity: Severity, text: bytes) -> bytes:
    """One message; its text is JSON in UTF-8, without a byte order mark (MSG-ANY)."""
    priority = FACILITY * 8 + severity.syslog
    head = f"<{priority}>1 {moment} {_host()} {APP} {_NIL} {kind[:LONGEST_ID]} {_NIL} "
    return head.encode() + text


def framed(text: bytes) -> bytes:
    """A message with its length in octets before it."""
    return b"%d %s" % (len(text), text)


def _host() -> str:
    return (urlsplit(settings.COUNTERSIGN.address).hostname or _NIL)[:LONGEST_HOST]


def _left(ends: float) -> float:
    left = ends - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _give(to: socket.socket, data: bytes, ends: float) -> None:
    to.settimeout(_left(ends))
    to.sendall(data)


def _hear_end(of: socket.socket, ends: float) -> None:
    """Read until the other side closes; it has nothing to say before."""
    while True:
        of.settimeout(_left(ends))
        if not of.recv(_READ_BYTES):
            return


def _end_tls(secured: ssl.SSLSocket, ends: float) -> None:
    """Say that this was all (close_notify), and wait until the receiver has come to it."""
    secured.settimeout(_left(ends))
    try:
        rest = secured.unwrap()
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        # It ended the connection without a close_notify of its own, and has read to the end all the same:
        # with something unread, its system would have reset the connection.
        return
    _hear_end(rest, ends)
