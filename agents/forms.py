"""What the runs and agents pages send."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final, cast

from django import forms

from agents import wording
from agents.states import OPEN, RunState

LONGEST_TEXT: Final = 20_000
LONGEST_REASON: Final = 2_000
LONGEST_WORD: Final = 4_000
#: Filters that stand for several states at once.
STATE_GROUPS: Final = {"open": ("Not ended", OPEN)}


class StartForm(forms.Form):
    """A run to start. `key` makes a form that was sent twice start one run."""

    agent = forms.ChoiceField(label="Agent")
    text = forms.CharField(
        label="Task",
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "true"}),
    )
    key = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, agents: Sequence[tuple[str, str]], text_label: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ChoiceField", self.fields["agent"])
        field.choices = list(agents)
        field.error_messages["invalid_choice"] = "This agent cannot be started now."
        if text_label:
            self.fields["text"].label = text_label
        self.fields["key"].initial = secrets.token_hex(12)


def state_choices() -> list[tuple[str, str]]:
    """Every state, and the groups of states, in words."""
    groups = [(key, words) for key, (words, _) in STATE_GROUPS.items()]
    return [("", "Any"), *groups, *((state.value, wording.RUN_STATES[state]) for state in RunState)]


class RunFilterForm(forms.Form):
    """Which runs the list shows."""

    state = forms.ChoiceField(required=False, choices=state_choices, label="State")
    agent = forms.ChoiceField(required=False, label="Agent")

    def __init__(self, *args: Any, agents: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ChoiceField", self.fields["agent"])
        field.choices = [("", "Any"), *agents]

    @property
    def states(self) -> frozenset[RunState] | None:
        """The states asked for; None for any."""
        chosen = self.cleaned_data["state"]
        if not chosen:
            return None
        group = STATE_GROUPS.get(chosen)
        return group[1] if group else frozenset({RunState(chosen)})


class ReasonForm(forms.Form):
    """Why something is done, for the log and for those whom it stops."""

    reason = forms.CharField(
        required=False,
        max_length=LONGEST_REASON,
        label="Reason",
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class MessageForm(forms.Form):
    """What a person tells a run."""

    text = forms.CharField(
        max_length=LONGEST_WORD,
        label="Message",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "true"}),
        error_messages={"required": "Say something first."},
    )


class GoalForm(forms.Form):
    """Another task for a run, and that what it has asked for may be set aside."""

    text = forms.CharField(
        max_length=LONGEST_WORD,
        label="New task",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "true"}),
        error_messages={"required": "Say what it is to do from now on."},
    )
    sure = forms.BooleanField(
        label="Set aside what it has asked for",
        error_messages={"required": "Confirm that what it has asked for is set aside."},
    )


class SwitchOffForm(ReasonForm):
    """Why an agent is switched off: whoever finds their run standing still reads it."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        label="Why?",
        help_text="Everybody whose run stands still because of this reads it.",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why, so that others know what to wait for."},
    )
