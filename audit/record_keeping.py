"""Tables of those who keep the records: legal holds, erasures, months whose bodies are gone, samples."""

import datetime as dt
from typing import Any, ClassVar, Final

import uuid6
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class HoldScope(models.TextChoices):
    """What a legal hold covers."""

    EVERYTHING = "everything", "everything"
    PERSON = "person", "a person"
    AGENT = "agent", "an agent"
    RUN = "run", "a run"
    REQUEST = "request", "a request"


class HoldQuerySet(models.QuerySet["Hold"]):
    """The words in which holds are asked for."""

    def in_force(self) -> "HoldQuerySet":
        return self.filter(lifted_at=None)


class Hold(models.Model):
    """A legal hold: what it covers is neither erased nor dropped while it stands.

    `target` is a person's id, an agent's slug, a run's or a request's id; empty for everything. `since` and
    `until` bound the events it covers by when they were inserted; empty for all.
    """

    id = models.UUIDField(primary_key=True, default=uuid6.uuid7)
    matter = models.CharField(max_length=100)
    why = models.TextField()
    scope = models.CharField(max_length=10, choices=HoldScope.choices)
    target = models.CharField(max_length=150, blank=True)
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    set_by = models.TextField()
    set_at = models.DateTimeField()
    lifted_by = models.TextField(blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    objects = HoldQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="audit_hold_names_what_it_covers",
                condition=Q(scope="everything", target="")
                | (~Q(scope="everything") & ~Q(target="")),
            ),
            models.CheckConstraint(
                name="audit_hold_lifted_by_somebody",
                condition=Q(lifted_at=None, lifted_by="")
                | (Q(lifted_at__isnull=False) & ~Q(lifted_by="")),
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["-set_at", "-id"], name="audit_hold_newest")]

    def __str__(self) -> str:
        return f"{self.matter}: {self.covered}"

    @property
    def covered(self) -> str:
        """What it covers, in words."""
        what = self.get_scope_display()
        return f"{what}: {self.target}" if self.target else what

    def events(self) -> Q:
        """The condition on events that it covers."""
        condition = {
            HoldScope.PERSON: Q(actor_kind="person", actor_id=self.target)
            | Q(stream=f"person:{self.target}"),
            HoldScope.AGENT: Q(agent=self.target) | Q(stream=f"agent:{self.target}"),
            HoldScope.RUN: Q(run=self.target) | Q(stream=f"run:{self.target}"),
            HoldScope.REQUEST: Q(request=self.target) | Q(stream=f"request:{self.target}"),
        }.get(HoldScope(self.scope), Q())
        return condition & self._between(self.since, self.until)

    @staticmethod
    def _between(since: dt.datetime | None, until: dt.datetime | None) -> Q:
        condition = Q()
        if since is not None:
            condition &= Q(inserted_at__gte=since)
        if until is not None:
            condition &= Q(inserted_at__lt=until)
        return condition


class ErasureState(models.TextChoices):
    """How far an erasure is."""

    PROPOSED = "proposed", "waits for a second person"
    CONFIRMED = "confirmed", "erased"
    DECLINED = "declined", "declined"


class ErasureReason(models.TextChoices):
    """Why something is erased, as the log says it."""

    ASKED = "asked", "The person it is about asked for it"
    NOT_NEEDED = "not_needed", "It is not needed any more"
    MISTAKE = "mistake", "It should not have been recorded"
    ORDERED = "ordered", "A court or an authority ordered it"


class Erasure(models.Model):
    """What the log keeps apart about one subject, to be erased once a second person confirms.

    `subject` is what the disclosures were recorded under, such as `person:7`; `disclosures` how many there were.
    """

    id = models.UUIDField(primary_key=True, default=uuid6.uuid7)
    subject = models.CharField(max_length=200)
    reason_code = models.CharField(max_length=20, choices=ErasureReason.choices)
    state = models.CharField(
        max_length=10, choices=ErasureState.choices, default=ErasureState.PROPOSED
    )
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    decided_by = models.TextField(blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    disclosures = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="audit_erasure_state", condition=Q(state__in=ErasureState.values)
            ),
            # The last line: whoever proposes an erasure never confirms it.
            models.CheckConstraint(
                name="audit_erasure_takes_two",
                condition=~Q(state="confirmed")
                | (~Q(decided_by="") & ~Q(decided_by=models.F("proposed_by"))),
            ),
            models.UniqueConstraint(
                fields=["subject"],
                condition=Q(state="proposed"),
                name="audit_erasure_open_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-proposed_at", "-id"], name="audit_erasure_newest")
        ]

    def __str__(self) -> str:
        return f"erasure of {self.subject}"


class Retired(models.Model):
    """A month of the log whose bodies were dropped. `leaves_sha256` is over its leaf hashes, by place."""

    partition = models.TextField(primary_key=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    events = models.BigIntegerField()
    leaves_sha256 = models.BinaryField()
    dropped_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.partition


class RetiredStream(models.Model):
    """The part of a stream that lay in such a month: numbers, the link into it and its last leaf hash."""

    id = models.BigAutoField(primary_key=True)
    partition = models.ForeignKey(Retired, on_delete=models.PROTECT, db_index=False)
    stream = models.TextField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    prev = models.BinaryField(null=True)
    head = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.stream} {self.first_seq} to {self.last_seq}"


LARGEST_SAMPLE: Final = 1_000


class Sample(models.Model):
    """Events drawn at random from a population, so that anybody can draw the same ones again.

    The population is every event that fits `filters` and was inserted before `until` (see `draw_sample`);
    `chosen` are the ids in the order of the draw (see `audit.sampling`).
    """

    id = models.UUIDField(primary_key=True, default=uuid6.uuid7)
    drawn_by = models.TextField()
    filters = models.JSONField(default=dict)
    until = models.DateTimeField()
    seed = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    population = models.BigIntegerField()
    chosen: Any = ArrayField(models.UUIDField(), default=list)
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["-created_at", "-id"], name="audit_sample_newest")
        ]

    def __str__(self) -> str:
        return f"sample of {self.size} by the seed {self.seed}"

    def told(self) -> dict[str, str]:
        """What it takes to draw it again, as an export's manifest says it."""
        said = {
            "seed": self.seed,
            "size": str(self.size),
            "population": str(self.population),
            "until": self.until.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            **{f"population_{name}": value for name, value in self.filters.items()},
        }
        return {f"sample_{name}": value for name, value in said.items()}
