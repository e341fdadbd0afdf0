"""What a page may cost, held by numbers that are the same on every machine: statements, and bytes as they travel.

Bytes are packed as a proxy packs them. A first visit fetches the page and all that it names, scripts that scripts
import included; a repeat visit the page alone, since the rest is kept by the browser. Times: docs/benchmarks.md.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from approvals.models import ApprovalRequest
from tests.agents.conftest import Counter
from tests.agents.test_effects import PAY
from tests.model_server import call, calls, final

STATIC = re.compile(r'"/static/([^"]+)"')
IMPORTED = re.compile(r'(?:from|import)\s*\(?\s*"(\.[^"]+)"')
PACKED_ALREADY = {".woff2", ".png", ".jpg"}


@dataclass(frozen=True)
class Budget:
    """The most statements, kilobytes of a repeat visit and of a first one."""

    statements: int
    repeat_kb: float
    first_kb: float


def test_no_page_costs_more_than_its_budget(
    counter: Counter, reviewer: User, auditor: User, login: Callable[[Client, User], Client]
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="Paid.")])
    request = ApprovalRequest.objects.get(run_id=run.pk)
    desk, archive = Client(), Client()
    login(desk, reviewer)
    login(archive, auditor)
    pages = {
        "/inbox/": (desk, Budget(6, 6, 115)),
        "/inbox/rows/": (desk, Budget(2, 1, 1)),
        "/inbox/counts/": (desk, Budget(2, 1, 1)),
        f"/requests/{request.pk}/": (desk, Budget(18, 8, 117)),
        "/runs/": (desk, Budget(12, 6, 100)),
        f"/runs/{run.pk}/": (desk, Budget(20, 8, 107)),
        "/agents/": (desk, Budget(9, 6, 96)),
        "/policies/": (desk, Budget(14, 6, 97)),
        # One of them for the titles of all agents that the events name.
        "/audit/": (archive, Budget(7, 10, 100)),
    }
    over = {}
    for path, (client, budget) in pages.items():
        # What is made once for each process is made.
        assert client.get(path).status_code == 200, path
        with CaptureQueriesContext(connection) as said:
            page = client.get(path).content.decode()
        spent = Budget(len(said), packed(page.encode()), 0)
        spent = Budget(spent.statements, spent.repeat_kb, spent.repeat_kb + fetched(page))
        within = (
            spent.statements <= budget.statements
            and spent.repeat_kb <= budget.repeat_kb
            and spent.first_kb <= budget.first_kb
        )
        if not within:
            over[path] = spent
    assert over == {}, "\n".join(f"{path}: {spent}" for path, spent in over.items())


def fetched(page: str) -> float:
    """Kilobytes of all that a page names, and of what that imports, each once."""
    left = {found(name) for name in STATIC.findall(page)}
    seen: set[Path] = set()
    total = 0.0
    while left:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        content = path.read_bytes()
        is_packed = path.suffix in PACKED_ALREADY
        total += len(content) / 1024 if is_packed else packed(content)
        if path.suffix == ".js":
            left |= {(path.parent / name).resolve() for name in IMPORTED.findall(content.decode())}
    return total


def found(name: str) -> Path:
    """The file of a static address."""
    path = finders.find(name)
    assert isinstance(path, str), name
    return Path(path).resolve()


def packed(content: bytes) -> float:
    """Kilobytes after gzip."""
    return len(gzip.compress(content, 6)) / 1024


@pytest.mark.parametrize("path", ["/inbox/", "/inbox/rows/", "/runs/", "/agents/"])
def test_more_rows_take_no_more_statements(
    path: str, counter: Counter, reviewer: User, login: Callable[[Client, User], Client]
) -> None:
    desk = Client()
    login(desk, reviewer)
    counter.start([calls(call("pay", PAY)), final(summary="Paid.")])
    desk.get(path)
    with CaptureQueriesContext(connection) as one:
        desk.get(path)
    for _ in range(3):
        counter.start([calls(call("pay", PAY)), final(summary="Paid.")])
    with CaptureQueriesContext(connection) as four:
        desk.get(path)
    assert len(four) == len(one)
