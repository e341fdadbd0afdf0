"""Say what a model costs from a moment on. What was charged before stays as it was charged."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import transaction

from accounts.callers import Caller
from agents.errors import PriceInvalid
from agents.models import ModelPrice
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import CODE_PATTERN

MOST_MICROS = 10_000_000_000
"""Of a million tokens: far above what anybody asks, and such that no sum leaves the numbers of JSON."""
_NAME = re.compile(CODE_PATTERN)


def set_price(
    *,
    model: str,
    input_micros: int,
    cached_micros: int,
    output_micros: int,
    caller: Caller,
    holds_from: datetime | None = None,
) -> ModelPrice:
    """Add a price of a million tokens, in millionths of the currency unit, that holds from that moment, or
    from now. Of two that hold from the same moment, the later one counts.

    `model` as agents name it. Raises a Forbidden, PriceInvalid.
    """
    caller.require("manage_agents", scope="admin")
    if not _NAME.fullmatch(model):
        raise PriceInvalid(
            "model", "Write the model as agents name it: letters, digits and . _ : / @ + - alone."
        )
    for field, micros in (
        ("input_micros", input_micros),
        ("cached_micros", cached_micros),
        ("output_micros", output_micros),
    ):
        if not 0 <= micros <= MOST_MICROS:
            raise PriceInvalid(
                field, f"A million tokens cost from 0 to {MOST_MICROS // 1_000_000:,}."
            )
    with transaction.atomic():
        now = database_now()
        return note_price(
            ModelPrice(
                model=model,
                input_micros=input_micros,
                cached_micros=cached_micros,
                output_micros=output_micros,
                holds_from=holds_from or now,
                set_by=caller.user,
                set_at=now,
            ),
            caller.actor,
        )


def note_price(price: ModelPrice, actor: Actor) -> ModelPrice:
    """Insert a price and record it. The caller holds a transaction."""
    price.save(force_insert=True)
    record(
        type="price.set",
        actor=actor,
        stream="log",
        facts={
            "model": price.model,
            "input_micros": price.input_micros,
            "cached_micros": price.cached_micros,
            "output_micros": price.output_micros,
            "holds_from": price.holds_from,
        },
    )
    return price
