"""What people choose for a simulation and for trying one action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from approvals.layouts import words_of
from approvals.policies import Policy
from approvals.policy_words import line_key, line_title, rule_lines, threshold_lines
from approvals.tightening import ToolFacts
from audit.canonical import loads_strict
from audit.errors import Refusal


class SimulationForm(forms.Form):
    """How far back, and which threshold the curve runs over."""

    days = forms.IntegerField(
        label=gettext_lazy("Days back"), min_value=1, max_value=366, initial=30
    )
    line = forms.ChoiceField(label=gettext_lazy("Curve over"), required=False)

    def __init__(self, *args: Any, policy: Policy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines = [*rule_lines(policy), *threshold_lines(policy.thresholds)]
        choices = [("", gettext("no threshold"))]
        choices += [(line_key(line.names), line_title(line.names)) for line in lines]
        self.fields["line"] = forms.ChoiceField(
            label=gettext("Curve over"), choices=choices, required=False
        )


class TryForm(forms.Form):
    """One action to put before a policy."""

    call = forms.ChoiceField(label=gettext_lazy("Tool"))
    arguments = forms.CharField(
        label=gettext_lazy("Arguments"),
        max_length=60_000,
        widget=forms.Textarea(attrs={"rows": "6", "class": "code", "spellcheck": "false"}),
        help_text=gettext_lazy("A JSON object, as the agent would give it."),
    )
    confidence = forms.DecimalField(
        label=gettext_lazy("Confidence"),
        min_value=0,
        max_value=1,
        max_digits=5,
        decimal_places=4,
        required=False,
        help_text=gettext_lazy("From 0 to 1. Empty: none was given, which counts as 0."),
        localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    calls_last_hour = forms.IntegerField(
        label=gettext_lazy("Calls of this tool in the last hour"), min_value=0, initial=0
    )
    tainted = forms.BooleanField(
        label=gettext_lazy("The run has read text from outside"), required=False
    )
    first_use = forms.BooleanField(
        label=gettext_lazy("It is this version's first use"), required=False
    )

    def __init__(self, *args: Any, catalogue: Sequence[ToolFacts], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["call"] = forms.ChoiceField(
            label=gettext("Tool"),
            choices=[
                (
                    f"{facts.agent}/{facts.tool}",
                    gettext("{tool} by {agent}").format(
                        tool=words_of(facts.tool), agent=facts.title or facts.agent
                    ),
                )
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
            raise forms.ValidationError(gettext("Arguments are a JSON object, in braces."))
        return arguments
