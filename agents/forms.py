"""What the runs and agents pages send."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

from django import forms
from django.utils.translation import gettext, gettext_lazy

from agents import wording
from agents.models import HostedAgent
from agents.run_filters import RunFilters
from agents.states import ACTIVE, OPEN, RunState, SwitchScope
from audit.wordings import Words

LONGEST_TEXT: Final = 20_000
LONGEST_REASON: Final = 2_000
LONGEST_WORD: Final = 4_000
#: What a filter may say of days: those with midnights before and after them, in any zone.
FIRST_DAY: Final = date(1970, 1, 2)
LAST_DAY: Final = date(9998, 12, 31)
#: What a list holds of simulated runs.
SIMULATED: Final = Words({"only": "Simulated ones alone", "without": "Without simulated ones"})
#: Filters that stand for several states at once.
STATE_GROUPS: Final = {
    "open": (gettext_lazy("Not ended"), OPEN),
    "active": (gettext_lazy("Under way"), ACTIVE),
}


class StartForm(forms.Form):
    """A run to start. `key` makes a form that was sent twice start one run."""

    agent = forms.ChoiceField(label=gettext_lazy("Agent"))
    text = forms.CharField(
        label=gettext_lazy("Task"),
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
        field.error_messages["invalid_choice"] = gettext("This agent cannot be started now.")
        if text_label:
            self.fields["text"].label = text_label
        self.fields["key"].initial = secrets.token_hex(12)


def state_choices() -> list[tuple[str, str]]:
    """Every state, and the groups of states, in words."""
    groups = [(key, str(words)) for key, (words, _) in STATE_GROUPS.items()]
    return [
        ("", gettext("Any")),
        *groups,
        *((state.value, wording.RUN_STATES[state]) for state in RunState),
    ]


class RunFilterForm(forms.Form):
    """Which runs the list shows."""

    q = forms.CharField(required=False, max_length=200, label=gettext_lazy("Words"))
    state = forms.ChoiceField(required=False, choices=state_choices, label=gettext_lazy("State"))
    agent = forms.ChoiceField(required=False, label=gettext_lazy("Agent"))
    person = forms.CharField(required=False, max_length=150, label=gettext_lazy("Started by"))
    since = forms.DateField(
        required=False, label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        required=False, label=gettext_lazy("Until"), widget=forms.DateInput(attrs={"type": "date"})
    )
    simulated = forms.ChoiceField(
        required=False,
        choices=[("", gettext_lazy("Any")), *SIMULATED.choices()],
        label=gettext_lazy("Simulations"),
    )

    def __init__(self, *args: Any, agents: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ChoiceField", self.fields["agent"])
        field.choices = [("", gettext("Any")), *agents]

    def clean(self) -> dict[str, Any]:
        """Days in their order, and such as a clock can name."""
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        for name, day in (("since", since), ("until", until)):
            if day is not None and not FIRST_DAY <= day <= LAST_DAY:
                self.add_error(name, gettext("No run is from then."))
        if since and until and since > until:
            self.add_error("until", gettext("This day is before the first one."))
        return self.cleaned_data

    @property
    def asked(self) -> RunFilters:
        """What is asked for; only after is_valid()."""
        given = self.cleaned_data
        return RunFilters(
            states=self.states,
            agent=given["agent"],
            person=given["person"],
            since=given["since"],
            until=given["until"],
            words=given["q"],
            simulated={"only": True, "without": False}.get(given["simulated"]),
        )

    @property
    def states(self) -> frozenset[RunState] | None:
        """The states asked for; None for any."""
        chosen = self.cleaned_data["state"]
        if not chosen:
            return None
        group = STATE_GROUPS.get(chosen)
        return group[1] if group else frozenset({RunState(chosen)})


class MemorySearchForm(forms.Form):
    """Words to look for in what an agent wrote down."""

    q = forms.CharField(required=False, max_length=500, label=gettext_lazy("Words to look for"))


class ReasonForm(forms.Form):
    """Why something is done, for the log and for those whom it stops."""

    reason = forms.CharField(
        required=False,
        max_length=LONGEST_REASON,
        label=gettext_lazy("Reason"),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class MessageForm(forms.Form):
    """What a person tells a run."""

    text = forms.CharField(
        max_length=LONGEST_WORD,
        label=gettext_lazy("Message"),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "true"}),
        error_messages={"required": gettext_lazy("Say something first.")},
    )


class GoalForm(forms.Form):
    """Another task for a run, and that what it has asked for may be set aside."""

    text = forms.CharField(
        max_length=LONGEST_WORD,
        label=gettext_lazy("New task"),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "true"}),
        error_messages={"required": gettext_lazy("Say what it is to do from now on.")},
    )
    sure = forms.BooleanField(
        label=gettext_lazy("Set aside what it has asked for"),
        error_messages={
            "required": gettext_lazy("Confirm that what it has asked for is set aside.")
        },
    )


class SwitchOffForm(ReasonForm):
    """Why an agent is switched off: whoever finds their run standing still reads it."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        label=gettext_lazy("Why?"),
        help_text=gettext_lazy("Everybody whose run stands still because of this reads it."),
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": gettext_lazy("Say why, so that others know what to wait for.")},
    )


