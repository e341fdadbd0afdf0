"""How far each sink has been given the sealed log."""

from uuid import UUID

import uuid6
from django.db import models

from audit.attempts import Attempted


class SinkCursor(Attempted):
    """The place that a sink is to get next, and how its last attempts went. Its row's lock makes one sender of many.

    `until` and `size` are the end of the batch that is on its way and of the checkpoint over it; they are committed
    before anything is sent, so that an attempt after a crash sends the same batch. None is on its way where
    `until` is `next`. `series` makes the ids of batches its own: a sink that is moved gets what it had before under
    other ids.
    """

    name = models.CharField(primary_key=True, max_length=63)
    next = models.BigIntegerField()
    until = models.BigIntegerField()
    size = models.BigIntegerField(default=0)
    series = models.UUIDField(default=uuid6.uuid7)
    declared_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "audit"
        db_table = "audit_sink"
        constraints = [
            models.CheckConstraint(
                name="audit_sink_goes_forward",
                condition=models.Q(next__gte=0, until__gte=models.F("next")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} at {self.next}"

    @property
    def is_under_way(self) -> bool:
        """Whether a batch was chosen and is not known to be delivered."""
        return self.until > self.next

    @property
    def on_its_way(self) -> tuple[UUID, int, int]:
        """What names the batch that was chosen."""
        return self.series, self.next, self.until
