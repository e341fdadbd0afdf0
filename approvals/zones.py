"""Time zones by their names in the IANA database. Pure."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from django.utils.translation import gettext
from pydantic import AfterValidator


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(
            gettext("there is no time zone {name}; write one such as Europe/Berlin").format(
                name=name
            )
        ) from error
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]
