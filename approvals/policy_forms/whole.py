"""Forms over a policy as a whole: its durations, its scores, a document that comes in, and why."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from approvals.policies import Policy
from approvals.policy_forms.fields import (
    TEXT,
    Choices,
    PartForm,
    counted_in,
)
from approvals.scores import FEWEST_SAMPLES, MOST_SAMPLES, SOURCES, USUAL_SAMPLES
from approvals.scores import WORDS as SCORE_WORDS
from audit.canonical import holds_nul, loads_strict
from audit.errors import Refusal

LONGEST_DOCUMENT: Final = 200_000
SCORES: Final = [(name, words) for name, words in SCORE_WORDS.choices() if name in SOURCES]


class DurationsForm(PartForm):
    """What holds wherever requirements do not say otherwise, and who may loosen by own rules."""

    undo_seconds = forms.FloatField(
        label=gettext_lazy("Seconds to take an approval back"),
        min_value=0,
        max_value=60,
        help_text=gettext_lazy("For actions with consequences. 0: an approval counts at once."),
    )
    review_hours = forms.FloatField(label=gettext_lazy("Hours to decide"), max_value=2_160)
    calendar = forms.ChoiceField(label=gettext_lazy("Counted in"), required=False)
    sticky_hours = forms.FloatField(
        label=gettext_lazy("Hours a sticky approval may last"),
        min_value=0,
        max_value=2_160,
        help_text=gettext_lazy("0: nobody may grant any."),
    )
    delegates = forms.MultipleChoiceField(
        label=gettext_lazy("Groups whose own rules may also allow"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, groups: Choices, calendars: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["calendar"] = forms.ChoiceField(
            label=gettext("Counted in"), choices=counted_in(calendars), required=False
        )
        self.fields["delegates"] = forms.MultipleChoiceField(
            label=gettext("Groups whose own rules may also allow"),
            choices=groups,
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )

    @staticmethod
    def initial_of(policy: Policy) -> dict[str, Any]:
        """What the form shows of a policy."""
        return {
            "undo_seconds": f"{policy.undo_seconds:g}",
            "review_hours": f"{policy.review_hours:g}",
            "calendar": policy.calendar,
            "sticky_hours": f"{policy.sticky_hours:g}",
            "delegates": list(policy.delegates),
        }


class ScoreForm(PartForm):
    """Which score decides on the calls of one line, and which are recorded beside it."""

    fits = {"samples": "samples", "also": "also", "source": "source"}

    line = forms.ChoiceField(label=gettext_lazy("Counts for"))
    source = forms.ChoiceField(label=gettext_lazy("What decides"), choices=SCORES)
    samples = forms.IntegerField(
        label=gettext_lazy("Replies that are compared"),
        required=False,
        min_value=FEWEST_SAMPLES,
        max_value=MOST_SAMPLES,
        help_text=gettext_lazy(
            "For agreement, the first reply included; {usual_samples} if empty."
        ).format(usual_samples=USUAL_SAMPLES),
    )
    also = forms.MultipleChoiceField(
        label=gettext_lazy("Recorded beside it"),
        choices=SCORES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, lines: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["line"] = forms.ChoiceField(label=gettext("Counts for"), choices=lines)

    def choice(self) -> dict[str, Any]:
        """The line as the document keeps it."""
        given = self.cleaned_data
        return {"source": given["source"], "samples": given["samples"], "also": given["also"]}


class ImportForm(PartForm):
    """A whole policy as JSON, as it was exported."""

    document = forms.CharField(
        label=gettext_lazy("The policy as JSON"),
        max_length=LONGEST_DOCUMENT,
        widget=forms.Textarea(attrs={"rows": "12", "class": "code", **TEXT}),
    )
    why = forms.CharField(label=gettext_lazy("Why"), max_length=2_000)

    def clean_document(self) -> dict[str, Any]:
        """The document, or what is no JSON about it."""
        try:
            document = loads_strict(self.cleaned_data["document"].encode())
        except Refusal as refusal:
            raise forms.ValidationError(refusal.detail) from refusal
        if not isinstance(document, dict):
            raise forms.ValidationError(gettext("A policy is a JSON object, in braces."))
        # Escaped, it passes the form's own look at its texts.
        if holds_nul(document):
            raise forms.ValidationError(gettext("The form holds a NUL character."))
        return document


class WhyForm(forms.Form):
    """Why, and which edition of the draft was looked at."""

    why = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": "2"}),
        help_text=gettext_lazy("Stands in the history and in the audit log."),
    )
    edition = forms.IntegerField(widget=forms.HiddenInput, required=False)
