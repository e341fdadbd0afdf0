"""What admins type on the pages of reason chips. The service checks again what matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms

from approvals.services.reason_chips import LONGEST_LABEL
from approvals.vocabulary import Verdict

VERDICT_WORDS: Final = {
    Verdict.REJECT: "Reject",
    Verdict.SEND_BACK: "Send back",
    Verdict.EDIT: "Edit",
    Verdict.STOP: "Stop run",
}


class ChipForm(forms.Form):
    """What a reason says and which verdicts it is offered for."""

    label = forms.CharField(
        label="What it says",
        max_length=LONGEST_LABEL,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="A few words. The agent and the reviewers read them.",
    )
    verdicts = forms.MultipleChoiceField(
        label="Offered for",
        choices=[(verdict.value, words) for verdict, words in VERDICT_WORDS.items()],
        widget=forms.CheckboxSelectMultiple,
    )

    def add_refusals(self, errors: Sequence[Mapping[str, str]]) -> None:
        """Put what the service said at the fields it speaks of."""
        for error in errors:
            field = error["field"] if error["field"] in self.fields else None
            self.add_error(field, error["message"])

    @property
    def given(self) -> dict[str, Any]:
        """What the service takes; only after is_valid()."""
        return dict(self.cleaned_data)


class NewChipForm(ChipForm):
    """Another reason, with its code."""

    field_order = ("label", "code", "verdicts")

    code = forms.CharField(
        label="Code",
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
        help_text="Stands in the log and in the API, such as wrong_amount. It never changes.",
    )
