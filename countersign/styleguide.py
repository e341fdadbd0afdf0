"""The living style guide: tokens, icons and every component in every state, in both themes, as they are used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from countersign.part_specimens import PARTS, Part
from countersign.specimens import SPECIMENS, Specimen, State

THEMES: Final = {"light": "Light", "dark": "Dark"}
TOKENS: Final = Path("static/css/tokens.css")
SPRITE: Final = Path("templates/components/sprite.html")
_COLOUR = re.compile(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);")
_SIZE = re.compile(r"--((?:text|space|radius|motion|row|touch)[\w-]*): ([\w.]+);")
_SYMBOL = re.compile(r'<symbol id="icon-([\w-]+)"')

#: Which text stands on which ground; WCAG AA asks for 4.5 to 1 (1.4.3), and for 3 to 1 of what is drawn (1.4.11).
PAIRS: Final[tuple[tuple[str, str, float], ...]] = (
    *(
        (ink, ground, 4.5)
        for ink in ("ink", "ink-2")
        for ground in ("background", "surface", "sunken", "hover", "chip")
    ),
    *(("ink-3", ground, 4.5) for ground in ("background", "surface", "sunken")),
    ("accent-text", "accent", 4.5),
    ("accent-text", "accent-strong", 4.5),
    *(("accent", ground, 4.5) for ground in ("background", "surface", "accent-soft")),
    *((risk, f"{risk}-chip", 4.5) for risk in ("low", "medium", "high", "critical")),
    *(
        ("ink", ground, 4.5)
        for ground in ("accent-soft", "low-chip", "medium-chip", "critical-chip")
    ),
    *(("ink", ground, 4.5) for ground in ("diff-plus", "diff-minus")),
    *(("control-border", ground, 3.0) for ground in ("background", "surface")),
)


@dataclass(frozen=True)
class Colour:
    """A colour of tokens.css, `#rrggbb` by theme."""

    name: str
    values: dict[str, str]


@dataclass(frozen=True)
class Pair:
    """A text on its ground, how much they differ (1 to 21) and how much they have to, by theme."""

    ink: str
    ground: str
    ratios: dict[str, float]
    needed: float


@dataclass(frozen=True)
class Shown:
    """One state of a component, rendered for each theme."""

    title: str
    themes: dict[str, SafeString]


@login_required
@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """The page. It shows nothing but what it is made of, so every signed-in person may read it."""
    shown: tuple[Specimen | Part, ...] = (*SPECIMENS, *PARTS)
    context = {
        "themes": THEMES,
        "colours": list(colours().values()),
        "pairs": pairs(),
        "sizes": sizes(),
        "icons": icons(),
        "specimens": [
            {"item": each, "states": [_shown(each.template, state) for state in each.states]}
            for each in shown
        ],
    }
    return render(request, "styleguide.html", context)


def _shown(template: str, state: State) -> Shown:
    made = {theme: render_to_string(template, dict(state.given(theme))) for theme in THEMES}
    return Shown(state.title, made)


@cache
def colours() -> dict[str, Colour]:
    """Every colour by name, as the pages have them."""
    found = _COLOUR.findall(_source(TOKENS))
    return {name: Colour(name, {"light": light, "dark": dark}) for name, light, dark in found}


@cache
def sizes() -> list[tuple[str, str]]:
    """Every size and duration with its value; what reduced motion makes of them comes later in the file."""
    found = _SIZE.findall(_source(TOKENS))
    return list(dict(reversed(found)).items())[::-1]


@cache
def icons() -> list[str]:
    """The names of the sprite's icons."""
    return _SYMBOL.findall(_source(SPRITE))


@cache
def pairs() -> list[Pair]:
    """Every text on every ground that it stands on."""
    known = colours()
    return [
        Pair(
            ink,
            ground,
            {
                theme: contrast(known[ink].values[theme], known[ground].values[theme])
                for theme in THEMES
            },
            needed,
        )
        for ink, ground, needed in PAIRS
    ]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (`#rrggbb`), 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, definition of relative luminance)."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _source(path: Path) -> str:
    return (settings.BASE_DIR / path).read_text()
