"""What the evaluations pages send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from django import forms
from django.utils.translation import gettext, gettext_lazy

from audit.errors import Refusal
from evaluations.schemas import Case
from evaluations.suite_files import MOST_BYTES, read_case

SLUG: Final = r"[a-z][a-z0-9\-]{0,62}"


class EvaluationFilterForm(forms.Form):
    """Which evaluations, or cases, a list shows."""

    agent = forms.ChoiceField(required=False, label=gettext_lazy("Agent"))
    suite = forms.CharField(required=False, max_length=63, label=gettext_lazy("Suite"))

    def __init__(self, *args: Any, agents: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ChoiceField", self.fields["agent"])
        field.choices = [("", gettext("Any")), *agents]


class CaseForm(forms.Form):
    """A case, as a suite's file has it. `case` holds the case once the form is valid."""

    suite = forms.RegexField(
        SLUG,
        label=gettext_lazy("Suite"),
        max_length=63,
        help_text=gettext_lazy(
            "Lower-case letters, digits and hyphens. A new name begins a suite."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    document = forms.CharField(
        label=gettext_lazy("Case"),
        max_length=MOST_BYTES,
        help_text=gettext_lazy(
            "What the agent is given, what its tools and people answer, and under “expect” what should happen."
        ),
        widget=forms.Textarea(attrs={"rows": 28, "spellcheck": "false", "class": "code-input"}),
    )

    def clean_document(self) -> str:
        """Read it as the file of a suite is read; what is wrong is said with its line."""
        text: str = self.cleaned_data["document"]
        try:
            self.case: Case = read_case(text, source=gettext("The case"))
        except Refusal as refusal:
            raise forms.ValidationError(refusal.lines) from refusal
        return text

    def refuse(self, refusal: Refusal) -> None:
        """Say on the page what a service refused."""
        self.add_error("document", refusal.lines)
