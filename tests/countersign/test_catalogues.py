"""The catalogues of translations, and what the check of them sees."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Message

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def catalogues() -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalogues", PROJECT / "deploy/catalogues.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_string_of_the_sources_is_translated_and_compiled() -> None:
    check = [sys.executable, "deploy/catalogues.py", "--check"]
    ran = subprocess.run(check, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_strings_of_templates_are_found_as_django_looks_them_up(catalogues: ModuleType) -> None:
    source = """{% translate "One %" %}{{ x|default:_("Two") }}
    {% include "x.html" with label=_("Three") only %}{% comment %}{% translate "Not me" %}{% endcomment %}
    {% blocktranslate trimmed count counter=n with name=x.y %}
      {{ name }} has one.{% plural %}{{ name }} has {{ counter }}.
    {% endblocktranslate %}"""
    assert [found[:3] for found in catalogues.of_template(source, "x.html")] == [
        (None, "One %%", None),
        (None, "Two", None),
        (None, "Three", None),
        (None, "%(name)s has one.", "%(name)s has %(counter)s."),
    ]


def test_strings_of_python_are_found_in_calls_choices_and_named_tables(
    catalogues: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalogues.TABLES, "x.py", ["WORDS"])
    source = """
WORDS = {"a": "Word a", "b": {"c": ("Word c", 1)}}
OTHERS = {"a": "Not me"}
class State(models.TextChoices):
    DONE = "done", "Is done"
def f(): return gettext("One") + ngettext("{n} day", "{n} days", 2) + pgettext("here", "Two")
"""
    found = {each[:3] for each in catalogues.of_python(source, "x.py")}
    assert found == {
        (None, "Word a", None),
        (None, "Word c", None),
        (None, "Is done", None),
        (None, "One", None),
        (None, "{n} day", "{n} days"),
        ("here", "Two", None),
    }


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (Message("Of %(a)s", "Von %(b)s"), "other placeholders"),
        (Message("Of {a}", "Von A"), "other placeholders"),
        (Message("Nothing", ""), "not translated"),
        (Message("Nothing", "Nichts", flags=("fuzzy",)), "fuzzy"),
        (Message(("{n} day", "{n} days"), ("{n} Tag", "")), "not translated"),
    ],
)
def test_a_translation_that_does_not_fit_is_said(
    catalogues: ModuleType, message: Message, what: str
) -> None:
    assert any(what in complaint for complaint in catalogues._wrong_with(message))


def test_the_tables_that_are_named_exist(catalogues: ModuleType) -> None:
    for place, names in catalogues.TABLES.items():
        source = (PROJECT / place).read_text()
        assert all(f"\n{name}" in source for name in names), place


def test_no_plural_is_counted_by_a_name_that_the_same_tag_gives_to_something_else() -> None:
    """Django looks the counter up after the names of `with` are set."""
    found = []
    for path in (PROJECT / "templates").rglob("*.html"):
        for tag in re.findall(r"{% blocktranslate ([^%]*)%}", path.read_text()):
            names = re.findall(r"(\w+)=", tag)
            for counter, counted in re.findall(r"count (\w+)=(\w+)", tag):
                if counted in set(names) - {counter}:
                    found.append((path.name, tag))
    assert found == []
