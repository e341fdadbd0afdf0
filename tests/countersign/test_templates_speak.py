"""No template says anything that could not be said in another language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
#: What is no words of a reader: comments, what is translated already, drawings, scripts, and code.
SPOKEN_FOR = re.compile(
    r"{%\s*comment.*?endcomment\s*%}|{#.*?#}|{%\s*blocktranslate.*?endblocktranslate\s*%}"
    r"|<!--.*?-->|<script.*?</script>|<svg.*?</svg>|<(code|kbd)\b.*?</\1>",
    re.DOTALL,
)
TAG = re.compile(r"{%.*?%}|{{.*?}}|</?[a-zA-Z!](?:{[{%].*?[%}]}|[^>])*>", re.DOTALL)
READ_ALOUD = re.compile(
    r'\b(aria-label|title|placeholder|alt|data-label)="([^"{]*[A-Za-z]{2}[^"{]*)"'
)
ARGUMENT = re.compile(
    r'\b(label|title|text|legend|empty|hint|default)[=:]"([^"]*[A-Za-z]{2}[^"]*)"'
)
WORD = re.compile(r"[A-Za-z]{2,}")
#: Names and units that are the same in every language.
NAMES = {"Countersign", "UTC", "SHA", "sha", "cs", "nbsp", "quot", "amp", "middot", "PDF", "leaf"}


def said(source: str) -> list[str]:
    """Literal words of a template that no tag translates."""
    rest = SPOKEN_FOR.sub("", source)
    found = [
        value for _, value in READ_ALOUD.findall(rest) if not set(WORD.findall(value)) <= NAMES
    ]
    for tag in re.findall(r"{%\s*include.*?%}|{{.*?}}", rest, re.DOTALL):
        found += [value for _, value in ARGUMENT.findall(tag)]
    text = TAG.sub(" ", rest)
    return found + [word for word in WORD.findall(text) if word not in NAMES]


@pytest.mark.parametrize(
    "path",
    sorted([*TEMPLATES.rglob("*.html"), *TEMPLATES.rglob("*.txt")]),
    ids=lambda path: path.relative_to(TEMPLATES).as_posix(),
)
def test_every_word_of_a_template_is_marked_for_translation(path: Path) -> None:
    assert said(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>Sign in</p>", ["Sign", "in"]),
        ('<p>{% translate "Sign in" %}</p>', []),
        ('<nav aria-label="Main">{{ item.label }}</nav>', ["Main"]),
        ('{% include "x.html" with label="Save" only %}', ["Save"]),
        ('{% include "x.html" with label=_("Save") only %}', []),
        ('{{ name|default:"Nobody" }}', ["Nobody"]),
        ("{% blocktranslate %}Link for {{ person }}{% endblocktranslate %}<code>make</code>", []),
    ],
)
def test_the_scan_sees_what_is_not_marked(source: str, words: list[str]) -> None:
    assert said(source) == words
