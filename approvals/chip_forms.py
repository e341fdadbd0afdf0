"""What admins type on the pages of reason chips. The service checks again what matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from approvals.services.reason_chips import LONGEST_LABEL
from approvals.vocabulary import Verdict
from audit.wordings import Words

VERDICT_WORDS: Final = Words(
    {
        Verdict.REJECT: "Reject",
        Verdict.SEND_BACK: "Send back",
        Verdict.EDIT: "Edit",
        Verdict.STOP: "Stop run",
    }
)


class ChipForm(forms.Form):
    """What a reason says and which verdicts it is offered for."""

    label = forms.CharField(
        label=gettext_lazy("What it says"),
        max_length=LONGEST_LABEL,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("A few words. The agent and the reviewers read them."),
    )
    verdicts = forms.MultipleChoiceField(
        label=gettext_lazy("Offered for"),
        choices=VERDICT_WORDS.choices(),
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
        label=gettext_lazy("Code"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
        help_text=gettext_lazy(
            "Stands in the log and in the API, such as wrong_amount. It never changes."
        ),
    )
