"""Prices of models over REST: translate, one domain call, translate back."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict, Field

from accounts.doors import signed_in
from accounts.vocabulary import Permission
from agents.models import ModelPrice
from agents.services.set_price import MOST_MICROS, set_price
from audit.paging import page

router = Router()

Micros = Annotated[int, Field(ge=0, le=MOST_MICROS, strict=True)]


class PriceIn(Schema):
    """What a million tokens of a model cost, in millionths of the currency unit. Without `holds_from`: from
    now on."""

    model_config = ConfigDict(extra="forbid")
    model: Annotated[str, Field(min_length=1, max_length=200)]
    input_micros: Micros
    cached_micros: Micros
    output_micros: Micros
    holds_from: AwareDatetime | None = None


class PriceList(Schema):
    items: list[dict[str, Any]]
    next_cursor: str | None


@router.get("prices", response=PriceList, tags=["prices"], summary="List prices of models")
def list_prices(
    request: HttpRequest, model: str | None = None, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """All that were ever set, the ones set last first; for those who manage agents or read everything."""
    caller = signed_in(request)
    permission: Permission = (
        "read_everything" if caller.holds("read_everything") else "manage_agents"
    )
    caller.require(permission, scope="read")
    rows = ModelPrice.objects.select_related("set_by")
    if model is not None:
        rows = rows.filter(model=model)
    found = page(rows, order=("-set_at", "-id"), cursor=cursor, limit=limit)
    return {"items": [_as_json(each) for each in found.items], "next_cursor": found.next_cursor}


@router.post("prices", response={201: dict[str, Any]}, tags=["prices"], summary="Set a price")
def post_price(request: HttpRequest, body: PriceIn) -> Status[dict[str, Any]]:
    """Calls that are made from then on are charged by it; what was charged before stays."""
    return Status(201, _as_json(set_price(caller=signed_in(request), **body.model_dump())))


def _as_json(price: ModelPrice) -> dict[str, Any]:
    """A price; `set_by` null: it came with the product."""
    return {
        "id": price.pk,
        "model": price.model,
        "input_micros": price.input_micros,
        "cached_micros": price.cached_micros,
        "output_micros": price.output_micros,
        "holds_from": price.holds_from.isoformat(),
        "set_by": price.set_by.username if price.set_by else None,
        "set_at": price.set_at.isoformat(),
    }
