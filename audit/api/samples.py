"""Random samples: drawn, listed, read again."""

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from pydantic import ConfigDict

from audit.api.shapes import Limit, Moment, WhoOut
from audit.fact_schemas import moment_text
from audit.filters import EventFilter
from audit.paging import page
from audit.ports import caller_of
from audit.record_keeping import LARGEST_SAMPLE, Sample
from audit.sampling import rank
from audit.services.draw_sample import draw_sample, find_sample

router = Router()


class SampleIn(Schema):
    """What to draw from, by which seed, and how much. Without a seed: a random one."""

    model_config = ConfigDict(extra="forbid")

    filters: EventFilter = EventFilter()
    seed: Annotated[str, Field(max_length=64)] = ""
    size: Annotated[int, Field(ge=1, le=LARGEST_SAMPLE)]


class DrawnOut(Schema):
    """One event of a sample: its place in the draw, its rank, its id."""

    place: int
    rank: str
    event: UUID


class DrawOut(Schema):
    """What it takes to draw a sample again, and who drew it when."""

    id: UUID
    filters: dict[str, str]
    seed: str
    size: int
    population: int
    until: Moment
    drawn_by: WhoOut
    drawn_at: Moment


class SampleOut(DrawOut):
    """A sample with its events, in the order of the draw."""

    events: list[DrawnOut]


class SamplesOut(Schema):
    """A page of samples, newest first, without their events."""

    items: list[DrawOut]
    next_cursor: str | None = None


@router.get("audit/samples", response=SamplesOut, summary="Samples", operation_id="list_samples")
def list_samples(request: HttpRequest, cursor: str | None = None, limit: Limit = 50) -> SamplesOut:
    """Samples that were drawn, newest first. Needs the scope `audit`."""
    caller_of(request).require("read_audit", scope="audit")
    shown = page(Sample.objects.all(), cursor=cursor, limit=limit)
    people = WhoOut.named(sample.drawn_by for sample in shown.items)
    return SamplesOut(
        items=[_draw(sample, people[sample.drawn_by]) for sample in shown.items],
        next_cursor=shown.next_cursor,
    )


@router.post(
    "audit/samples",
    response={201: SampleOut},
    summary="Draw a random sample",
    operation_id="draw_sample",
)
def create_sample(request: HttpRequest, wish: SampleIn) -> Status[SampleOut]:
    """By seed, so that anybody can draw the same events again. Recorded in the log."""
    drawn = draw_sample(
        chosen=wish.filters, seed=wish.seed, size=wish.size, caller=caller_of(request)
    )
    return Status(201, _out(drawn))


@router.get(
    "audit/samples/{uuid:sample_id}",
    response=SampleOut,
    summary="Look at a sample",
    operation_id="read_sample",
)
def read_sample(request: HttpRequest, sample_id: UUID) -> SampleOut:
    """The events in the order of the draw."""
    return _out(find_sample(sample_id, caller=caller_of(request)))


def _draw(sample: Sample, who: WhoOut) -> DrawOut:
    return DrawOut(
        id=sample.pk,
        filters=sample.filters,
        seed=sample.seed,
        size=sample.size,
        population=sample.population,
        until=moment_text(sample.until),
        drawn_by=who,
        drawn_at=moment_text(sample.created_at),
    )


def _out(sample: Sample) -> SampleOut:
    who = WhoOut.named([sample.drawn_by])[sample.drawn_by]
    return SampleOut(
        **dict(_draw(sample, who)),
        events=[
            DrawnOut(place=place, rank=rank(sample.seed, event), event=event)
            for place, event in enumerate(sample.chosen, start=1)
        ],
    )
