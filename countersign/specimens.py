"""What the style guide shows: every component, and what it is given in each of its states. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django import forms
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message

from countersign import specimen_data as data

Given = Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """One state of a component. `given` makes what the component takes, for a theme: names that must be
    there once on a page (of fields, of regions) hold the theme."""

    title: str
    given: Callable[[str], Given]


@dataclass(frozen=True)
class Specimen:
    """A component, its file in templates/components without the ending, and its states."""

    name: str
    title: str
    states: tuple[State, ...]

    @property
    def template(self) -> str:
        return f"components/{self.name}.html"


def _plain(title: str, /, **given: Any) -> State:
    """A state that is the same in every theme."""
    return State(title, lambda _theme: given)


class SpecimenForm(forms.Form):
    """A field of each kind that pages have."""

    amount = forms.DecimalField(help_text="In euros, with two digits.")
    group = forms.ChoiceField(choices=[("finance", "Finance"), ("support", "Support")])
    why = forms.CharField(label="Why", required=False, widget=forms.Textarea(attrs={"rows": 2}))
    through = forms.ChoiceField(
        choices=[("mail", "By mail"), ("phone", "By phone")], widget=forms.RadioSelect
    )
    token = forms.CharField(required=False, widget=forms.HiddenInput)


def _specimen_form(prefix: str, data: Mapping[str, str] | None = None) -> SpecimenForm:
    """The form under names of its own: of choices with the same name, a page lets one be made."""
    sent = data and {f"{prefix}-{name}": value for name, value in data.items()}
    return SpecimenForm(sent, prefix=prefix)


def _form(theme: str, data: Mapping[str, str] | None = None) -> SpecimenForm:
    return _specimen_form(f"{theme}-{'sent' if data else 'new'}", data)


def _refused_form(theme: str) -> SpecimenForm:
    form = _form(theme, {"amount": "much", "group": "finance", "through": "mail"})
    form.add_error(None, "The two do not go together: choose another group, or less.")
    return form


def _field(name: str, **more: Any) -> Callable[[str], Given]:
    return lambda theme: {"field": _specimen_form(f"{theme}-one-{name}")[name], **more}


def _messages(_theme: str) -> Given:
    levels = {
        constants.INFO: "The export is being made.",
        constants.SUCCESS: "The policy is published.",
        constants.WARNING: "That page is not there any more.",
        constants.ERROR: "Nothing was changed: the version is not the installed one.",
    }
    return {"messages": [Message(level, text) for level, text in levels.items()], "id": None}


def _letter(theme: str, *, frame_url: str = "", **other: Any) -> Given:
    message = {
        "to": ["ada@example.org", "billing@example.org"],
        "cc": ["support@shop.example"],
        "subject": "Your refund",
        "text": "Dear Ada,\n\nwe have refunded €12.50.",
        "html": "<p>Dear Ada</p>",
        **other,
    }
    return {"message": message, "frame_url": frame_url, "label": f"The message, {theme}"}


def _tabs(theme: str) -> Given:
    return {
        "label": f"Lists, {theme}",
        "tabs": [
            {
                "key": "mine",
                "label": "Mine",
                "count": 4,
                "url": "#component-tabs",
                "current": False,
            },
            {
                "key": "team",
                "label": "Team",
                "count": 1001,
                "url": "#component-tabs",
                "current": True,
            },
            {
                "key": "decided",
                "label": "Decided",
                "count": None,
                "url": "#component-tabs",
                "current": False,
            },
        ],
    }


def _pill(theme: str, *, state: str, text: str) -> Given:
    return {"state": state, "text": text, "id": f"{theme}-pill-{state}"}


def _laid_out(theme: str) -> Given:
    return {
        "label": f"Result of step 7, {theme}",
        "facts": data.FACTS[:2],
        "tables": [{"label": f"Orders, {theme}", "columns": data.COLUMNS, "rows": data.RECORDS}],
        "text": '{\n  "balance": "12.50"\n}',
    }


def _data_table(theme: str, rows: list[list[Any]]) -> Given:
    return {
        "label": f"Orders ({len(rows)}), {theme}",
        "columns": data.COLUMNS,
        "rows": rows,
    }


SPECIMENS: Final[tuple[Specimen, ...]] = (
    Specimen(
        "button",
        "Button",
        (
            _plain("Primary", label="Approve", kind="primary", key="a", name="verdict", value="a"),
            _plain("Outlined", label="Reject", key="r"),
            _plain("Quiet", label="Cancel", kind="quiet"),
            _plain("With an icon", label="Export", icon="download"),
            _plain("Small", label="Extend", small=True),
            _plain("Disabled", label="Approve", kind="primary", disabled=True),
            _plain("A link, primary", label="Next", kind="primary", url="#component-button"),
            _plain("A link", label="Open", icon="next", small=True, url="#component-button"),
        ),
    ),
    Specimen(
        "risk_chip",
        "Risk chip",
        tuple(_plain(risk.capitalize(), risk=risk) for risk in data.RISKS),
    ),
    Specimen(
        "state_chip",
        "State chip",
        (
            *(_plain(state.replace("_", " ").capitalize(), state=state) for state in data.STATES),
            _plain("With words of its own", state="waiting", label="Sent back"),
        ),
    ),
    Specimen(
        "live_pill",
        "Live pill",
        tuple(
            State(state.replace("-", " ").capitalize(), partial(_pill, state=state, text=text))
            for state, text in data.PILLS.items()
        ),
    ),
    Specimen("tabs", "Tabs", (State("One of them current", _tabs),)),
    Specimen(
        "avatar",
        "Avatar",
        (
            _plain("Beside a name", name="Ada Example"),
            _plain("Alone", name="second-reviewer", named=True),
        ),
    ),
    Specimen(
        "meter",
        "Meter",
        (
            _plain("Share", value=0.72, label="Succeeded", text="72 %"),
            _plain(
                "Under its mark",
                value=0.61,
                mark=0.8,
                label="Confidence",
                text="0.61, below the 0.80 that is needed",
            ),
            _plain(
                "Over its mark",
                value=0.93,
                mark=0.8,
                label="Confidence",
                text="0.93, above the 0.80 that is needed",
            ),
        ),
    ),
    Specimen(
        "field",
        "Field",
        (
            State("Number, with a hint", _field("amount")),
            State("Choice, narrow in a row", _field("group", shrink=True)),
            State("Optional text, with a label of its own", _field("why", label="Comment")),
            State("Radio buttons", _field("through")),
            State("Refused", lambda theme: {"field": _refused_form(f"{theme}-one")["amount"]}),
            State("Hidden: nothing is seen", _field("token")),
        ),
    ),
    Specimen(
        "form",
        "Form",
        (
            State("Empty", lambda theme: {"form": _form(theme)}),
            State("Refused", lambda theme: {"form": _refused_form(theme)}),
        ),
    ),
    Specimen("key_facts", "Key facts", (_plain("Facts", facts=data.FACTS),)),
    Specimen(
        "diff",
        "Before and after",
        (
            _plain("Changed", before="Munchen", after="München", label="City"),
            _plain("New", before=None, after="Bonn", label="City"),
            _plain("Gone", before="Ulm", after=None, label="City"),
        ),
    ),
    Specimen(
        "line_diff", "Line by line", (_plain("A text", lines=data.LINES, label="Instructions"),)
    ),
    Specimen("row_changes", "Rows before and after", (_plain("Each kind", rows=data.ROWS),)),
    Specimen(
        "data_table",
        "Data table",
        (
            State("Rows", lambda theme: _data_table(theme, data.RECORDS)),
            State("No rows", lambda theme: _data_table(theme, [])),
        ),
    ),
    Specimen("laid_out", "A result", (State("Facts, a table, a text", _laid_out),)),
    Specimen("scores", "Scores", (_plain("With objections", lines=data.SCORES),)),
    Specimen(
        "message",
        "Message that would go out",
        (
            State("Plain text", lambda theme: _letter(theme, html="")),
            State("Not open to the reader", lambda theme: _letter(theme, text="")),
            State(
                "In a frame of its own, which is empty here",
                lambda theme: _letter(theme, frame_url="about:blank"),
            ),
        ),
    ),
    Specimen(
        "copied",
        "Text to copy",
        (_plain("An id", text="01a200c1537d7920b05f3ad48ef39b8d", label="the trace's id"),),
    ),
    Specimen(
        "shown_once",
        "A secret to take away",
        (
            State(
                "In its field",
                lambda theme: {
                    "id": f"{theme}-secret",
                    "label": f"The secret ({theme})",
                    "text": "4OWM GWVX H7VL",
                },
            ),
        ),
    ),
    Specimen("link_list", "Links", (_plain("Addresses written out", links=data.LINKS),)),
    Specimen("messages", "Messages", (State("Each kind", _messages),)),
    Specimen(
        "empty",
        "Empty list",
        (
            _plain(
                "Nothing there",
                title="Nothing is waiting",
                text="New ones appear by themselves.",
                icon="inbox",
            ),
            _plain(
                "With what to do",
                title="No run fits these filters",
                icon="filter",
                url="#component-empty",
                label="Show all runs",
            ),
        ),
    ),
    Specimen(
        "pager",
        "Pager",
        (
            State(
                "In the middle",
                lambda theme: {
                    "label": f"Pages, {theme}",
                    "shown": 40,
                    "next_url": "#component-pager",
                    "first_url": "#component-pager",
                },
            ),
            State(
                "First page",
                lambda theme: {"label": f"First pages, {theme}", "next_url": "#component-pager"},
            ),
        ),
    ),
)
