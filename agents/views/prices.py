"""The page of prices: what models cost, from when on and by whom, and setting one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.errors import PriceInvalid
from agents.models import ModelPrice
from agents.price_forms import FIELDS, PriceForm
from agents.services.set_price import set_price
from agents.unpriced import unpriced_models
from audit.clock import database_now


@dataclass(frozen=True)
class PriceRow:
    """One price. `standing`: now, later, or over."""

    price: ModelPrice
    standing: str


@require_http_methods(["GET", "POST"])
@login_required
def price_list(request: HttpRequest) -> HttpResponse:
    """All prices, those that hold now first for each model; admins set one below."""
    caller = signed_in(request)
    if not may_read(caller):
        raise PermissionDenied(
            gettext("Those who manage agents see what models cost, and auditors.")
        )
    may_set = caller.holds("manage_agents")
    posted = request.POST if request.method == "POST" else None
    if posted is not None and not may_set:
        raise PermissionDenied(gettext("Those who manage agents set prices."))
    form = PriceForm(posted, initial={"model": request.GET.get("model", "")})
    if posted is not None and form.is_valid():
        try:
            price = set_price(caller=caller, **form.price)
        except PriceInvalid as refusal:
            form.add_error(FIELDS[refusal.params["field"]], refusal.detail)
        else:
            messages.success(
                request, gettext("The price of {model} is set.").format(model=price.model)
            )
            return redirect("price-list")
    now = database_now()
    context = {
        "rows": rows_now(now),
        "unpriced": unpriced_models(now),
        "form": form,
        "may_set": may_set,
    }
    status = 422 if form.errors else 200
    return render(request, "agents/prices.html", context, status=status)


def may_read(caller: Caller) -> bool:
    return caller.holds("manage_agents") or caller.holds("read_everything")


def rows_now(now: datetime) -> list[PriceRow]:
    """Every price by model, with whether it holds at that moment."""
    rows: list[PriceRow] = []
    held: set[str] = set()
    for price in ModelPrice.objects.select_related("set_by").newest_first():
        if price.holds_from > now:
            standing = "later"
        elif price.model in held:
            standing = "over"
        else:
            standing = "now"
            held.add(price.model)
        rows.append(PriceRow(price, standing))
    return rows
