"""How often a tool may be called. Pure."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Rate(BaseModel):
    """So many calls in so many seconds, by all workers together.

    `burst` calls may come at once (as many as `calls`, unless given); after that they come evenly.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    calls: int = Field(gt=0)
    seconds: float = Field(gt=0, allow_inf_nan=False)
    burst: int | None = Field(default=None, gt=0)

    @classmethod
    def per_second(cls, calls: int, *, burst: int | None = None) -> Self:
        return cls(calls=calls, seconds=1, burst=burst)

    @classmethod
    def per_minute(cls, calls: int, *, burst: int | None = None) -> Self:
        return cls(calls=calls, seconds=60, burst=burst)

    @property
    def each_second(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    @property
    def at_once(self) -> int:
        return self.burst or self.calls
