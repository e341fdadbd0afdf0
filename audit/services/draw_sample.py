"""Draw a seeded random sample from the events that a filter chooses."""

import datetime as dt
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import F, Func, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext

from audit.clock import database_now
from audit.errors import Invalid, NotFound
from audit.filters import EventFilter
from audit.models import Event
from audit.ports import Caller
from audit.record_keeping import LARGEST_SAMPLE, Sample
from audit.recorder import record
from audit.sampling import SEED, fresh_seed
from audit.schemas import Disclose

LONGEST_DRAW_SECONDS = 20
_CANCELLED = "57014"


class BadSample(Invalid):
    """A seed or a size that no sample is drawn by."""

    code = "bad_sample"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message, params={"errors": [{"field": field, "message": message}]})


class PopulationTooLarge(Invalid):
    """The population could not be gone through in time."""

    code = "population_too_large"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "Going through these events takes longer than {longest_draw_seconds} seconds. "
                "Narrow the population, for example to a month."
            ).format(longest_draw_seconds=LONGEST_DRAW_SECONDS)
        )


class UnknownSample(NotFound):
    """There is no such sample, or not for this caller."""

    code = "unknown_sample"

    def __init__(self, sample_id: UUID) -> None:
        super().__init__(
            gettext("There is no sample {sample_id}.").format(sample_id=sample_id),
            params={"sample": str(sample_id)},
        )


def draw_sample(*, chosen: EventFilter, seed: str, size: int, caller: Caller) -> Sample:
    """Draw `size` events (1 to 1,000) by `seed` (letters, digits and `_.:/@+-`; empty: a random one).

    The population ends at the moment of the draw, or where the oldest transaction that is still under way began:
    what commits later cannot belong to it. Raises `BadSample`, `PopulationTooLarge`, or a Forbidden
    unless the caller may read the log.
    """
    caller.require("read_audit", scope="audit")
    seed = seed.strip() or fresh_seed()
    if not SEED.fullmatch(seed):
        raise BadSample("seed", gettext("A seed has 1 to 64 letters, digits and _ . : / @ + -"))
    if not 1 <= size <= LARGEST_SAMPLE:
        raise BadSample(
            "size",
            gettext("A sample holds 1 to {largest_sample} events.").format(
                largest_sample=LARGEST_SAMPLE
            ),
        )
    given = chosen.resolved().given()
    with transaction.atomic():
        now, until = database_now(), _closed_at()
        population, drawn = _drawn(chosen, seed, size, until)
        sample = Sample.objects.create(
            drawn_by=caller.actor.id,
            filters=given,
            until=until,
            seed=seed,
            size=size,
            population=population,
            chosen=drawn,
            created_at=now,
        )
        record(
            type="sample.drawn",
            actor=caller.actor,
            stream="log",
            facts={
                "sample": sample.pk,
                "seed": seed,
                "size": size,
                "population": population,
                "until": until,
                "filtered_by": sorted(given),
            },
            # People type names into filters.
            disclosures=[Disclose("filters", given, f"sample:{sample.pk}")] if given else (),
        )
    return sample


def find_sample(sample_id: UUID, *, caller: Caller) -> Sample:
    """The sample, or `UnknownSample`; raises a Forbidden unless the caller may read the log."""
    caller.require("read_audit", scope="audit")
    sample = Sample.objects.filter(pk=sample_id).first()
    if sample is None:
        raise UnknownSample(sample_id)
    return sample


def _closed_at() -> dt.datetime:
    """No event that is not visible yet can have been inserted before this moment by the application."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least(clock_timestamp(), min(xact_start)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        moment: dt.datetime = cursor.fetchone()[0]
    return moment


def _drawn(chosen: EventFilter, seed: str, size: int, until: dt.datetime) -> tuple[int, list[UUID]]:
    events = chosen.applied_to(Event.objects.filter(inserted_at__lt=until))
    text = Concat(Value(seed), Cast(F("id"), TextField()), output_field=TextField())
    digest = Func(
        Func(text, Value("UTF8"), function="convert_to", output_field=TextField()),
        function="sha256",
        output_field=TextField(),
    )
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)",
                    [f"{LONGEST_DRAW_SECONDS}s"],
                )
            population = events.count()
            drawn = list(events.order_by(digest).values_list("id", flat=True)[:size])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _CANCELLED:
            raise PopulationTooLarge from error
        raise
    return population, drawn
