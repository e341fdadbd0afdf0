"""What each kind of process imports: a budget in modules, which every start, test and worker pays for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from countersign.programs import PROJECT

# Each goes on where the one before it ended, as one process can be looked at several times.
KINDS = {
    "manage.py": ["django.setup"],
    "scheduler": ["countersign.management.commands.scheduler"],
    "web": ["countersign.asgi"],
    "worker": ["agents.worker"],
}
# A twentieth more than was counted: a new dependency is meant to be noticed, a new module of ours is not.
MOST_MODULES = {"manage.py": 1_750, "scheduler": 1_850, "web": 2_550}
ASKS = """
import importlib, json, sys
import django
django.setup()
found = {}
for kind, names in json.loads(sys.argv[1]).items():
    for name in names:
        if name != "django.setup":
            importlib.import_module(name)
    found[kind] = sorted(sys.modules)
print(json.dumps(found))
"""


def test_processes_import_no_more_than_their_budget_and_workers_what_they_ask_models_with(
    tmp_path: Path,
) -> None:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "countersign.settings",
        "COUNTERSIGN_DATA_DIR": str(tmp_path),
        "PYTHONPATH": str(PROJECT),
    }
    outcome = subprocess.run(
        [sys.executable, "-c", ASKS, json.dumps(KINDS)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
        timeout=300,
        text=True,
    )
    assert outcome.returncode == 0, outcome.stderr
    found: dict[str, list[str]] = json.loads(outcome.stdout)
    over = {
        kind: len(found[kind]) for kind, most in MOST_MODULES.items() if len(found[kind]) > most
    }
    assert over == {}
    # The model's client is for those that ask models, and a terminal's libraries for nobody.
    for kind in MOST_MODULES:
        packages = {name.partition(".")[0] for name in found[kind]}
        assert packages & {"openai", "prompt_toolkit", "typer", "mcp", "playwright"} == set(), kind
    # Before a run waits for it, and before a pool forks.
    assert "agents.llm" in found["worker"]
