"""Stream out: give each sink the sealed events, in the order of the log, each at least once.

Two transactions a batch. The first chooses it and commits that, the second sends it and moves the sink's cursor,
holding the sink's row: nobody else sends to it meanwhile. Whoever dies between receipt and commit leaves the choice,
so that the same batch goes out again under the same id, and the receiver can drop it.
"""

from functools import partial
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext
from opentelemetry.trace import SpanKind

from audit import ports, tracing
from audit.actors import Actor
from audit.clock import database_now
from audit.fault_points import reached
from audit.finding_words import in_words
from audit.merkle.tiles import MissingHash
from audit.models import Checkpoint, SinkCursor
from audit.recorder import record
from audit.streaming.batches import Batch, batch_of, end_of_batch
from audit.streaming.delivery import deliver
from audit.streaming.failing import NotDelivered
from audit.streaming.sinks import Sink

STREAMER = Actor.system("streamer")
# Beside the sending itself: reading the batch, and recording what became of it.
_ROOM_SECONDS = 30
# As many links as a span may have, unless somebody allows more.
_MOST_LINKS = 128
log = structlog.get_logger(__name__)


def stream_out(name: str, sink: Sink) -> bool:
    """Send the sink its next batch, if one is due and nobody else is at it; whether another may follow at once."""
    chosen = _chosen(name, sink) if _is_due(name) else None
    if chosen is None:
        return False
    reached("stream.chosen")
    # Read before the row is locked: while somebody outside takes their time, no lock on the log's own tables is
    # held, behind which a new partition and with it every writer would have to wait.
    batch = _read(chosen)
    with transaction.atomic():
        let_wait(settings.COUNTERSIGN.audit_sink_timeout_seconds)
        cursor = _locked(name)
        if cursor is None or cursor.on_its_way != chosen.on_its_way:
            return False
        try:
            if isinstance(batch, NotDelivered):
                raise batch
            with _sending(name, batch):
                deliver(sink, batch)
        except NotDelivered as failure:
            _note_failure(cursor, failure)
            return False
        reached("stream.sent")
        _note_delivery(cursor)
    reached("stream.committed")
    return True


def _is_due(name: str) -> bool:
    """Whether there is anything to do for the sink now, without its lock."""
    now = database_now()
    cursor = SinkCursor.objects.filter(pk=name).first()
    if cursor is None:
        return True
    if cursor.waits(now):
        return False
    return cursor.is_under_way or _has_grown_past(cursor.next)


def _has_grown_past(index: int) -> bool:
    newest = Checkpoint.objects.newest()
    return newest is not None and newest.size > index


def _locked(name: str) -> SinkCursor | None:
    """The sink's row with its lock, if it may be tried now; None while another holds it."""
    cursor = SinkCursor.objects.select_for_update(skip_locked=True).filter(pk=name).first()
    return None if cursor is None or cursor.waits(database_now()) else cursor


def _declared(name: str, sink: Sink) -> SinkCursor | None:
    """The row of a sink that the settings name for the first time; None where another process is at it."""
    newest = Checkpoint.objects.newest()
    first = newest.size if newest is not None and sink.start == "now" else 0
    cursor, is_new = SinkCursor.objects.get_or_create(
        name=name, defaults={"next": first, "until": first, "declared_at": database_now()}
    )
    if not is_new:
        return None
    record(
        type="sink.declared",
        actor=STREAMER,
        stream="log",
        facts={"sink": name, "kind": sink.kind, "format": sink.format, "index": first},
    )
    return cursor


def _chosen(name: str, sink: Sink) -> SinkCursor | None:
    """The sink's row with a batch that is to be sent, committed; None where there is none or another is at it."""
    with transaction.atomic():
        cursor = _locked(name) or _declared(name, sink)
        if cursor is None or not (cursor.is_under_way or _choose(cursor)):
            return None
    return cursor


def _choose(cursor: SinkCursor) -> bool:
    """Choose the next batch under the newest checkpoint; False where the sink has everything."""
    newest = Checkpoint.objects.newest()
    if newest is None or newest.size <= cursor.next:
        return False
    largest = settings.COUNTERSIGN.audit_sink_batch
    cursor.until = end_of_batch(cursor.next, min(cursor.next + largest, newest.size))
    cursor.size = newest.size
    cursor.save(update_fields=["until", "size"])
    if not cursor.is_under_way:
        _note_failure(cursor, _lacking(cursor.next))
    return cursor.is_under_way


def _read(cursor: SinkCursor) -> Batch | NotDelivered:
    """The batch that was chosen, or why it cannot be sent."""
    checkpoint = Checkpoint.objects.standing().select_related("log").get(size=cursor.size)
    try:
        batch = batch_of(cursor.series, cursor.next, cursor.until, checkpoint)
    except MissingHash as missing:
        return NotDelivered("tile_missing", f"{missing} audit_fsck says more.")
    is_whole = len(batch.entries) == cursor.until - cursor.next
    return batch if is_whole else _lacking(cursor.next)


def _sending(name: str, batch: Batch) -> tracing.Opening:
    """The batch belongs to no one run: its span is linked to the beginnings of those whose events it holds."""
    if not tracing.is_on():
        return tracing.span("stream")
    runs = dict.fromkeys(
        run
        for entry in batch.entries
        if entry.body is not None
        if (run := orjson.loads(entry.body).get("agent", {}).get("run"))
    )
    return tracing.span(
        f"stream {name}",
        {"countersign.sink": name, "countersign.batch": batch.id},
        kind=SpanKind.PRODUCER,
        links=[tracing.beginning(UUID(run)) for run in list(runs)[:_MOST_LINKS]],
    )


def _lacking(index: int) -> NotDelivered:
    return NotDelivered(
        "leaf_missing", f"The log lacks a leaf from {index} on: audit_fsck says which."
    )


def _note_delivery(cursor: SinkCursor) -> None:
    cursor.next, cursor.delivered_at = cursor.until, database_now()
    is_over = cursor.succeeded()
    cursor.save()
    if is_over:
        log.info("sink_recovered", sink=cursor.name, index=cursor.next)
        record(
            type="sink.recovered",
            actor=STREAMER,
            stream="log",
            facts={"sink": cursor.name, "index": cursor.next},
        )


def _note_failure(cursor: SinkCursor, failure: NotDelivered) -> None:
    if cursor.failing_since is None:
        log.warning("sink_failing", sink=cursor.name, why=failure.why, index=cursor.next)
    is_news = cursor.failed(
        failure, database_now(), first_wait=settings.COUNTERSIGN.audit_sink_seconds
    )
    cursor.save()
    if is_news:
        record(
            type="sink.failing",
            actor=STREAMER,
            stream="log",
            facts={"sink": cursor.name, "why": failure.why, "index": cursor.next},
        )
        transaction.on_commit(partial(_raise_alarm, cursor.name, str(failure)), robust=True)


def _raise_alarm(name: str, problem: str) -> None:
    ports.alarm(partial(_said, name, problem))


def _said(name: str, problem: str) -> tuple[str, str]:
    then = gettext("They are kept and sent once it takes them: {command}.")
    return (
        gettext("Audit events do not reach the sink {name}").format(name=name),
        f"{in_words(problem)}\n\n{then.format(command='manage.py audit_sinks status')}",
    )


def let_wait(seconds: float) -> None:
    """Let this transaction stand idle for as long as somebody outside may take."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true)",
            [f"{round((seconds + _ROOM_SECONDS) * 1000)}ms"],
        )
