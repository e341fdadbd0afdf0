"""What the facts of every kind of event are made of."""

import datetime as dt
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from audit.schemas import Code


def moment_text(moment: dt.datetime) -> str:
    """A moment as events write it: UTC, microseconds, `Z`."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Id = Annotated[
    Code, BeforeValidator(lambda value: str(value) if isinstance(value, UUID | int) else value)
]


Moment = Annotated[AwareDatetime, PlainSerializer(moment_text, return_type=str)]


Codes = Annotated[
    list[Code],
    Field(max_length=200),
    BeforeValidator(lambda value: list(value) if isinstance(value, tuple) else value),
]


class Facts(BaseModel):
    """No facts at all; the base of those that have some."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
