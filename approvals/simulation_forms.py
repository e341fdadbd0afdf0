"""What people choose for a simulation and for trying one action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from approvals.policies import Policy
from approvals.policy_words import line_key, line_title, rule_lines, threshold_lines
from approvals.tightening import ToolFacts
from audit.canonical import loads_strict
from audit.errors import Refusal


class SimulationForm(forms.Form):
    """How far back, and which threshold the curve runs over."""

    days = forms.IntegerField(label="Days back", min_value=1, max_value=366, initial=30)
    line = forms.ChoiceField(label="Curve over", required=False)

    def __init__(self, *args: Any, policy: Policy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines = [*rule_lines(policy), *threshold_lines(policy.thresholds)]
        choices = [("", "no threshold")]
        choices += [(line_key(line.names), line_title(line.names)) for line in lines]
        self.fields["line"] = forms.ChoiceField(label="Curve over", choices=choices, required=False)


class TryForm(forms.Form):
    """One action to put before a policy."""

    call = forms.ChoiceField(label="Tool")
    arguments = forms.CharField(
        label="Arguments",
        max_length=60_000,
        widget=forms.Textarea(attrs={"rows": "6", "class": "code", "spellcheck": "false"}),
        help_text="A JSON object, as the agent would give it.",
    )
    confidence = forms.DecimalField(
        label="Confidence",
        min_value=0,
        max_value=1,
        max_digits=5,
        decimal_places=4,
        required=False,
        help_text="From 0 to 1. Empty: none was given, which counts as 0.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    calls_last_hour = forms.IntegerField(
        label="Calls of this tool in the last hour", min_value=0, initial=0
    )
    tainted = forms.BooleanField(label="The run has read text from outside", required=False)
    first_use = forms.BooleanField(label="It is this version's first use", required=False)

    def __init__(self, *args: Any, catalogue: Sequence[ToolFacts], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["call"] = forms.ChoiceField(
            label="Tool",
            choices=[
                (f"{facts.agent}/{facts.tool}", f"{facts.tool} of {facts.title or facts.agent}")
                for facts in catalogue
            ],
        )

    def clean_arguments(self) -> dict[str, Any]:
        """The object, or what is no JSON about it."""
        try:
            arguments = loads_strict(self.cleaned_data["arguments"].encode())
        except Refusal as refusal:
            raise forms.ValidationError(refusal.detail) from refusal
        if not isinstance(arguments, dict):
            raise forms.ValidationError("Arguments are a JSON object, in braces.")
        return arguments
