"""What the insights pages take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from audit.wordings import Words
from insights.periods import MOST_DAYS, Named, Period, Step, between, named
from insights.reading import Asked
from insights.vocabulary import CATEGORY_WORDS, FAILURE_WORDS

PERIODS: Final = Words(
    {
        Named.DAY: "Today",
        Named.WEEK: "7 days",
        Named.MONTH: "30 days",
        Named.QUARTER: "13 weeks",
        Named.YEAR: "12 months",
    }
)
STEPS: Final = Words({Step.DAY: "By day", Step.WEEK: "By week", Step.MONTH: "By month"})
FIRST_DAY: Final = date(1970, 1, 2)
#: More points do not fit into a chart that anybody reads.
MOST_POINTS: Final = 400
LONGEST_NAME: Final = 100
Offered = Sequence[tuple[str, str]]


def _days(label: Any) -> forms.DateField:
    return forms.DateField(
        required=False, label=label, widget=forms.DateInput(attrs={"type": "date"})
    )


class _Name(forms.CharField):
    """One of the names that are offered; another is taken as well, and finds nothing."""

    def __init__(self, label: Any) -> None:
        super().__init__(
            label=label, required=False, max_length=LONGEST_NAME, widget=forms.Select()
        )


class InsightsForm(forms.Form):
    """What figures are asked for: a named period or two days, and filters. `today` is that of the database."""

    period = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Period"),
        choices=[("", gettext_lazy("Chosen days")), *PERIODS.choices()],
    )
    since = _days(gettext_lazy("From"))
    until = _days(gettext_lazy("To"))
    step = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Charts"),
        choices=[("", gettext_lazy("Automatic")), *STEPS.choices()],
    )
    agent = _Name(gettext_lazy("Agent"))
    version = _Name(gettext_lazy("Version"))
    category = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Category"),
        choices=[("", gettext_lazy("Any")), *CATEGORY_WORDS.choices()],
    )
    tool = _Name(gettext_lazy("Tool"))

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        today: date,
        agents: Offered = (),
        versions: Offered = (),
        tools: Offered = (),
    ) -> None:
        if not any(data.get(name) for name in ("period", "since", "until")):
            # What is shown is what is meant, also where nothing is asked.
            data = {**data, "period": Named.MONTH.value}
        super().__init__(data, auto_id="filter-%s")
        self.today = today
        for name, offered in (("agent", agents), ("version", versions), ("tool", tools)):
            chosen = str(data.get(name) or "")
            more = [] if chosen in {"", *(value for value, _ in offered)} else [(chosen, chosen)]
            self.fields[name].widget.choices = [("", gettext("Any")), *offered, *more]

    def clean(self) -> dict[str, Any]:
        """Days in their order, not too many of them, and in steps that can be drawn."""
        cleaned = self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        for name, day in (("since", since), ("until", until)):
            if day is not None and not FIRST_DAY <= day <= self.today + timedelta(days=1):
                self.add_error(name, gettext("There is nothing from then."))
        if self.errors:
            return cleaned
        if since and until and since > until:
            self.add_error("until", gettext("This day is before the first one."))
            return cleaned
        if since and ((until or self.today) - since).days >= MOST_DAYS:
            self.add_error("since", gettext("Ask for ten years at most."))
            return cleaned
        if sum(1 for _ in self.chosen_period.bins()) > MOST_POINTS:
            self.add_error(
                "step", gettext("These are too many points for a chart: take longer steps.")
            )
        return cleaned

    @property
    def chosen_period(self) -> Period:
        """Days win over a named period; without either, the last 30 days."""
        cleaned = self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        step = Step(cleaned["step"]) if cleaned.get("step") else None
        if since is None and until is None:
            found = named(Named(cleaned.get("period") or Named.MONTH), self.today)
            return between(found.since, found.until, step)
        last = until or max(self.today, since or self.today)
        return between(since or last - timedelta(days=29), last, step)

    @property
    def asked(self) -> Asked:
        """What a valid form asks for."""
        given = self.cleaned_data
        return Asked(
            self.chosen_period, given["agent"], given["version"], given["category"], given["tool"]
        )


class FailureForm(forms.Form):
    """Why a run did not succeed."""

    failure = forms.ChoiceField(
        label=gettext_lazy("What went wrong?"),
        choices=FAILURE_WORDS.choices,
        error_messages={"invalid_choice": gettext_lazy("There is no such class of failure.")},
    )


class ThresholdsForm(forms.Form):
    """When the owners of an agent are alerted."""

    failure_percent = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=100,
        label=gettext_lazy("Runs that do not succeed, in percent"),
        help_text=gettext_lazy("Of the runs that began today and have ended. 0 means never."),
    )
    cost_times = forms.FloatField(
        required=False,
        min_value=0,
        max_value=1_000,
        label=gettext_lazy("Cost of a run, as a multiple of the two weeks before"),
        help_text=gettext_lazy("1 or more. 0 means never."),
    )
    cost_dollars = forms.DecimalField(
        required=False,
        min_value=0,
        max_value=1_000_000,
        decimal_places=6,
        label=gettext_lazy("Cost of a success, in dollars"),
        help_text=gettext_lazy("0 means never."),
    )

    @property
    def thresholds(self) -> dict[str, Any]:
        """As the service takes them; only after is_valid()."""
        dollars = self.cleaned_data["cost_dollars"]
        return {
            "failure_percent": self.cleaned_data["failure_percent"],
            "cost_times": self.cleaned_data["cost_times"],
            "cost_micros": None if dollars is None else int(dollars * 1_000_000),
        }
