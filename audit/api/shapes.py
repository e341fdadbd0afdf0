"""What the addresses of the log share: moments, people, pages."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from ninja import Field, Schema
from pydantic import AwareDatetime

from audit.paging import LARGEST_PAGE
from audit.people import names_of

# Ninja would cut datetimes to milliseconds; the log's moments have microseconds everywhere.
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Limit = Annotated[int, Field(ge=1, le=LARGEST_PAGE)]
Since = Annotated[AwareDatetime, Field(description="Inserted at this moment or later")]
Until = Annotated[AwareDatetime, Field(description="Inserted before this moment")]


class WhoOut(Schema):
    """Somebody as events name them. `name` is what they are called now; null where nobody has that id, as of
    whoever asked by a command."""

    id: str
    name: str | None

    @classmethod
    def named(cls, ids: Iterable[str]) -> Mapping[str, Self]:
        """Each of the ids, looked up once for all of them; an empty id stands for nobody and is left out."""
        wanted = {each for each in ids if each}
        names = names_of(wanted)
        return {each: cls(id=each, name=names.get(each)) for each in wanted}
