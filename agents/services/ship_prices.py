"""Bring the prices that come with the product into the table, beside those that people set."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from agents.models import ModelPrice
from agents.services.set_price import note_price
from audit.actors import Actor
from audit.clock import database_now

SHIPPED = Path(__file__).parent.parent / "shipped_prices.json"


def ship_prices(*, actor: Actor) -> list[str]:
    """Add those that are not there; the models they are of.

    A model that somebody priced is left alone: they know what they pay.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two deploys at once would both find the same ones missing.
            cursor.execute("LOCK TABLE agents_modelprice IN SHARE ROW EXCLUSIVE MODE")
        known = list(ModelPrice.objects.values_list("model", "holds_from", "set_by"))
        shipped = {(model, since) for model, since, by in known if by is None}
        priced = {model for model, _, by in known if by is not None}
        added = []
        now = database_now()
        for each in _shipped():
            price = _price(each, now)
            if price.model not in priced and (price.model, price.holds_from) not in shipped:
                added.append(note_price(price, actor).model)
        return added


def shipped_models() -> frozenset[str]:
    """Models whose price comes with the product."""
    return frozenset(each["model"] for each in _shipped())


def _shipped() -> list[dict[str, Any]]:
    prices: list[dict[str, Any]] = json.loads(SHIPPED.read_text())
    return prices


def _price(shipped: dict[str, Any], now: datetime) -> ModelPrice:
    """One entry of the file; its prices are in the currency unit for a million tokens."""
    return ModelPrice(
        model=shipped["model"],
        input_micros=_micros(shipped["input"]),
        cached_micros=_micros(shipped["cached"]),
        output_micros=_micros(shipped["output"]),
        holds_from=datetime.fromisoformat(shipped["from"]).replace(tzinfo=UTC),
        set_at=now,
    )


def _micros(amount: str) -> int:
    return int(Decimal(amount) * 1_000_000)
