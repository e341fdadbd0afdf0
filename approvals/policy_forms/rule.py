"""The form of a rule."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy

from approvals.policies import Rule
from approvals.policy_forms.fields import (
    TEXT,
    YES_NO,
    Choices,
    either_or,
    named_choices,
)
from approvals.policy_forms.requirements import RequirementsForm
from approvals.policy_words import EFFECTS, EVERY_DAY, RISK_NAMES
from approvals.schemas import Requirements
from approvals.vocabulary import Risk
from audit import spellings


class RuleForm(RequirementsForm):
    """One rule: when it speaks, and what it says then."""

    fits = {
        "when.agents": "agents",
        "when.tools": "tools",
        "when.effects": "effects",
        "when.condition": "condition",
        "when.rate_above": "rate_above",
        "when.time_window": "start",
        "when.time_window.timezone": "timezone",
        "requirements": "group_0",
        "requirements.groups": "group_0",
        "requirements.escalation": "escalation_0",
        "requirements.review_hours": "review_hours",
        "requirements.friction_seconds": "friction_seconds",
    }

    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=200,
        help_text=gettext_lazy("People read it as the reason."),
    )
    name = forms.SlugField(
        label=gettext_lazy("Short name"),
        max_length=64,
        help_text=gettext_lazy(
            "Lower-case letters, digits and hyphens. It stands in the log and stays."
        ),
        widget=forms.TextInput(attrs=TEXT),
    )
    scope = forms.ChoiceField(label=gettext_lazy("Belongs to"))
    effect = forms.ChoiceField(
        label=gettext_lazy("What it does"),
        choices=[
            ("review", gettext_lazy("Review: people decide")),
            ("allow", gettext_lazy("Allow: it runs by itself when the agent is sure enough")),
            ("deny", gettext_lazy("Deny: it never runs")),
        ],
        widget=forms.RadioSelect,
    )
    effects = forms.MultipleChoiceField(
        label=gettext_lazy("That"),
        choices=EFFECTS.choices(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    reversible = either_or("Can it be undone?", "Whether or not", "It can be", "It cannot be")
    risk_at_least = forms.ChoiceField(
        label=gettext_lazy("Risk"),
        choices=lambda: [
            ("", gettext("Any")),
            *(
                (
                    risk.value,
                    capfirst(
                        RISK_NAMES[risk.value]
                        if risk == Risk.CRITICAL
                        else gettext("{value} or above").format(value=RISK_NAMES[risk.value])
                    ),
                )
                for risk in Risk
            ),
        ],
        required=False,
    )
    tainted = either_or(
        "Has the run read text from outside?", "Whether or not", "It has", "It has not"
    )
    first_use = either_or(
        "Is it the first use by this version?", "Whether or not", "It is", "It is not"
    )
    rate_above = forms.IntegerField(
        label=gettext_lazy("More than so many times an hour"), required=False, min_value=0
    )
    days = forms.MultipleChoiceField(
        label=gettext_lazy("On"),
        choices=lambda: [(str(day), spellings.weekday(day)) for day in range(EVERY_DAY)],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    start = forms.TimeField(
        label=gettext_lazy("From"), required=False, widget=forms.TimeInput(attrs={"type": "time"})
    )
    until = forms.TimeField(
        label=gettext_lazy("Until"), required=False, widget=forms.TimeInput(attrs={"type": "time"})
    )
    timezone = forms.CharField(
        label=gettext_lazy("Time zone"),
        required=False,
        help_text=gettext_lazy("Such as Europe/Berlin. Empty: UTC."),
    )
    condition = forms.CharField(
        label=gettext_lazy("Condition"),
        required=False,
        widget=forms.Textarea(attrs={"rows": "2", "class": "code", **TEXT}),
        help_text=gettext_lazy("CEL over the arguments, such as args.amount <= 50."),
    )
    threshold = forms.CharField(
        label=gettext_lazy("Its own threshold"),
        required=False,
        help_text=gettext_lazy("From 0 to 1; counts instead of the table's. Empty: the table's."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    accepts_taint = forms.BooleanField(
        label=gettext_lazy("Also when the run has read text from outside"), required=False
    )

    def __init__(
        self, *args: Any, scopes: Choices, agents: Choices, tools: Choices, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scope"] = forms.ChoiceField(label=gettext("Belongs to"), choices=scopes)
        for name, offered in (("agents", agents), ("tools", tools)):
            self.fields[name] = named_choices(offered, chosen=self.initial.get(name, ()))

    @staticmethod
    def initial_of(rule: Rule) -> dict[str, Any]:
        """What the form shows of a rule."""
        when, window = rule.when, rule.when.time_window
        said = {True: "yes", False: "no", None: ""}
        return {
            **RequirementsForm.values_of(rule.requirements or Requirements()),
            "title": rule.title or rule.name,
            "name": rule.name,
            "scope": rule.scope,
            "effect": rule.effect,
            "agents": list(when.agents),
            "tools": list(when.tools),
            "effects": [effect.value for effect in when.effects],
            "reversible": said[when.reversible],
            "risk_at_least": when.risk_at_least.value if when.risk_at_least else "",
            "tainted": said[when.tainted],
            "first_use": said[when.first_use],
            "rate_above": when.rate_above,
            "days": [str(day) for day in window.days] if window else [],
            "start": window.start if window else None,
            "until": window.until if window else None,
            "timezone": window.timezone if window else "",
            "condition": when.condition or "",
            "threshold": rule.document_threshold,
            "accepts_taint": rule.accepts_taint,
        }

    def rule(self, before: Rule | None = None) -> dict[str, Any]:
        """The rule as the document keeps it."""
        given = self.cleaned_data
        effect = given["effect"]
        asked = before.requirements if before is not None else None
        return {
            "name": given["name"],
            "title": given["title"],
            "scope": given["scope"],
            "effect": effect,
            "when": {
                "agents": given["agents"],
                "tools": given["tools"],
                "effects": given["effects"],
                "reversible": YES_NO[given["reversible"]],
                "risk_at_least": given["risk_at_least"] or None,
                "tainted": YES_NO[given["tainted"]],
                "first_use": YES_NO[given["first_use"]],
                "rate_above": given["rate_above"],
                "time_window": self._window(),
                "condition": given["condition"] or None,
            },
            "threshold": (given["threshold"].replace(",", ".") or None)
            if effect == "allow"
            else None,
            "accepts_taint": given["accepts_taint"] and effect == "allow",
            "requirements": self.requirements(asked) if effect == "review" else None,
        }

    def _window(self) -> dict[str, Any] | None:
        given = self.cleaned_data
        if not (given["days"] or given["start"] or given["until"] or given["timezone"]):
            return None
        window: dict[str, Any] = {"timezone": given["timezone"] or "UTC"}
        if given["days"]:
            window["days"] = [int(day) for day in given["days"]]
        for name in ("start", "until"):
            if given[name] is not None:
                window[name] = given[name].isoformat()
        return window
