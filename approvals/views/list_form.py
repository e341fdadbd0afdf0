"""The filters of a list of requests as a form: what an address may say, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext

from approvals.filters import AGES, CLAIMS, DUE
from approvals.layouts import words_of
from approvals.naming import agent_titles
from approvals.views.request_words import KIND_WORDS
from audit.wordings import Words, str_later

LONGEST_WORDS: Final = 200
LONGEST_NAME: Final = 100
RISKS: Final = Words({"critical": "Critical", "high": "High", "medium": "Medium", "low": "Low"})

KINDS: Final[Mapping[str, str]] = KIND_WORDS
#: What was decided is on nobody's desk any more.
ONLY_WAITING: Final = ("claimed", "due", "age")

Offered = Sequence[tuple[str, str]]


class _OneOf(forms.ChoiceField):
    """One of a few values, or any."""

    def __init__(self, label: str, offered: Mapping[str, str], wrong: str) -> None:
        super().__init__(
            label=label,
            required=False,
            choices=lambda: [("", gettext("Any")), *offered.items()],
            error_messages={"invalid_choice": wrong},
        )


class NameField(forms.CharField):
    """The name of an agent or tool, picked from those of the list; another finds nothing."""

    def __init__(self, label: str) -> None:
        super().__init__(
            label=label, required=False, max_length=LONGEST_NAME, widget=forms.Select()
        )


def offer(form: forms.Form, agents: Offered, tools: Offered) -> None:
    """Agents and tools to pick from, with the words for each; what was asked for is among them in any case."""
    words = {"agent": lambda slug: agent_titles().get(slug, slug), "tool": words_of}
    for name, offered in (("agent", agents), ("tool", tools)):
        chosen = str(form.data.get(name) or "")
        known = [value for value, _ in offered]
        more = [(chosen, words[name](chosen))] if chosen and chosen not in known else []
        form.fields[name].widget.choices = [("", gettext("Any")), *offered, *more]


class ListFilterForm(forms.Form):
    """What of a list is shown. `offered` are agents and tools, with the words for each."""

    q = forms.CharField(label=str_later("Words"), required=False, max_length=LONGEST_WORDS)
    risk = _OneOf(str_later("Risk"), RISKS, str_later("There is no such risk."))
    agent = NameField(str_later("Agent"))
    tool = NameField(str_later("Tool"))
    kind = _OneOf(str_later("Kind"), KINDS, str_later("There is no such kind of request."))
    claimed = _OneOf(str_later("Claimed"), CLAIMS, str_later("Claims are not filtered by that."))
    due = _OneOf(str_later("Decide"), DUE, str_later("Deadlines are not filtered by that."))
    age = _OneOf(
        str_later("Waiting"), AGES, str_later("The time of waiting is not filtered by that.")
    )

    def __init__(
        self, data: Mapping[str, Any] | None, *, tab: str, agents: Offered = (), tools: Offered = ()
    ) -> None:
        super().__init__(data, auto_id="filter-%s")
        self._decided = tab == "decided"
        offer(self, agents, tools)

    def clean(self) -> dict[str, Any]:
        """Only what waits has a claim and a deadline to go by."""
        for name in ONLY_WAITING if self._decided else ():
            if self.cleaned_data.get(name):
                self.add_error(name, gettext("Only requests that wait are filtered by this."))
        return self.cleaned_data

    @property
    def panel(self) -> list[forms.BoundField]:
        """The fields beside the words that fit the list."""
        left_out = {"q", *(ONLY_WAITING if self._decided else ())}
        return [self[name] for name in self.fields if name not in left_out]
