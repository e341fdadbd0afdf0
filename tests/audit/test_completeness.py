"""What docs/audit.md says is recorded: every event type, the code that records it, and a test that shows it."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from audit.facts import FACTS
from audit.sentences import SENTENCES

PROJECT: Final = Path(__file__).resolve().parent.parent.parent
_ROW = re.compile(
    r"^\| (?P<what>[^|]*) \| `(?P<type>[a-z_.]+)` \| `(?P<where>[\w/.]+)` \| `(?P<test>[\w/.:]+)` \|$"
)


class Row(NamedTuple):
    """One line of the table."""

    what: str
    type: str
    where: str
    test: str


def table() -> list[Row]:
    text = (PROJECT / "docs" / "audit.md").read_text()
    section = text.partition("## What is recorded\n")[2].partition("\n## ")[0]
    found = map(_ROW.match, section.splitlines())
    return [Row(**match.groupdict()) for match in found if match]


TABLE: Final = table()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def texts_in(node: ast.AST) -> set[str]:
    """Texts that stand in the code, docstrings included; of f-strings the part before the first value."""
    found = {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }
    for each in ast.walk(node):
        if isinstance(each, ast.JoinedStr) and isinstance(each.values[0], ast.Constant):
            found.add(f"{each.values[0].value}{{")
    return found


def texts_of_test(path: Path, name: str) -> set[str]:
    """Texts in a test, and in what it names of its own module."""
    module = parsed(path)
    named: dict[str, ast.AST] = {}
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            named[node.name] = node
        elif isinstance(node, ast.Assign):
            named |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    test = named[name]
    used = {each.id for each in ast.walk(test) if isinstance(each, ast.Name)}
    return set().union(texts_in(test), *(texts_in(named[each]) for each in used & named.keys()))


def test_the_table_has_a_line_for_every_type_and_for_no_other() -> None:
    types = [row.type for row in TABLE]
    assert sorted(types) == sorted(FACTS)
    assert len(set(types)) == len(types)


def test_every_type_has_a_schema_and_a_sentence() -> None:
    assert set(FACTS) == set(SENTENCES)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.type)
def test_the_code_that_is_named_records_it_and_the_test_that_is_named_speaks_of_it(
    row: Row,
) -> None:
    code = texts_in(parsed(PROJECT / row.where))
    kind = row.type.partition(".")[0]
    assert row.type in code or f"{kind}.{{" in code, f"{row.where} does not record {row.type}"
    path, _, name = row.test.partition("::")
    assert row.type in texts_of_test(PROJECT / path, name), f"{row.test} is not about {row.type}"


def test_everything_that_is_promised_is_in_the_table() -> None:
    """The list of the design, word by word, each with a type that stands for it."""
    promised = {
        "run started": "run.started",
        "run parked": "run.parked",
        "run woken": "run.woken",
        "run ended": "run.ended",
        "action proposed": "action.proposed",
        "action allowed": "action.allowed",
        "action denied": "action.denied",
        "request opened": "request.opened",
        "request shown": "request.shown",
        "request claimed": "request.claimed",
        "request escalated": "request.escalated",
        "request decided": "request.decided",
        "each vote": "request.voted",
        "request undone": "request.undone",
        "request expired": "request.expired",
        "request superseded": "request.superseded",
        "effect dispatched": "effect.dispatched",
        "effect succeeded": "effect.succeeded",
        "effect failed": "effect.failed",
        "effect in doubt": "effect.in_doubt",
        "effect resolved": "effect.resolved",
        "effect compensated": "effect.compensated",
        "policy drafted": "policy.drafted",
        "policy submitted": "policy.submitted",
        "policy published": "policy.published",
        "policy rolled back": "policy.rolled_back",
        "agent version first seen": "agent.first_seen",
        "agent disabled": "agent.disabled",
        "agent enabled": "agent.enabled",
        "model called": "model.called",
        "extension": "request.extended",
        "lapse": "approval.lapsed",
        "sticky grant": "sticky.granted",
        "sticky revocation": "sticky.revoked",
        "price change": "price.set",
        "budget change": "agent.limits_set",
        "kill switch": "switch.set",
        "disclosure read": "disclosure.read",
        "sign-in": "signin.succeeded",
        "failed sign-in": "signin.failed",
        "role changed": "role.changed",
        "group joined": "group.joined",
        "group left": "group.left",
        "token created": "token.created",
        "token used first": "token.used_first",
        "token revoked": "token.revoked",
        "export asked for": "export.asked",
        "export downloaded": "export.downloaded",
        "disclosure redacted": "disclosure.redacted",
        "refused decision": "decision.refused",
        "refused access": "access.refused",
    }
    assert set(promised.values()) <= {row.type for row in TABLE}
