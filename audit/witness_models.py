"""Witnesses of the log: how far each one has followed it, and what they signed."""

from django.db import models

from audit.attempts import Attempted
from audit.merkle.cosignatures import WitnessKey
from audit.sealed_models import Checkpoint


class WitnessState(Attempted):
    """The size of the log `origin` that a witness has cosigned last, as far as is known here. The row's lock makes
    one caller of many."""

    name = models.CharField(primary_key=True, max_length=63)
    key = models.TextField()
    origin = models.TextField(default="")
    size = models.BigIntegerField(default=0)
    cosigned_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "audit"
        db_table = "audit_witness"

    def __str__(self) -> str:
        return f"{self.name} at {self.size}"


class Cosignature(models.Model):
    """A witness's signature over a checkpoint, verified when it came. `line` is as it stands in a note."""

    id = models.BigAutoField(primary_key=True)
    checkpoint = models.ForeignKey(
        Checkpoint, on_delete=models.PROTECT, related_name="cosignatures"
    )
    key = models.TextField()
    line = models.TextField()
    cosigned_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        app_label = "audit"
        constraints = [
            models.UniqueConstraint(
                fields=["checkpoint", "key"], name="audit_cosignature_once_a_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.witness} on checkpoint {self.checkpoint_id}"

    @property
    def witness(self) -> str:
        """The name under which the witness signs."""
        return WitnessKey.read(self.key).name
