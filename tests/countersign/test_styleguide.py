"""The style guide shows what pages are made of: every component, every parameter, every icon, every colour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.template.base import FilterExpression, NodeList, Variable, VariableNode
from django.template.defaulttags import FirstOfNode, ForNode, IfNode, WithNode
from django.template.library import SimpleNode
from django.template.loader import get_template
from django.template.loader_tags import IncludeNode
from django.template.smartif import TokenBase
from django.test import Client

from accounts.models import User
from countersign.part_specimens import PARTS
from countersign.specimens import SPECIMENS
from countersign.styleguide import PAIRS, Pair, colours, contrast, icons, pairs

ROOT = Path(settings.BASE_DIR)
COMPONENTS = {path.stem for path in (ROOT / "templates/components").glob("*.html")}
#: Stands on every page, drawn by `{% icon %}`: the guide shows its icons.
SPRITE = "sprite"
#: Stand on one kind of page each.
NOT_SHOWN = {"absences", "control-sure", "menu-further", "wide"}
NO_NAMES = {"None", "True", "False"}


def taken(node: Any, known: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names that a compiled template reads from what it is given; `known` are those that it makes itself."""
    if isinstance(node, Variable):
        if node.lookups and node.lookups[0] not in known | NO_NAMES:
            yield node.lookups[0]
        return
    for part, more in parts(node):
        yield from taken(part, known | more)


def parts(node: Any) -> Iterator[tuple[Any, frozenset[str]]]:
    """What a node is made of, each with the names that it makes for it."""
    nothing: frozenset[str] = frozenset()
    match node:
        case FilterExpression():
            yield node.var, nothing
            yield (
                [given for _, arguments in node.filters for held, given in arguments if held],
                nothing,
            )
        case list() | tuple() | NodeList():
            yield from ((each, nothing) for each in node)
        case dict():
            yield list(node.values()), nothing
        case ForNode():
            yield [node.sequence, node.nodelist_empty], nothing
            yield node.nodelist_loop, frozenset({*node.loopvars, "forloop"})
        case WithNode():
            yield node.extra_context, nothing
            yield node.nodelist, frozenset(node.extra_context)
        case IncludeNode():
            yield node.extra_context, nothing
        case IfNode():
            yield node.conditions_nodelists, nothing
        case FirstOfNode():
            yield node.vars, nothing
        case SimpleNode() | VariableNode():
            yield (
                [
                    value
                    for key, value in vars(node).items()
                    if key in ("args", "kwargs", "filter_expression")
                ],
                nothing,
            )
        case TokenBase():
            # An operator of `{% if %}`, or what it compares.
            yield [node.first, node.second, getattr(node, "value", None)], nothing


def test_every_component_has_its_place_in_the_guide() -> None:
    assert sorted(each.name for each in SPECIMENS) == sorted(COMPONENTS - {SPRITE})


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda each: each.name)
def test_every_parameter_of_a_component_is_shown(specimen: Any) -> None:
    reads = set(taken(get_template(specimen.template).template.nodelist))
    given = {name for state in specimen.states for name in state.given("light")}
    assert reads == given


@pytest.mark.parametrize("part", PARTS, ids=lambda each: each.name)
def test_every_state_of_a_part_is_shown_by_its_specimen(part: Any) -> None:
    reads = set(taken(get_template(part.template).template.nodelist))
    given = {name for state in part.states for name in state.given("light")}
    assert reads <= given
    assert given - reads <= {"theme"}


def test_every_class_that_pages_share_stands_in_the_guide(client: Client, reviewer: User) -> None:
    client.force_login(reviewer)
    page = client.get("/styleguide/").content.decode()
    shown = {name for names in re.findall(r'class="([^"]*)"', page) for name in names.split()}
    css = (ROOT / "static/css/components.css").read_text()
    selectors = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", css, flags=re.DOTALL)
    shared = set(re.findall(r"\.([a-z][\w-]*)", selectors))
    assert shared - shown == NOT_SHOWN


def test_what_a_component_takes_is_found_in_conditions_loops_and_includes() -> None:
    reads = set(taken(get_template("components/row_changes.html").template.nodelist))
    assert reads == {"rows"}
    assert "url" in set(taken(get_template("components/button.html").template.nodelist))


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    named = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r'\bicon[ =]"([\w-]+)"', path.read_text())
    }
    assert named - {"name"} <= set(icons())


def test_the_guide_shows_each_state_in_both_themes_and_is_for_signed_in_people(
    client: Client, reviewer: User
) -> None:
    assert client.get("/styleguide/").status_code == 302
    client.force_login(reviewer)
    page = client.get("/styleguide/").content.decode()
    states = sum(len(each.states) for each in (*SPECIMENS, *PARTS))
    for theme in ("light", "dark"):
        assert page.count(f'<div class="specimen-theme" data-theme="{theme}">') == states
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: f"{pair.ink} on {pair.ground}")
def test_what_is_read_stands_out_from_its_ground_in_both_themes(pair: Pair) -> None:
    assert min(pair.ratios.values()) >= pair.needed


def test_contrast_is_the_ratio_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert {name for ink, ground, _ in PAIRS for name in (ink, ground)} <= set(colours())
