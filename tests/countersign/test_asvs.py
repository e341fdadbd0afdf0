"""docs/asvs.md: each test that it names exists, and no address, operation, socket or command is missing in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import get_commands
from django.urls import URLPattern, URLResolver, get_resolver

from approvals.routing import websocket_urlpatterns
from countersign.api import api
from tests.countersign.asvs_headings import HEADINGS

PAGE = (settings.BASE_DIR / "docs" / "asvs.md").read_text()
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
OURS = {
    "accounts",
    "agents",
    "approvals",
    "audit",
    "benchmarks",
    "countersign",
    "demo",
    "evaluations",
    "insights",
}


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def section(title: str) -> set[str]:
    """Everything in code marks of the part below a heading."""
    part = re.split(r"\n#+ ", PAGE.partition(f"### {title}\n")[2])[0]
    return set(re.findall(r"`([^`]+)`", part))


def names(patterns: list[Any], space: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from names(pattern.url_patterns, inner)
        elif isinstance(pattern, URLPattern) and not space:
            yield str(pattern.name)


def test_every_test_that_is_named_exists() -> None:
    named = set(TEST.findall(PAGE))
    assert len(named) > 80
    files = {file: functions_of(settings.BASE_DIR / file) for file, _ in named}
    assert {f"{file}::{name}" for file, name in named if name not in files[file]} == set()


def test_every_chapter_is_there_and_every_heading_has_a_test_or_a_reason() -> None:
    chapters = re.findall(r"\n## (V\d+ .+)\n", PAGE)
    assert chapters == [f"V{number} {title}" for number, title in enumerate(HEADINGS, 1)]
    rows = re.findall(r"\n\| (\d+\.\d+ [^|]+) \| ([^|]+) \| ([^|\n]+) \|", PAGE)
    assert [heading for heading, _, _ in rows] == [
        f"{chapter}.{number} {heading}"
        for chapter, headings in enumerate(HEADINGS.values(), 1)
        for number, heading in enumerate(headings, 1)
    ]
    for heading, what, tests in rows:
        reasoned = "Does not apply" in what or "ocumentation" in heading or "Inventory" in heading
        assert TEST.search(tests) or reasoned, heading


def test_every_address_operation_socket_and_command_is_listed() -> None:
    assert set(names(get_resolver().url_patterns)) - section("Pages and forms") == set()
    operations = {
        f"{method} /{path.lstrip('/')}"
        for router in api._get_bound_routers()
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    }
    listed = section("Operations of the API")
    assert operations - listed == set()
    assert {each for each in listed if " /" in each} - operations == {
        "GET /",
        "GET /docs",
        "GET /openapi.json",
    }
    sockets = {str(route.pattern) for route in websocket_urlpatterns}
    assert section("Sockets") == sockets
    commands = {name for name, app in get_commands().items() if app in OURS}
    assert commands - section("Commands") == set()
