"""The log's tables as Django sees them. PostgreSQL keeps their rules (see migrations/sql)."""

import datetime as dt
from typing import Any, ClassVar, NoReturn, Self
from uuid import UUID

import uuid6
from django.db import models

from audit import record_keeping, verification  # noqa: F401 - their tables are this app's too
from audit.background import BackgroundWork, BackgroundWorkQuerySet
from audit.ports import Person
from audit.record_keeping import Erasure, ErasureState
from audit.sealed_models import (
    STANDING_CHECKPOINTS,
    Checkpoint,
    Leaf,
    Log,
    LogKey,
    Tile,
    TreeState,
)
from audit.stream_models import SinkCursor
from audit.witness_models import Cosignature, WitnessState

__all__ = [
    "STANDING_CHECKPOINTS",
    "AppendOnly",
    "Checkpoint",
    "Cosignature",
    "Disclosure",
    "Event",
    "EventQuerySet",
    "Export",
    "ExportFormat",
    "ExportQuerySet",
    "ExportState",
    "Leaf",
    "Log",
    "LogKey",
    "Pending",
    "SinkCursor",
    "Stream",
    "SubjectKey",
    "Tile",
    "TreeState",
    "WitnessState",
    "may_read",
]


class AppendOnly(Exception):
    """Code tried to change the log other than by recording an event."""

    def __init__(self) -> None:
        super().__init__(
            "The audit log is append-only. Record another event: audit.recorder.record()."
        )


def may_read(user: Person) -> bool:
    """Whether the person may read the log."""
    return user.is_active and user.has_perm("accounts.read_audit")


class EventQuerySet(models.QuerySet["Event"]):
    """The words in which events are asked for."""

    def visible_to(self, user: Person) -> Self:
        """All events for whoever may read the log; none for anybody else."""
        return self if may_read(user) else self.none()

    def of_type(self, *types: str) -> Self:
        return self.filter(type__in=types) if len(types) != 1 else self.filter(type=types[0])

    def by_actor(self, kind: str, actor_id: str) -> Self:
        return self.filter(actor_kind=kind, actor_id=actor_id)

    def by_person(self, pk: int | str) -> Self:
        return self.by_actor("person", str(pk))

    def by_agent(self, slug: str) -> Self:
        return self.filter(agent=slug)

    def by_run(self, run: UUID) -> Self:
        return self.filter(run=run)

    def by_request(self, request: UUID) -> Self:
        return self.filter(request=request)

    def by_tool(self, tool: str) -> Self:
        return self.filter(tool=tool)

    def in_stream(self, stream: str) -> Self:
        return self.filter(stream=stream)

    def between(self, start: dt.datetime | None, end: dt.datetime | None) -> Self:
        """Events that the database inserted from `start` (included) to `end` (excluded)."""
        found = self if start is None else self.filter(inserted_at__gte=start)
        return found if end is None else found.filter(inserted_at__lt=end)

    def exceptions(self, kind: str = "") -> Self:
        """Those that an auditor asks about, of one kind or of any, with the kind as `exception` (see
        `audit.exceptions`)."""
        says = models.Func(
            models.F("type"),
            models.F("body"),
            function="audit_exception",
            output_field=models.TextField(),
        )
        found = self.annotate(exception=says).filter(exception__isnull=False)
        return found.filter(models.Q(("exception", kind))) if kind else found

    def newest_first(self) -> Self:
        return self.order_by("-inserted_at", "-id")

    def oldest_first(self) -> Self:
        return self.order_by("inserted_at", "id")

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly


class Event(models.Model):
    """One append-only record. `body` is the evidence; the database derives everything else from it."""

    NEWEST_FIRST: ClassVar[tuple[str, str]] = ("-inserted_at", "-id")

    # The table's own key is (id, inserted_at), since a partitioned table's key holds its partition column.
    id = models.UUIDField(primary_key=True)
    body = models.BinaryField()
    leaf_hash = models.BinaryField()
    stream = models.TextField()
    seq = models.BigIntegerField()
    prev = models.BinaryField(null=True)
    type = models.TextField()
    actor_kind = models.TextField()
    actor_id = models.TextField()
    agent = models.TextField(null=True)
    run = models.UUIDField(null=True)
    request = models.UUIDField(null=True)
    tool = models.TextField(null=True)
    occurred_at = models.DateTimeField()
    inserted_at = models.DateTimeField()

    objects = EventQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    @property
    def leaf_hex(self) -> str:
        """The leaf hash as 64 hexadecimal digits."""
        return bytes(self.leaf_hash).hex()


