"""Auditors' tools for programs: samples, and what an event keeps apart."""

from typing import Annotated, Any, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from pydantic import ConfigDict

from audit.errors import NotFound
from audit.fact_schemas import moment_text
from audit.filters import EventFilter
from audit.models import Event
from audit.ports import Caller
from audit.record_keeping import LARGEST_SAMPLE, Sample
from audit.sampling import rank
from audit.services.disclose import disclose
from audit.services.draw_sample import draw_sample, find_sample

router = Router(tags=["audit"])

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class UnknownEvent(NotFound):
    """There is no such event, or its body is no longer kept."""

    code = "unknown_event"

    def __init__(self, event: UUID) -> None:
        super().__init__(f"There is no event {event}.", params={"event": str(event)})


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


class SampleOut(Schema):
    """A sample and what it takes to draw it again."""

    id: UUID
    filters: dict[str, str]
    seed: str
    size: int
    population: int
    until: Moment
    events: list[DrawnOut]


class DisclosureOut(Schema):
    """One value that an event keeps apart; where it was `erased`, only its digest is left."""

    digest: str
    erased: bool
    name: str | None
    subject: str | None
    value: Any
    problem: str


class DisclosuresOut(Schema):
    """Everything that one event keeps apart."""

    items: list[DisclosureOut]


@router.post(
    "audit/samples",
    response={201: SampleOut},
    summary="Draw a random sample",
    operation_id="draw_sample",
)
def create_sample(request: HttpRequest, wish: SampleIn) -> Status[SampleOut]:
    """By seed, so that anybody can draw the same events again. Recorded in the log."""
    drawn = draw_sample(
        chosen=wish.filters, seed=wish.seed, size=wish.size, caller=_caller(request)
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
    return _out(find_sample(sample_id, caller=_caller(request)))


@router.get(
    "audit/events/{uuid:event_id}/disclosures",
    response=DisclosuresOut,
    summary="Open what an event keeps apart",
    operation_id="read_disclosures",
)
def read_disclosures(request: HttpRequest, event_id: UUID) -> DisclosuresOut:
    """Names, reasons and other personal data. Each opening is recorded in the log."""
    caller = _caller(request)
    caller.require("read_audit", scope="audit")
    event = Event.objects.visible_to(caller.user).filter(pk=event_id).first()
    if event is None:
        raise UnknownEvent(event_id)
    opened = disclose([event], caller=caller).get(event.pk, [])
    return DisclosuresOut(
        items=[
            DisclosureOut(
                digest=each.digest,
                erased=each.erased,
                name=each.name,
                subject=each.subject,
                value=each.value,
                problem=each.problem,
            )
            for each in opened
        ]
    )


def _out(sample: Sample) -> SampleOut:
    return SampleOut(
        id=sample.pk,
        filters=sample.filters,
        seed=sample.seed,
        size=sample.size,
        population=sample.population,
        until=moment_text(sample.until),
        events=[
            DrawnOut(place=place, rank=rank(sample.seed, event), event=event)
            for place, event in enumerate(sample.chosen, start=1)
        ],
    )


def _caller(request: HttpRequest) -> Caller:
    return cast(Caller, request.caller)  # type: ignore[attr-defined]
