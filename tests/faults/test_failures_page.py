"""docs/failures.md names a test in each row, and every point; what it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
PAGE = PROJECT / "docs" / "failures.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
APPS = ("audit", "accounts", "approvals", "agents", "evaluations", "insights")


def sections() -> dict[str, list[str]]:
    """The rows of each table, by the heading above it."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith(("| some", "| point")):
            found.setdefault(heading, []).append(line)
    return found


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((PROJECT / path).read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


POINTS = sections().pop("Fault points")
FAILURES = [
    row for heading, rows in sections().items() if heading != "Fault points" for row in rows
]


@pytest.mark.parametrize("row", FAILURES)
def test_every_failure_names_tests_that_are_there(row: str) -> None:
    named = TEST.findall(row.split("|")[3])
    assert named
    for path, name in named:
        assert name in names_in(path), f"{path} has no {name}"


def test_every_fault_point_in_the_code_stands_on_the_page() -> None:
    code = "\n".join(path.read_text() for app in APPS for path in (PROJECT / app).rglob("*.py"))
    reached = set(re.findall(r'reached\("([a-z_.]+)"', code))
    written = set(re.findall(r"`([a-z]+\.[a-z_]+)(?:\.[A-Z]+)?`", "\n".join(POINTS)))
    assert written == reached
