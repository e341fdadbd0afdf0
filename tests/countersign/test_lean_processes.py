"""What each kind of process imports: a budget in modules, which every start, test and worker pays for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from countersign.programs import PROJECT

JOBS = [f"{app}.jobs" for app in ("accounts", "agents", "approvals", "audit", "insights")]
# Each kind goes on where the one before it ended, as one process can be looked at several times; a worker has one of
# its own. What it performs is imported with the first job of its kind: here with the rest.
PROCESSES: tuple[dict[str, list[str]], ...] = (
    {
        "manage.py": [],
        "scheduler": ["countersign.management.commands.scheduler"],
        "web": ["countersign.asgi"],
    },
    {
        "worker": ["countersign.management.commands.rqworker-pool", "agents.worker", *JOBS],
    },
)
# A twentieth more than was counted: a new dependency is meant to be noticed, a new module of ours is not.
MOST_MODULES = {"manage.py": 1_750, "scheduler": 1_850, "web": 2_550, "worker": 2_450}
#: A terminal's libraries, a test's, and those of MCP servers, which are imported where one is asked.
FOR_NOBODY = {"prompt_toolkit", "typer", "mcp", "playwright"}
#: The model's client is for those that ask models; what answers browsers is not for those.
NOT_FOR = {
    **{kind: {"openai"} for kind in ("manage.py", "scheduler", "web")},
    "worker": {"uvicorn", "websockets", "ninja", "whitenoise"},
}
PAGES = re.compile(
    r"(countersign|agents|approvals|accounts|audit|insights|evaluations)\.(urls|views|api|consumers)\b"
)
ASKS = """
import contextlib, gc, importlib, io, json, sys

def whole_collections():
    return gc.get_stats()[2]["collections"]

begun = {next(iter(json.loads(sys.argv[1]))): whole_collections()}
with contextlib.redirect_stdout(io.StringIO()):
    importlib.import_module("manage").main(["manage.py", "version"])
found = {}
for kind, names in json.loads(sys.argv[1]).items():
    begun.setdefault(kind, whole_collections())
    for name in names:
        importlib.import_module(name)
    looked_at = {id(each) for each in gc.get_objects()}
    found[kind] = {
        "modules": sorted(sys.modules),
        "whole_collections": whole_collections() - begun[kind],
        "collects": gc.isenabled(),
        "looks_at_settings": id(sys.modules["countersign.settings"].__dict__) in looked_at,
    }
print(json.dumps(found))
"""
#: Kinds of processes that are set up in one go.
AT_ONCE = ("manage.py", "web")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each kind of process has imported, and how."""
    folder = tmp_path_factory.mktemp("lean")
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "countersign.settings",
        "DATABASE_URL": "postgresql://app@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "COUNTERSIGN_DATA_DIR": str(folder),
        "PYTHONPATH": str(PROJECT),
    }
    told: dict[str, Any] = {}
    for kinds in PROCESSES:
        outcome = subprocess.run(
            [sys.executable, "-c", ASKS, json.dumps(kinds)],
            cwd=folder,
            env=environment,
            capture_output=True,
            check=False,
            timeout=300,
            text=True,
        )
        assert outcome.returncode == 0, outcome.stderr
        told |= json.loads(outcome.stdout)
    return told


def test_processes_import_no_more_than_their_budget_and_workers_what_they_ask_models_with(
    found: dict[str, Any],
) -> None:
    counted = {kind: len(of["modules"]) for kind, of in found.items()}
    assert counted.keys() == MOST_MODULES.keys()
    assert {k: n for k, n in counted.items() if n > MOST_MODULES[k]} == {}
    for kind, of in found.items():
        packages = {name.partition(".")[0] for name in of["modules"]}
        assert packages & (FOR_NOBODY | NOT_FOR[kind]) == set(), kind
    assert [name for name in found["worker"]["modules"] if PAGES.match(name)] == []
    # Before a run waits for it, and before a pool forks.
    assert "agents.llm" in found["worker"]["modules"]


@pytest.mark.parametrize("kind", AT_ONCE)
def test_what_is_imported_is_looked_through_for_garbage_neither_meanwhile_nor_later(
    found: dict[str, Any], kind: str
) -> None:
    assert found[kind]["whole_collections"] == 0
    assert not found[kind]["looks_at_settings"]
    assert found[kind]["collects"]
