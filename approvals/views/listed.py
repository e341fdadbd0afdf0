"""The list that an address names: which one, what of it, and the same as a part of other addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.translation import gettext

from approvals.filters import AGES, CLAIMS, DUE, NO_FILTERS, Filters
from approvals.layouts import words_of
from approvals.naming import agent_titles
from approvals.views.list_form import ONLY_WAITING, RISKS, ListFilterForm
from approvals.views.request_words import KIND_WORDS
from approvals.vocabulary import Kind
from audit.wordings import Words

TABS: Final = Words({"mine": "Mine", "team": "Team", "snoozed": "Snoozed", "decided": "Decided"})
#: Beside the words, which have a name that is short in an address.
NAMES: Final = ("risk", "agent", "tool", "kind", "claimed", "due", "age")
#: No list of ours is named by more.
LONGEST: Final = 2_000


@dataclass(frozen=True)
class Listed:
    """A list and its filters. `wrong` are sentences about those that are not to be understood; nothing fits
    them then. `said` is what the address says of the filters, also where that is wrong."""

    tab: str = "team"
    filters: Filters = NO_FILTERS
    said: Mapping[str, str] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()

    @property
    def query(self) -> str:
        """The list as a part of an address."""
        return self.in_tab(self.tab)

    def in_tab(self, tab: str) -> str:
        """The same filters on another list, as far as it has them."""
        left_out = ONLY_WAITING if tab == "decided" and self.tab != "decided" else ()
        kept = {name: value for name, value in self.said.items() if name not in left_out}
        return urlencode({"tab": tab, **kept})

    def without(self, name: str) -> str:
        """The same without one filter."""
        kept = {each: value for each, value in self.said.items() if each != name}
        return urlencode({"tab": self.tab, **kept})


def listed_of(request: HttpRequest) -> Listed:
    """The list that the page came from or is: forms say it in one field, `list`."""
    given = request.POST if request.method == "POST" else request.GET
    kept = given.get("list")
    if kept is not None:
        return read(QueryDict(str(kept)) if len(str(kept)) <= LONGEST else {})
    # A posted form has fields of its own by these names.
    return read({"tab": given.get("tab")} if request.method == "POST" else given)


def read(given: Mapping[str, Any]) -> Listed:
    """What an address says. Team where it names no list."""
    tab = str(given.get("tab") or "")
    tab = tab if tab in TABS else "team"
    said = {name: text for name in ("q", *NAMES) if (text := str(given.get(name) or "").strip())}
    if not said:
        return Listed(tab)
    form = ListFilterForm(said, tab=tab)
    if not form.is_valid():
        wrong = [
            f"{form[name].label}: {error}"
            for name, errors in form.errors.items()
            for error in errors
        ]
        return Listed(tab, NO_FILTERS, said, tuple(wrong))
    cleaned = form.cleaned_data
    filters = Filters(words=cleaned["q"], **{name: cleaned[name] for name in NAMES})
    return Listed(tab, filters, said)


@dataclass(frozen=True)
class Chip:
    """One filter that holds, in words, and the address of the same list without it."""

    words: str
    url: str


def chips_of(listed: Listed, titles: Mapping[str, str]) -> list[Chip]:
    """The filters that hold, but for the words, which stand in their field. `titles` are those of agents."""
    given = listed.filters.given
    home = reverse("inbox")
    return [
        Chip(_words(name, given[name], titles), f"{home}?{listed.without(name)}")
        for name in NAMES
        if name in given
    ]


def _words(name: str, value: str, titles: Mapping[str, str]) -> str:
    match name:
        case "risk":
            return gettext("{value} risk").format(value=RISKS[value])
        case "agent":
            return titles.get(value) or agent_titles().get(value) or value
        case "tool":
            return gettext("Tool {name}").format(name=words_of(value))
        case "kind":
            return KIND_WORDS[Kind(value)]
        case "claimed":
            return CLAIMS[value]
        case "due":
            return (
                DUE[value]
                if value == "none"
                else gettext("To decide {when}").format(when=_inside(DUE[value]))
            )
        case "age":
            return gettext("Waiting {when}").format(when=_inside(AGES[value]))
    return value


def _inside(words: str) -> str:
    """Words that begin a line, where they stand inside one."""
    return words[:1].lower() + words[1:]
