"""The parts of a policy as forms: a rule, a line of the baseline, the durations. Each turns into the
document's own shape, and takes back what the document's checks say, each at its field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django import forms

from approvals.addressing import OWNER
from approvals.policies import BaselineRow, Policy, Rule
from approvals.policy_words import DAYS, EFFECTS
from approvals.schemas import Requirements
from approvals.scores import FEWEST_SAMPLES, MOST_SAMPLES, SOURCES, USUAL_SAMPLES
from approvals.scores import WORDS as SCORE_WORDS
from approvals.vocabulary import Expiry, Friction, Risk
from audit.canonical import loads_strict
from audit.errors import Refusal

MOST_GROUPS: Final = 4
LONGEST_DOCUMENT: Final = 200_000
Choices = Sequence[tuple[str, str]]

#: Chosen where requirements leave the calendar to the policy.
AS_POLICY: Final = "@policy"
_YES_NO: Final = {"": None, "yes": True, "no": False}
_TEXT: Final = {"autocomplete": "off", "spellcheck": "false"}


def _either(label: str, either: str, yes: str, no: str) -> forms.ChoiceField:
    choices = [("", either), ("yes", yes), ("no", no)]
    return forms.ChoiceField(label=label, choices=choices, required=False)


def _number(label: str, help_text: str = "", **bounds: float) -> forms.FloatField:
    return forms.FloatField(
        label=label,
        required=False,
        help_text=help_text,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        min_value=bounds.get("low", 0),
        max_value=bounds.get("high"),
    )


class PartForm(forms.Form):
    """A part of a policy. `fits` maps paths inside the part's document to fields of the form."""

    fits: Mapping[str, str] = {}

    def take(self, refusal: Refusal, at: str) -> None:
        """Put what was refused at its fields; `at` is the part's path in the whole document."""
        for error in refusal.params.get("errors") or [{"message": refusal.detail}]:
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


