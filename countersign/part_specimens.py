"""What the style guide shows of the parts that have no file in templates/components: classes that pages share. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from countersign.specimens import State


@dataclass(frozen=True)
class Part:
    """A part by the name of its specimen in templates/guide, and its states."""

    name: str
    title: str
    states: tuple[State, ...]

    @property
    def template(self) -> str:
        return f"guide/_{self.name}.html"


def _state(title: str, /, **given: Any) -> State:
    return State(title, lambda theme: {**given, "theme": theme})


def _row(title: str, risk: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "risk": risk, "when": "in 3 h", "sub": "Refund desk", **more}


ROWS: Final = (
    _row("Refund €4,200.00 to Acme GmbH", "critical"),
    _row("Open beside the list", "high", current=True),
    _row("E-mail 240 people", "medium"),
    _row("Decided", "low", closed=True, when="14:03", sub="Approved by Ada Example"),
)

PARTS: Final[tuple[Part, ...]] = (
    Part(
        "banner",
        "Banner",
        (
            _state("Information", kind="", strip=False, text="The export is being made."),
            _state("Warning", kind="warning", strip=False, text="A hold keeps this for now."),
            _state("Error", kind="error", strip=False, text="Sealing halted."),
            _state("Strip of every page", kind="warning", strip=True, text="Practice model."),
            _state("Strip, error", kind="error", strip=True, text="Everything is switched off."),
        ),
    ),
    Part("back", "The way back", (_state("To a list", text="Policies"),)),
    Part("menu", "Menu", (_state("Closed", open=False), _state("Open", open=True))),
    Part("panel", "Panel", (_state("Plain", head=False), _state("With a head", head=True))),
    Part(
        "waiting",
        "Waiting",
        (
            _state("Something else is on its way", look="waiting"),
            _state("What stands there is being changed", look="working"),
        ),
    ),
    Part("fold", "Fold", (_state("Closed", open=False), _state("Open", open=True))),
    Part(
        "rows",
        "Rows",
        (
            _state("In a list", rows=ROWS),
            _state(
                "To be ticked",
                rows=[{**row, "pickable": True, "picked": row is ROWS[0]} for row in ROWS[:3]],
            ),
        ),
    ),
    Part(
        "dock",
        "Dock",
        (
            _state("Verdicts", state="open"),
            _state("The form of one", state="form"),
            _state("Not for the reader", state="closed"),
        ),
    ),
    Part(
        "palette",
        "Palette",
        (
            _state(
                "Found",
                options=[
                    {
                        "title": "Refund €420.00 to Acme GmbH",
                        "beside": "Request of Refund desk · waits for a decision",
                        "current": True,
                    },
                    {"title": "Refund desk", "beside": "Agent of Support", "current": False},
                ],
            ),
        ),
    ),
    Part("controls", "Controls", (_state("Checks, a row of fields, a choice"),)),
    Part(
        "filter_chips",
        "Filters that hold",
        (_state("Taken away one by one", chips=["Failed", "Refund desk"]),),
    ),
    Part("table", "Table", (_state("Rows that lead somewhere"),)),
    Part("keys", "Keys", (_state("A list of keys"),)),
)
