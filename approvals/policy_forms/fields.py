"""Fields that the forms of a policy share, and how what was refused comes to stand at them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from django import forms
from django.utils.translation import gettext

from approvals.layouts import words_of
from audit.errors import Refusal
from audit.wordings import str_later

Choices = Sequence[tuple[str, str]]

YES_NO: Final = {"": None, "yes": True, "no": False}
TEXT: Final = {"autocomplete": "off", "spellcheck": "false"}


def either_or(label: str, either: str, yes: str, no: str) -> forms.ChoiceField:
    choices = [
        (value, str_later(words)) for value, words in (("", either), ("yes", yes), ("no", no))
    ]
    return forms.ChoiceField(label=str_later(label), choices=choices, required=False)


def number_field(label: str, help_text: str = "", **bounds: float) -> forms.FloatField:
    return forms.FloatField(
        label=str_later(label),
        required=False,
        help_text=str_later(help_text) if help_text else "",
        localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        min_value=bounds.get("low", 0),
        max_value=bounds.get("high"),
    )


class PartForm(forms.Form):
    """A part of a policy. `fits` maps paths inside the part's document to fields of the form."""

    fits: Mapping[str, str] = {}

    def take(self, refusal: Refusal, at: str) -> None:
        """Put what was refused at its fields; `at` is the part's path in the whole document."""
        for error in refusal.problems:
            path = str(error.get("field", ""))
            inside = path.removeprefix(at).strip(".")
            self.add_error(self._field(inside), str(error["message"]))

    def _field(self, path: str) -> str | None:
        path = re.sub(r"\.\d+", "", path)
        while path:
            name = self.fits.get(path, path)
            if name in self.fields:
                return name
            path = path.rpartition(".")[0]
        return None


def counted_in(calendars: Choices) -> list[tuple[str, str]]:
    """The ways to count hours, to pick from."""
    return [("", gettext("Around the clock")), *calendars]


def named_choices(offered: Choices, chosen: Sequence[str]) -> forms.MultipleChoiceField:
    """Names to tick by their titles, those that are chosen now first; some of these may have no title any more."""
    titles = dict(offered)
    gone = gettext("{name}, not installed")
    choices = [
        (name, titles.get(name) or gone.format(name=words_of(name.replace("-", " "))))
        for name in chosen
    ]
    rest = [(name, title) for name, title in offered if name not in chosen]
    return forms.MultipleChoiceField(
        choices=[*choices, *rest],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
