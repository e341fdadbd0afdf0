"""The form of a row of the baseline."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from approvals.policies import BaselineRow
from approvals.policy_forms.fields import (
    YES_NO,
    either_or,
)
from approvals.policy_forms.requirements import RequirementsForm
from approvals.policy_words import EFFECTS, RISK_NAMES


class BaselineForm(RequirementsForm):
    """One line of what happens where no rule speaks."""

    fits = {"requirements": "group_0", "requirements.groups": "group_0"}

    risks = forms.MultipleChoiceField(
        label=gettext_lazy("Risk"),
        choices=RISK_NAMES.choices(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    effects = forms.MultipleChoiceField(
        label=gettext_lazy("That"),
        choices=EFFECTS.choices(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    reversible = either_or("Can it be undone?", "Whether or not", "It can be", "It cannot be")
    outcome = forms.ChoiceField(
        label=gettext_lazy("What happens"),
        choices=[
            ("review", gettext_lazy("People decide")),
            ("allow", gettext_lazy("It runs by itself above the threshold")),
        ],
        widget=forms.RadioSelect,
    )

    @staticmethod
    def initial_of(row: BaselineRow) -> dict[str, Any]:
        """What the form shows of a line."""
        return {
            **RequirementsForm.values_of(row.requirements),
            "risks": [risk.value for risk in row.risks],
            "effects": [effect.value for effect in row.effects],
            "reversible": {True: "yes", False: "no", None: ""}[row.reversible],
            "outcome": row.outcome,
        }

    def row(self, before: BaselineRow | None = None) -> dict[str, Any]:
        """The line as the document keeps it."""
        given = self.cleaned_data
        asked = before.requirements if before is not None else None
        return {
            "risks": given["risks"],
            "effects": given["effects"],
            "reversible": YES_NO[given["reversible"]],
            "outcome": given["outcome"],
            "requirements": self.requirements(asked),
        }
