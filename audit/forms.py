"""The auditor's search, as the page sends it."""

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from audit.facts import FACTS
from audit.filters import EventFilter
from audit.schemas import LONGEST_CHALLENGE

_GROUP_NAMES = {"signin": "sign-in", "signout": "sign-in"}


def type_choices() -> list[tuple[str, Any]]:
    """Every event type, grouped by what it is about; the first of a group stands for all of it."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in FACTS:
        group = name.partition(".")[0]
        groups.setdefault(_GROUP_NAMES.get(group, group), []).append((name, name))
    choices: list[tuple[str, Any]] = [("", gettext("Any"))]
    for group, names in groups.items():
        everything = (
            [(f"{group}.*", gettext("{group}: any").format(group=group))]
            if len(names) > 1 and "-" not in group
            else []
        )
        choices.append((group.capitalize(), everything + names))
    return choices


class FilterForm(forms.Form):
    """Conditions on events; moments are UTC."""

    person = forms.CharField(required=False, max_length=150, label=gettext_lazy("Person"))
    agent = forms.CharField(required=False, max_length=200, label=gettext_lazy("Agent"))
    tool = forms.CharField(required=False, max_length=200, label=gettext_lazy("Tool"))
    type = forms.ChoiceField(
        required=False, choices=type_choices, label=gettext_lazy("What happened")
    )
    run = forms.UUIDField(
        required=False,
        label=gettext_lazy("Run"),
        error_messages={"invalid": gettext_lazy("Enter a run's id.")},
    )
    request = forms.UUIDField(
        required=False,
        label=gettext_lazy("Request"),
        error_messages={"invalid": gettext_lazy("Enter a request's id.")},
    )
    since = forms.DateTimeField(
        required=False,
        label=gettext_lazy("From"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    until = forms.DateTimeField(
        required=False,
        label=gettext_lazy("Until"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    stream = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    sample = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("person", "agent", "tool", "run", "request"):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def first_fields(self) -> list[forms.BoundField]:
        """The conditions that are always in view."""
        return [self[name] for name in ("person", "agent", "tool", "type")]

    def more_fields(self) -> list[forms.BoundField]:
        """The conditions that are folded away until somebody uses them."""
        return [self[name] for name in ("run", "request", "since", "until")]

    def uses_more_fields(self) -> bool:
        """Whether any folded condition is given."""
        return any(field.value() for field in self.more_fields())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if isinstance(since, dt.datetime) and isinstance(until, dt.datetime) and since >= until:
            self.add_error("until", gettext("This is not later than the other moment."))
        return cleaned

    def chosen(self) -> EventFilter:
        """The filter that a valid form asks for."""
        return EventFilter(**{name: value for name, value in self.cleaned_data.items() if value})


class ExportForm(FilterForm):
    """The same conditions, what to write, and what an evidence export is asked for with."""

    format = forms.ChoiceField(
        choices=[
            ("bundle", gettext_lazy("Evidence")),
            ("jsonl", gettext_lazy("JSON Lines")),
            ("csv", gettext_lazy("CSV")),
        ]
    )
    challenge = forms.CharField(
        required=False,
        max_length=LONGEST_CHALLENGE,
        label=gettext_lazy("Challenge"),
        help_text=gettext_lazy(
            "A few words of yours. They show that the export was made after you gave them."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    since_size = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**53 - 1,
        label=gettext_lazy("Events at your last check"),
        help_text=gettext_lazy(
            "For a proof that nothing before was changed. Your own earlier exports are "
            "proved without it."
        ),
    )
    without_disclosures = forms.BooleanField(
        required=False, label=gettext_lazy("Leave out personal data, free text and documents")
    )

    def chosen(self) -> EventFilter:
        given = {name: self.cleaned_data[name] for name in FilterForm.base_fields}
        return EventFilter(**{name: value for name, value in given.items() if value})

    def wishes(self) -> dict[str, Any]:
        """What `ask_export` takes beside filter and format."""
        return {
            "challenge": self.cleaned_data["challenge"] or None,
            "disclosures": not self.cleaned_data["without_disclosures"],
            "since_size": self.cleaned_data["since_size"],
        }

    def complaint(self) -> str:
        """What is wrong with what was sent, for a page that does not show the form again."""
        for name in ("challenge", "since_size"):
            for error in self.errors.get(name, ()):
                return f"{self.fields[name].label}: {error}"
        return gettext("These filters do not fit. Choose them again.")
