"""What the pages of auditors and records keepers send."""

import datetime as dt
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy

from audit.exceptions import KINDS
from audit.forms import FilterForm
from audit.people import subject_of
from audit.record_keeping import LARGEST_SAMPLE, ErasureReason, HoldScope
from audit.wordings import str_later

_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


def _day(label: str) -> forms.DateField:
    return forms.DateField(
        required=False, label=str_later(label), widget=forms.DateInput(attrs={"type": "date"})
    )


def _begins(day: dt.date | None, *, after: bool = False) -> dt.datetime | None:
    """The moment at which a day of UTC begins, or the one after it; None, an open end, after the last day there is."""
    if day is None or (after and day == dt.date.max):
        return None
    return dt.datetime.combine(day + dt.timedelta(days=after), dt.time(), dt.UTC)


class _Period(forms.Form):
    """Two days of UTC, both included."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", gettext("This is before the other day."))
        return cleaned

    def period(self) -> tuple[dt.datetime | None, dt.datetime | None]:
        """The moments that a valid form's days begin and end at."""
        return _begins(self.cleaned_data["since"]), _begins(self.cleaned_data["until"], after=True)


class ExceptionsForm(_Period):
    """Which exceptions to look at."""

    kind = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Kind"),
        choices=[("", gettext_lazy("Any")), *KINDS.choices()],
    )
    since = _day("From")
    until = _day("Until")

    def given(self) -> dict[str, str]:
        """What a valid form asks for, for addresses."""
        return {name: str(value) for name, value in self.cleaned_data.items() if value}


class SampleForm(FilterForm):
    """A population, and how to draw from it."""

    seed = forms.CharField(
        required=False,
        max_length=64,
        label=gettext_lazy("Seed"),
        help_text=gettext_lazy("Empty for a random one. Letters, digits and _ . : / @ + -"),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    size = forms.IntegerField(
        min_value=1, max_value=LARGEST_SAMPLE, label=gettext_lazy("How many events"), initial=25
    )

    def population_fields(self) -> list[forms.BoundField]:
        """The conditions on events."""
        return [*self.first_fields(), *self.more_fields()]

    def chosen_given(self) -> dict[str, Any]:
        """The conditions alone."""
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if value and name not in ("seed", "size", "sample")
        }


class HoldForm(_Period):
    """A legal hold to set."""

    matter = forms.CharField(
        max_length=100,
        label=gettext_lazy("Matter"),
        help_text=gettext_lazy("What the hold is for, such as a case number."),
    )
    why = forms.CharField(
        max_length=1_000, label=gettext_lazy("Why"), widget=forms.Textarea(attrs={"rows": 2})
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("What it covers"),
        choices=[(scope.value, capfirst(str_later(scope.label))) for scope in HoldScope],
    )
    target = forms.CharField(
        required=False,
        max_length=150,
        label=gettext_lazy("Which"),
        help_text=gettext_lazy(
            "A user name, an agent's name, or the whole id of a run or a request. Empty for "
            "everything."
        ),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    since = _day("Events from")
    until = _day("Events to")


class ErasureForm(forms.Form):
    """An erasure to propose."""

    subject = forms.CharField(
        max_length=200,
        label=gettext_lazy("About whom or what"),
        help_text=gettext_lazy(
            "A user name. For a run or a request: “run:” or “request:”, followed by its whole id."
        ),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Why"),
        choices=[(reason.value, str_later(reason.label)) for reason in ErasureReason],
    )

    def clean_subject(self) -> str:
        return subject_of(self.cleaned_data["subject"].strip())


class ConfirmErasureForm(forms.Form):
    """The last step before something is gone for good."""

    typed = forms.CharField(
        max_length=200,
        label=gettext_lazy("Type what is to be erased"),
        widget=forms.TextInput(attrs=_PLAIN),
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        """`name`: how whom or what the erasure is about is spelled, which is what is typed."""
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["typed"].help_text = gettext("To confirm, type {subject}").format(subject=name)

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"].strip()
        if typed != self.name:
            raise forms.ValidationError(
                gettext("Type exactly: {subject}").format(subject=self.name)
            )
        return typed
