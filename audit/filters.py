"""Which events somebody asks for: the one definition behind page, API and export."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from django.db.models import Func
from django.db.models import UUIDField as DbUUIDField
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from audit.fact_schemas import moment_text
from audit.facts import FACTS
from audit.models import EventQuerySet
from audit.people import id_of
from audit.record_keeping import Sample


class Unnest(Func):
    """A row for each element of an array."""

    function = "unnest"
    output_field = DbUUIDField()


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def types_named(text: str) -> list[str]:
    """The event types that a filter names: one, or with `request.*` all that begin so."""
    if text.endswith(".*"):
        return [name for name in FACTS if name.startswith(text[:-1])]
    return [text] if text in FACTS else []


class EventFilter(BaseModel):
    """All given conditions must hold; `since` is included, `until` is not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Words | None = Field(
        None,
        description="An event type, or all of one kind: request.*",
        examples=["request.decided"],
    )
    person: Words | None = Field(None, description="A user name, or a person's id")
    agent: Words | None = Field(None, description="An agent's slug")
    tool: Words | None = Field(None, description="A tool's name")
    run: UUID | None = None
    request: UUID | None = None
    stream: Words | None = Field(None, description="One story, such as request:<id> or policy")
    sample: UUID | None = Field(None, description="The events of a random sample that was drawn")
    since: AwareDatetime | None = Field(None, description="Inserted at this moment or later")
    until: AwareDatetime | None = Field(None, description="Inserted before this moment")

    @field_validator("type")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and not types_named(value):
            raise ValueError(f"there is no event type {value}")
        return value

    def applied_to(self, events: EventQuerySet) -> EventQuerySet:
        """The events among `events` that fit."""
        if self.type is not None:
            events = events.of_type(*types_named(self.type))
        if self.person is not None:
            events = events.by_person(id_of(self.person))
        if self.agent is not None:
            events = events.by_agent(self.agent)
        if self.tool is not None:
            events = events.by_tool(self.tool)
        if self.run is not None:
            events = events.by_run(self.run)
        if self.request is not None:
            events = events.by_request(self.request)
        if self.stream is not None:
            events = events.in_stream(self.stream)
        if self.sample is not None:
            drawn = Sample.objects.filter(pk=self.sample)
            events = events.filter(pk__in=drawn.annotate(each=Unnest("chosen")).values("each"))
        return events.between(self.since, self.until)

    def given(self) -> dict[str, str]:
        """What was asked for, as short texts: for storing, for the log and for addresses."""
        return {
            name: moment_text(value) if isinstance(value, dt.datetime) else str(value)
            for name, value in self
            if value is not None
        }

    def resolved(self) -> "EventFilter":
        """The same filter with the person by id: a user name may stand in no event."""
        if self.person is None:
            return self
        return self.model_copy(update={"person": id_of(self.person)})

    @classmethod
    def read(cls, given: dict[str, Any]) -> "EventFilter":
        """The filter that `given()` wrote."""
        return cls.model_validate(given)
