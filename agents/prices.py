"""What a model call costs, by the prices that held when it was made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from django.conf import settings

from agents.models import ModelPrice
from audit.prepared import Prepared

MILLION = 1_000_000


class Priced(Protocol):
    """What a million tokens cost, in millionths of the currency unit."""

    @property
    def input_micros(self) -> int: ...
    @property
    def cached_micros(self) -> int: ...
    @property
    def output_micros(self) -> int: ...


_holding = Prepared(
    lambda model, at: ModelPrice.objects.filter(model=model, holds_from__lte=at).newest_first()[:1],
    "",
    datetime(2000, 1, 1, tzinfo=UTC),
)


def price_of(model: str, at: datetime) -> ModelPrice | None:
    """The price that holds at that moment; None where nobody said one. One statement."""
    return _holding.one(model, at)


def cost_micros(
    model: str, *, tokens_in: int, cached_in: int, tokens_out: int, at: datetime
) -> int | None:
    """What a call costs, in millionths of the currency unit, rounded up; None: no price is known.

    `model` as the agent names it (`endpoint/model`, or plainly the model of the default endpoint).
    `cached_in` is the part of `tokens_in` that the server had in its cache.
    """
    price = price_of(model, at)
    return None if price is None else charge(price, tokens_in, cached_in, tokens_out)


def upper_estimate(model: str, tokens_in: int, at: datetime) -> int | None:
    """What a call may cost before it is made, in millionths of the currency unit; None: no price is known.

    Nothing counts as cached, and the reply as long as `COUNTERSIGN_MODEL_REPLY_TOKENS` says.
    """
    return cost_micros(
        model,
        tokens_in=tokens_in,
        cached_in=0,
        tokens_out=settings.COUNTERSIGN.model_reply_tokens,
        at=at,
    )


def charge(price: Priced, tokens_in: int, cached_in: int, tokens_out: int) -> int:
    """Millionths of the currency unit for these tokens, rounded up: only what is free costs nothing."""
    cached = min(cached_in, tokens_in)
    whole = (
        (tokens_in - cached) * price.input_micros
        + cached * price.cached_micros
        + tokens_out * price.output_micros
    )
    return -(-whole // MILLION)