@dataclass(frozen=True)
class Target:
    """What a kill switch may be set for; `key` is what the form sends."""

    scope: SwitchScope
    agent: str = ""
    tool: str = ""
    title: str = ""

    @property
    def key(self) -> str:
        return f"{self.scope.value}:{self.agent}:{self.tool}"


def targets_of(
    agents: Sequence[HostedAgent], tools: Mapping[str, Collection[str]], *, everything: bool
) -> list[Target]:
    """What may be switched off by somebody for whom these agents are; `tools` by the agent's slug.

    `everything`: also all agents at once, and a tool for all of them.
    """
    found = (
        [Target(SwitchScope.GLOBAL, title=gettext("Everything: all agents"))] if everything else []
    )
    found += [Target(SwitchScope.AGENT, each.slug, title=each.title) for each in agents]
    for each in agents:
        for name in sorted(tools.get(each.slug, ())):
            title = f"{each.title}: {wording.plain(name)}"
            found.append(Target(SwitchScope.AGENT_TOOL, each.slug, name, title))
    if everything:
        for name in sorted({name for names in tools.values() for name in names}):
            found.append(Target(SwitchScope.TOOL, "", name, wording.plain(name)))
    return found


_TARGET_GROUPS: Final = Words(
    {
        SwitchScope.GLOBAL: "All at once",
        SwitchScope.AGENT: "One agent",
        SwitchScope.AGENT_TOOL: "One tool of one agent",
        SwitchScope.TOOL: "One tool, whichever agent calls it",
    }
)


class SwitchForm(SwitchOffForm):
    """A kill switch to set: what for, why, and that one is sure."""

    target = forms.ChoiceField(
        label=gettext_lazy("What is switched off?"),
        error_messages={
            "required": gettext_lazy("Choose what is switched off."),
            "invalid_choice": gettext_lazy("This is not yours to switch off, or does not exist."),
        },
    )
    sure = forms.BooleanField(
        label=gettext_lazy("Stop it now: nothing new of it starts, asks a model or goes out"),
        error_messages={"required": gettext_lazy("Confirm that it is to stop now.")},
    )
    field_order = ("target", "reason", "sure")

    def __init__(self, *args: Any, targets: Sequence[Target], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._targets = {target.key: target for target in targets}
        grouped: dict[str, list[tuple[str, str]]] = {}
        for target in targets:
            grouped.setdefault(_TARGET_GROUPS[target.scope], []).append((target.key, target.title))
        field = cast("forms.ChoiceField", self.fields["target"])
        field.choices = [("", gettext("Choose")), *grouped.items()]

    @property
    def chosen(self) -> Target:
        """The target of a valid form."""
        return self._targets[self.cleaned_data["target"]]


class LiftForm(forms.Form):
    """Why a kill switch is lifted, and that one is sure."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        label=gettext_lazy("Why may it go on?"),
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": gettext_lazy("Say why it may go on.")},
    )
    sure = forms.BooleanField(
        label=gettext_lazy("Let it go on now: what was held back is carried out"),
        error_messages={"required": gettext_lazy("Confirm that it is to go on now.")},
    )


class ForkForm(forms.Form):
    """A fork of a run. `key` makes a form that was sent twice start one."""

    step = forms.TypedChoiceField(coerce=int, label=gettext_lazy("It keeps"))
    model = forms.CharField(
        required=False,
        max_length=200,
        label=gettext_lazy("Model"),
        help_text=gettext_lazy(
            "As agents name it: endpoint/model. Empty: the models of the version."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    version = forms.ChoiceField(label=gettext_lazy("Version of the agent"))
    instructions = forms.CharField(
        required=False,
        max_length=100_000,
        label=gettext_lazy("Instructions"),
        help_text=gettext_lazy("Change them here, or leave them as they are in the version."),
        widget=forms.Textarea(attrs={"rows": 12}),
    )
    key = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        steps: Sequence[tuple[int, str]],
        versions: Sequence[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["step"]).choices = list(steps)
        cast("forms.ChoiceField", self.fields["version"]).choices = list(versions)
        self.fields["key"].initial = secrets.token_hex(12)
