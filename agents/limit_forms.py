"""The form in which admins set what an agent may use, in units for people."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from agents import amounts
from agents.agent_limits import LARGEST, AgentLimits, Spend
from agents.definitions import Agent, Budget
from agents.models.spend import MEASURES, SPANS
from audit.wordings import Words

#: How many of what is stored make one of what is written.
SCALES: Final[Mapping[str, int]] = {"cost_micros": amounts.MICROS, "active_seconds": 60}
UNITS: Final = Words(
    {
        "active_seconds": "time at work, in minutes",
        "cost_micros": "cost, in dollars",
    }
)
SPEND_WORDS: Final = Words({"cost_micros": "Dollars", "tokens": "Tokens"})


class LimitsForm(forms.Form):
    """What is left empty is as the agent declares it, or without a limit."""

    extend_times = forms.IntegerField(
        label=gettext_lazy("People may extend a run to this many times a cap"),
        min_value=1,
        max_value=100,
        help_text=gettext_lazy("1: a cap that is reached cannot be raised for a run."),
    )
    over_percent = forms.IntegerField(
        label=gettext_lazy("People may let runs exceed a budget by this many percent"),
        min_value=0,
        max_value=100,
        help_text=gettext_lazy("All runs together. 0: nobody may."),
    )

    def __init__(
        self, declared: Agent, limits: AgentLimits, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(
            data,
            initial={"extend_times": limits.extend_times, "over_percent": limits.over_percent},
        )
        self._caps = list(Budget.model_fields)
        for name in self._caps:
            self.fields[f"cap_{name}"] = _cap_field(declared, name, limits.caps.get(name))
        for span, spend in limits.spends.items():
            for measure in MEASURES:
                self.fields[f"{span}_{measure}"] = _amount_field(
                    SPEND_WORDS[measure],
                    measure,
                    getattr(spend, measure),
                    gettext("Empty: no limit."),
                )

    @property
    def cap_fields(self) -> list[forms.BoundField]:
        """The fields of the caps of one run."""
        return [self[f"cap_{name}"] for name in self._caps]

    @property
    def spend_fields(self) -> list[dict[str, Any]]:
        """The fields of what may be spent, by span."""
        titles = {"day": gettext("In a day"), "month": gettext("In a month")}
        return [
            {"title": titles[span], "fields": [self[f"{span}_{measure}"] for measure in MEASURES]}
            for span in SPANS
        ]

    def limits(self) -> AgentLimits:
        """What was written; only after is_valid()."""
        caps = {name: self._stored(f"cap_{name}", name) for name in self._caps}
        spends = {
            span: Spend(**{m: self._stored(f"{span}_{m}", m) for m in MEASURES}) for span in SPANS
        }
        return AgentLimits(
            caps={name: amount for name, amount in caps.items() if amount is not None},
            extend_times=self.cleaned_data["extend_times"],
            over_percent=self.cleaned_data["over_percent"],
            day=spends["day"],
            month=spends["month"],
        )

    def add_refusal(self, field: str, detail: str) -> None:
        """Put what the service said at the field it speaks of, such as `caps.steps`."""
        name = field.replace("caps.", "cap_").replace(".", "_")
        self.add_error(name if name in self.fields else None, detail)

    def _stored(self, field: str, name: str) -> int | None:
        written: Decimal | None = self.cleaned_data[field]
        return None if written is None else int(written * SCALES.get(name, 1))


def _cap_field(declared: Agent, name: str, value: int | None) -> forms.Field:
    own: int | None = getattr(declared.budget, name)
    most: int | None = getattr(declared.limits or declared.budget, name)
    words = UNITS.get(name) or amounts.name_of(name)
    said = gettext("Declared: {own}.").format(
        own=gettext("none") if own is None else amounts.amount_of(name, own)
    )
    if most is not None and most != own:
        said += " " + gettext("At most {most}.").format(most=amounts.amount_of(name, most))
    return _amount_field(words[:1].upper() + words[1:], name, value, said)


def _amount_field(label: str, name: str, value: int | None, said: str) -> forms.Field:
    scale = SCALES.get(name, 1)
    places = {amounts.MICROS: 6, 60: 2}.get(scale, 0)
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=0,
        max_value=LARGEST // scale,
        decimal_places=places,
        initial=None if value is None else Decimal(_plainly(Decimal(value) / scale, places)),
        localize=True,
        help_text=said,
        widget=forms.TextInput(
            attrs={"inputmode": "decimal" if places else "numeric", "autocomplete": "off"}
        ),
    )


def _plainly(number: Decimal, places: int) -> str:
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
