"""What the page of prices sends."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from agents.services.set_price import MOST_MICROS
from audit.wordings import str_later

MILLION = 1_000_000


def _amount(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=str_later(label),
        min_value=Decimal(0),
        max_value=Decimal(MOST_MICROS // MILLION),
        max_digits=12,
        decimal_places=6,
        localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Say what it costs; 0 where it costs nothing.")},
    )


class PriceForm(forms.Form):
    """A price to set, in dollars for a million tokens."""

    model = forms.CharField(
        max_length=200,
        label=gettext_lazy("Model"),
        help_text=gettext_lazy(
            "As agents name it: endpoint/model, or the model of the default endpoint."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Say which model.")},
    )
    input_price = _amount("A million tokens of input, in dollars")
    cached_price = _amount("A million tokens of input that were cached, in dollars")
    output_price = _amount("A million tokens of output, in dollars")
    holds_from = forms.DateField(
        required=False,
        label=gettext_lazy("From the beginning of which day (UTC)"),
        help_text=gettext_lazy("From now on, when empty. What was charged before stays as it is."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    @property
    def price(self) -> dict[str, Any]:
        """A valid form as `set_price` takes it."""
        day = self.cleaned_data["holds_from"]
        return {
            "model": self.cleaned_data["model"],
            "input_micros": int(self.cleaned_data["input_price"] * MILLION),
            "cached_micros": int(self.cleaned_data["cached_price"] * MILLION),
            "output_micros": int(self.cleaned_data["output_price"] * MILLION),
            "holds_from": datetime.combine(day, time(), UTC) if day else None,
        }


FIELDS = {
    "model": "model",
    "input_micros": "input_price",
    "cached_micros": "cached_price",
    "output_micros": "output_price",
}
"""The field of the form for each one that `PriceInvalid` names."""