class RequirementsForm(PartForm):
    """Who decides, how, and in what time."""

    exclude_owner = forms.BooleanField(
        label="Nobody of the agent's own group counts", required=False
    )
    editor_may_approve = forms.BooleanField(
        label="Who changes the arguments may approve them alone", required=False
    )
    friction = forms.ChoiceField(
        label="Besides the verdict, ask for",
        choices=[
            (Friction.NONE.value, "nothing more"),
            (Friction.READING.value, "a minimum reading time"),
            (Friction.TYPED.value, "typing the subject"),
            (Friction.SECOND_FACTOR.value, "a second factor"),
        ],
    )
    friction_seconds = forms.IntegerField(
        label="Seconds",
        required=False,
        min_value=0,
        max_value=86_400,
        help_text="Of reading; or for how long a second factor stays good (900 where nothing is said).",
    )
    review_hours = _number("Hours to decide", "Empty: as the policy says.", high=2_160)
    calendar = forms.ChoiceField(label="Counted in", required=False)
    extend_limit_hours = forms.IntegerField(
        label="Hours that it can be extended by", min_value=0, max_value=2_160
    )
    on_expiry = forms.ChoiceField(
        label="When nobody decides in time",
        choices=[
            (Expiry.REJECT.value, "it counts as a no"),
            (Expiry.ESCALATE.value, "the next group is asked too"),
        ],
    )
    reminder = forms.BooleanField(label="Remind by e-mail at half of the time", required=False)
    execute_by_minutes = _number(
        "Minutes in which an approval is used", "Empty: it stays good.", high=129_600
    )
    undo_seconds = _number(
        "Seconds to take an approval back", "Empty: as the policy says. At most 60.", high=60
    )

    def __init__(self, *args: Any, groups: Choices, calendars: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["calendar"] = forms.ChoiceField(
            label="Counted in",
            choices=[(AS_POLICY, "hours as the policy counts them"), *counted_in(calendars)],
            required=False,
        )
        offered = [(OWNER, "The agent's owner group"), *groups]
        for place in range(MOST_GROUPS):
            self.fields[f"group_{place}"] = forms.ChoiceField(
                label="Group", choices=[("", "–"), *offered], required=False
            )
            self.fields[f"count_{place}"] = forms.IntegerField(
                label="People", required=False, min_value=1, max_value=20
            )
            self.fields[f"escalation_{place}"] = forms.ChoiceField(
                label=f"Then ask ({place + 1})", choices=[("", "–"), *groups], required=False
            )

    def group_rows(self) -> list[tuple[Any, Any]]:
        """Pairs of bound fields: group and number of people."""
        return [(self[f"group_{place}"], self[f"count_{place}"]) for place in range(MOST_GROUPS)]

    def escalation_rows(self) -> list[Any]:
        """Bound fields of the chain, in order."""
        return [self[f"escalation_{place}"] for place in range(MOST_GROUPS)]

    @staticmethod
    def values_of(needs: Requirements) -> dict[str, Any]:
        """Initial values for what a policy says now."""
        values: dict[str, Any] = {
            name: getattr(needs, name)
            for name in (
                "exclude_owner",
                "editor_may_approve",
                "extend_limit_hours",
                "reminder",
                "review_hours",
                "execute_by_minutes",
                "undo_seconds",
            )
        }
        values["calendar"] = AS_POLICY if needs.calendar is None else needs.calendar
        values["friction"] = needs.friction.value
        values["friction_seconds"] = needs.friction_seconds or None
        values["on_expiry"] = needs.on_expiry.value
        for place, need in enumerate(needs.groups[:MOST_GROUPS]):
            values[f"group_{place}"] = need.group
            values[f"count_{place}"] = need.count
        for place, slug in enumerate(needs.escalation[:MOST_GROUPS]):
            values[f"escalation_{place}"] = slug
        return values

    def requirements(self, before: Requirements | None = None) -> dict[str, Any]:
        """As the document keeps them; what the form does not show stays as it was."""
        given = self.cleaned_data
        kept = (before or Requirements()).model_dump(mode="json")
        places = range(MOST_GROUPS)
        return kept | {
            "groups": [
                {"group": given[f"group_{place}"], "count": given[f"count_{place}"] or 1}
                for place in places
                if given[f"group_{place}"]
            ],
            "escalation": [
                given[f"escalation_{place}"] for place in places if given[f"escalation_{place}"]
            ],
            "exclude_owner": given["exclude_owner"],
            "editor_may_approve": given["editor_may_approve"],
            "friction": given["friction"],
            "friction_seconds": given["friction_seconds"] or 0,
            "review_hours": given["review_hours"],
            "calendar": None if given["calendar"] == AS_POLICY else given["calendar"],
            "extend_limit_hours": given["extend_limit_hours"],
            "on_expiry": given["on_expiry"],
            "reminder": given["reminder"],
            "execute_by_minutes": given["execute_by_minutes"],
            "undo_seconds": given["undo_seconds"],
        }


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
        label="Title", max_length=200, help_text="People read it as the reason."
    )
    name = forms.SlugField(
        label="Name",
        max_length=64,
        help_text="Small letters, digits and dashes. It stands in the log and stays.",
        widget=forms.TextInput(attrs=_TEXT),
    )
    scope = forms.ChoiceField(label="Belongs to")
    effect = forms.ChoiceField(
        label="What it does",
        choices=[
            ("review", "Review: people decide"),
            ("allow", "Allow: it runs by itself when the agent is sure enough"),
            ("deny", "Deny: it never runs"),
        ],
        widget=forms.RadioSelect,
    )
    agents = forms.CharField(label="Agents", required=False, help_text="Empty: any agent.")
    tools = forms.CharField(label="Tools", required=False, help_text="Empty: any tool.")
    effects = forms.MultipleChoiceField(
        label="That",
        choices=[(effect.value, words) for effect, words in EFFECTS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    reversible = _either("Can it be undone?", "whether or not", "it can be", "it cannot be")
    risk_at_least = forms.ChoiceField(
        label="Risk",
        choices=[("", "any"), *((risk.value, f"{risk.value} or above") for risk in Risk)],
        required=False,
    )
    tainted = _either(
        "Has the run read text from outside?", "whether or not", "it has", "it has not"
    )
    first_use = _either(
        "Is it the first use by this version?", "whether or not", "it is", "it is not"
    )
    rate_above = forms.IntegerField(
        label="More than so many times an hour", required=False, min_value=0
    )
    days = forms.MultipleChoiceField(
        label="On",
        choices=[(str(index), day) for index, day in enumerate(DAYS)],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    start = forms.TimeField(
        label="From", required=False, widget=forms.TimeInput(attrs={"type": "time"})
    )
    until = forms.TimeField(
        label="Until", required=False, widget=forms.TimeInput(attrs={"type": "time"})
    )
    timezone = forms.CharField(
        label="Time zone", required=False, help_text="Such as Europe/Berlin. Empty: UTC."
    )
    condition = forms.CharField(
        label="Condition",
        required=False,
        widget=forms.Textarea(attrs={"rows": "2", "class": "code", **_TEXT}),
        help_text="CEL over the arguments, such as args.amount <= 50.",
    )
    threshold = forms.CharField(
        label="Its own threshold",
        required=False,
        help_text="From 0 to 1; counts instead of the table's. Empty: the table's.",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    accepts_taint = forms.BooleanField(
        label="Also when the run has read text from outside", required=False
    )

    def __init__(self, *args: Any, scopes: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scope"] = forms.ChoiceField(label="Belongs to", choices=scopes)

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
            "agents": ", ".join(when.agents),
            "tools": ", ".join(when.tools),
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
                "agents": _names(given["agents"]),
                "tools": _names(given["tools"]),
                "effects": given["effects"],
                "reversible": _YES_NO[given["reversible"]],
                "risk_at_least": given["risk_at_least"] or None,
                "tainted": _YES_NO[given["tainted"]],
                "first_use": _YES_NO[given["first_use"]],
                "rate_above": given["rate_above"],
                "time_window": self._window(),
                "condition": given["condition"] or None,
            },
            "threshold": (given["threshold"] or None) if effect == "allow" else None,
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


class BaselineForm(RequirementsForm):
    """One line of what happens where no rule speaks."""

    fits = {"requirements": "group_0", "requirements.groups": "group_0"}

    risks = forms.MultipleChoiceField(
        label="Risk",
        choices=[(risk.value, risk.value) for risk in Risk],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    effects = forms.MultipleChoiceField(
        label="That",
        choices=[(effect.value, words) for effect, words in EFFECTS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    reversible = _either("Can it be undone?", "whether or not", "it can be", "it cannot be")
    outcome = forms.ChoiceField(
        label="What happens",
        choices=[("review", "People decide"), ("allow", "It runs by itself above the threshold")],
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
            "reversible": _YES_NO[given["reversible"]],
            "outcome": given["outcome"],
            "requirements": self.requirements(asked),
        }


class DurationsForm(PartForm):
    """What holds wherever requirements do not say otherwise, and who may loosen by own rules."""

    undo_seconds = forms.FloatField(
        label="Seconds to take an approval back",
        min_value=0,
        max_value=60,
        help_text="For actions with consequences. 0: an approval counts at once.",
    )
    review_hours = forms.FloatField(label="Hours to decide", max_value=2_160)
    calendar = forms.ChoiceField(label="Counted in", required=False)
    sticky_hours = forms.FloatField(
        label="Hours that a sticky approval may last",
        min_value=0,
        max_value=2_160,
        help_text="0: nobody may grant any.",
    )
    delegates = forms.MultipleChoiceField(
        label="Groups whose own rules may also allow",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, groups: Choices, calendars: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["calendar"] = forms.ChoiceField(
            label="Counted in", choices=counted_in(calendars), required=False
        )
        self.fields["delegates"] = forms.MultipleChoiceField(
            label="Groups whose own rules may also allow",
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

    line = forms.ChoiceField(label="Counts for")
    source = forms.ChoiceField(
        label="What decides", choices=[(name, SCORE_WORDS[name]) for name in SOURCES]
    )
    samples = forms.IntegerField(
        label="Replies that are compared",
        required=False,
        min_value=FEWEST_SAMPLES,
        max_value=MOST_SAMPLES,
        help_text=f"For agreement; {USUAL_SAMPLES} where nothing is said, the first reply counted.",
    )
    also = forms.MultipleChoiceField(
        label="Recorded beside it",
        choices=[(name, SCORE_WORDS[name]) for name in SOURCES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, lines: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["line"] = forms.ChoiceField(label="Counts for", choices=lines)

    def choice(self) -> dict[str, Any]:
        """The line as the document keeps it."""
        given = self.cleaned_data
        return {"source": given["source"], "samples": given["samples"], "also": given["also"]}


class ImportForm(PartForm):
    """A whole policy as JSON, as it was exported."""

    document = forms.CharField(
        label="The policy as JSON",
        max_length=LONGEST_DOCUMENT,
        widget=forms.Textarea(attrs={"rows": "12", "class": "code", **_TEXT}),
    )
    why = forms.CharField(label="Why", max_length=2_000)

    def clean_document(self) -> dict[str, Any]:
        """The document, or what is no JSON about it."""
        try:
            document = loads_strict(self.cleaned_data["document"].encode())
        except Refusal as refusal:
            raise forms.ValidationError(refusal.detail) from refusal
        if not isinstance(document, dict):
            raise forms.ValidationError("A policy is a JSON object, in braces.")
        return document


class WhyForm(forms.Form):
    """Why, and which edition of the draft was looked at."""

    why = forms.CharField(
        label="Why",
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": "2"}),
        help_text="Stands in the history and in the audit log.",
    )
    edition = forms.IntegerField(widget=forms.HiddenInput, required=False)


def counted_in(calendars: Choices) -> list[tuple[str, str]]:
    """The ways to count hours, to pick from."""
    return [("", "hours around the clock"), *calendars]


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(_words(text)))


def _words(text: str) -> Iterable[str]:
    return (word for word in re.split(r"[\s,;]+", text) if word)