class Stream(models.Model):
    """The head of one numbered, linked story: a request's, a run's, a person's."""

    name = models.TextField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    head = models.BinaryField(null=True)

    def __str__(self) -> str:
        return f"{self.name} at {self.seq}"


class Pending(models.Model):
    """An event that the sealer has not taken yet."""

    event = models.UUIDField(primary_key=True)
    inserted_at = models.DateTimeField()
    leaf_hash = models.BinaryField()
    place = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.event)


class SubjectKey(models.Model):
    """A random data key of one subject, wrapped; without it the subject's disclosures cannot be read."""

    id = models.UUIDField(primary_key=True, default=uuid6.uuid7)
    subject = models.TextField()
    wrapped = models.BinaryField()
    wrapped_by = models.TextField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.subject


class Disclosure(models.Model):
    """A salted disclosure (RFC 9901), encrypted; its digest stands in the event's `_sd`."""

    digest = models.TextField(primary_key=True)
    event = models.UUIDField()
    name = models.TextField()
    key = models.ForeignKey(SubjectKey, on_delete=models.CASCADE, db_index=False)
    ciphertext = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.name} of {self.event}"


class ExportState(models.TextChoices):
    """How far an export is."""

    QUEUED = "queued", "waiting for a worker"
    RUNNING = "running", "being written"
    FINISHED = "finished", "ready"
    FAILED = "failed", "failed"
    REMOVED = "removed", "file removed"


class ExportFormat(models.TextChoices):
    """What an export is written as: evidence that can be checked offline, the bodies alone, or a table."""

    BUNDLE = "bundle", "Evidence"
    JSONL = "jsonl", "JSON Lines"
    CSV = "csv", "CSV"


class ExportQuerySet(BackgroundWorkQuerySet["Export"]):
    """The words in which exports are asked for."""

    def visible_to(self, user: Person) -> Self:
        """All exports for whoever may export the log; none for anybody else."""
        return self if user.is_active and user.has_perm("accounts.export_audit") else self.none()

    def from_before_an_erasure(self) -> Self:
        """Those that may still hold in the clear what was erased since they were asked for."""
        later = Erasure.objects.filter(
            state=ErasureState.CONFIRMED, decided_at__gte=models.OuterRef("created_at")
        )
        return self.filter(models.Exists(later), with_disclosures=True)

    def move(self, pk: UUID, source: ExportState, target: ExportState, **changes: Any) -> bool:
        """Whether the export stood at `source` and now stands at `target`."""
        return self.filter(pk=pk, state=source).update(state=target, **changes) == 1


class Export(BackgroundWork):
    """An export that somebody asked for, and the file it became.

    What follows `with_…` is an evidence export's own: `size` is that of the checkpoint, kept from the first attempt on;
    `since_size` that of a checkpoint that the asker knows; `completeness` what the manifest claims.
    """

    id = models.UUIDField(primary_key=True, default=uuid6.uuid7)
    format = models.CharField(max_length=8, choices=ExportFormat.choices)
    filters = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=ExportState.choices, default=ExportState.QUEUED)
    until = models.DateTimeField()
    events = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=71, blank=True)
    challenge = models.CharField(max_length=200, null=True)
    with_disclosures = models.BooleanField(default=False)
    with_documents = models.BooleanField(default=False)
    with_sensitive = models.BooleanField(default=False)
    since_size = models.BigIntegerField(null=True)
    size = models.BigIntegerField(null=True)
    not_sealed = models.BigIntegerField(default=0)
    disclosures = models.BigIntegerField(default=0)
    completeness = models.JSONField(default=dict)

    objects = ExportQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="audit_export_state", condition=models.Q(state__in=ExportState.values)
            ),
            models.CheckConstraint(
                name="audit_export_format", condition=models.Q(format__in=ExportFormat.values)
            ),
            models.CheckConstraint(
                name="audit_export_finished_has_digest",
                condition=~models.Q(state="finished") | ~models.Q(sha256=""),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-created_at", "-id"], name="audit_export_newest")
        ]

    def __str__(self) -> str:
        return f"{self.format} export {self.id}"

    @property
    def file_name(self) -> str:
        """The file's name, in the data directory and for whoever downloads it."""
        suffix = "zip" if self.format == ExportFormat.BUNDLE else self.format
        return f"countersign-audit-{self.id}.{suffix}"
