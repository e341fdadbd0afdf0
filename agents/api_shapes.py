"""Bodies that several addresses of runs and agents take."""

from __future__ import annotations

from typing import Annotated

from ninja import Schema
from pydantic import ConfigDict, Field


class Body(Schema):
    """Base of request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ReasonIn(Body):
    """Why, for the log."""

    reason: Annotated[str, Field(max_length=2_000)] = ""
