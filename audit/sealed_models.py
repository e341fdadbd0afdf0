"""The sealed log's tables. The sealer writes them, through its own login; everybody else reads."""

from typing import ClassVar, Final, Self

from django.db import models

from audit.merkle.notes import VerifierKey


class Log(models.Model):
    """One log identity. `former` is the last checkpoint of the log that it took over from, if any."""

    id = models.BigIntegerField(primary_key=True)
    origin = models.TextField(unique=True)
    first_size = models.BigIntegerField()
    former = models.TextField(default="")
    began_at = models.DateTimeField()

    class Meta:
        app_label = "audit"

    def __str__(self) -> str:
        return self.origin


class LogKey(models.Model):
    """A key that signs, or signed, a log's checkpoints; `verifier` is its C2SP `name+hash+base64`."""

    verifier = models.TextField(primary_key=True)
    log = models.ForeignKey(Log, on_delete=models.PROTECT, related_name="keys")
    added_at = models.DateTimeField()
    added_size = models.BigIntegerField()
    retired_at = models.DateTimeField(null=True)
    retired_size = models.BigIntegerField(null=True)

    class Meta:
        app_label = "audit"

    def __str__(self) -> str:
        return self.verifier

    @property
    def key(self) -> VerifierKey:
        """The public key and its name."""
        return VerifierKey.read(self.verifier)


class Leaf(models.Model):
    """An event's place in the log, and its hash as it was when it was written."""

    index = models.BigIntegerField(primary_key=True)
    event = models.UUIDField(unique=True)
    event_inserted_at = models.DateTimeField()
    leaf_hash = models.BinaryField()

    class Meta:
        app_label = "audit"

    def __str__(self) -> str:
        return f"{self.index}: {self.event}"


class Tile(models.Model):
    """Up to 256 hashes of 32 bytes of one level of the tree (`audit.merkle.tiles`)."""

    pk = models.CompositePrimaryKey("level", "n")
    level = models.SmallIntegerField()
    n = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        app_label = "audit"

    def __str__(self) -> str:
        return f"tile {self.n} of level {self.level}"


class TreeState(models.Model):
    """How many leaves there are and their root: one row, whose lock makes one sealer of many.

    `halted_because` stays until an operator lifts it; `trouble` until a sealer got on.
    """

    THE_ONE: ClassVar[int] = 1

    id = models.SmallIntegerField(primary_key=True)
    size = models.BigIntegerField()
    root = models.BinaryField()
    sealed_at = models.DateTimeField(null=True)
    halted_at = models.DateTimeField(null=True)
    halted_because = models.TextField(default="")
    trouble = models.TextField(default="")

    class Meta:
        app_label = "audit"

    def __str__(self) -> str:
        return f"{self.size} leaves"


#: The same as `CheckpointQuerySet.standing`, for statements that are written out.
STANDING_CHECKPOINTS: Final = """(
    SELECT * FROM audit_checkpoint AS signed WHERE NOT EXISTS (
        SELECT FROM audit_log AS later
        WHERE later.id > signed.log_id AND later.first_size < signed.size))"""


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    """The words in which checkpoints are asked for."""

    def standing(self) -> Self:
        """Those of the log as it is, one of a size.

        Where a log lost events and was followed by a successor with fewer, what the lost ones were signed under is
        still there, and says nothing of the successor.
        """
        return self.filter(~_outlived())

    def outlived(self) -> Self:
        """The others: signed over events that the successor of their log does not have."""
        return self.filter(_outlived())

    def marked(self) -> Self:
        """All of them; `is_outlived` tells the ones from the others."""
        return self.annotate(is_outlived=_outlived())

    def newest(self) -> "Checkpoint | None":
        return self.standing().order_by("-size").first()


def _outlived() -> models.Exists:
    later = Log.objects.filter(
        pk__gt=models.OuterRef("log_id"), first_size__lt=models.OuterRef("size")
    )
    return models.Exists(later)


class Checkpoint(models.Model):
    """A signed size and root of a log, as it was published."""

    id = models.BigIntegerField(primary_key=True)
    size = models.BigIntegerField()
    root = models.BinaryField()
    log = models.ForeignKey(Log, on_delete=models.PROTECT, db_index=False)
    note = models.TextField()
    signed_at = models.DateTimeField()

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        app_label = "audit"
        constraints = [
            models.UniqueConstraint(fields=["size", "log"], name="audit_checkpoint_once_a_size")
        ]

    def __str__(self) -> str:
        return f"checkpoint at {self.size}"

    @property
    def root_hex(self) -> str:
        """The root as 64 hexadecimal digits."""
        return bytes(self.root).hex()
