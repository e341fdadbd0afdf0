"""Every block of commands on every page is run as it stands over the real product, page by page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from accounts.models import User
from agents.models import Run
from audit.models import LogKey
from tests.documentation.managed import managed
from tests.documentation.pages import BLOCKS, PROJECT, Block
from tests.harness.client import ApiClient
from tests.harness.stack import Stack

#: What stands for `…`, where a reader puts something of their own.
PLACEHOLDER = "0123456789abcdef" * 2
SECONDS = 120


def scripts() -> dict[Path, list[Block]]:
    """The blocks that are run, by page."""
    run = [block for block in BLOCKS if block.is_run]
    return {page: list(blocks) for page, blocks in groupby(run, key=lambda block: block.page)}


def commands_in(folder: Path) -> Path:
    """A folder for the PATH: commands by the names that pages call them by."""
    python = shlex.quote(sys.executable)
    here = shlex.quote(str(Path(__file__).parent))
    managed = f'exec {python} {here}/asking.py "$@"'
    any_python = f'if [ "$1" = manage.py ]; then shift; {managed}; fi; exec {python} "$@"'
    found = {
        "python": any_python,
        "python3": any_python,
        "manage.py": managed,
        "curl": f'exec {python} {here}/curl.py "$@"',
        "activate": ":",
    }
    folder.mkdir(parents=True)
    for name, line in found.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o700)
    return folder


def script_of(blocks: list[Block], site: Stack, words: dict[str, str]) -> str:
    """One script of the blocks of a page: what one sets, the next has."""
    parts = [f"printf '%s\\n' '--- {block}' >&2\n{block.text}" for block in blocks]
    script = "\n".join(["set -euo pipefail", *parts]).replace("…", PLACEHOLDER)
    script = re.sub(r"\b(localhost|127\.0\.0\.1):8000\b", f"127.0.0.1:{site.port}", script)
    return re.sub(r"\b[A-Z]{3,}\b", lambda match: words.get(match[0], match[0]), script)


def test_what_pages_tell_to_run_runs(
    stack: Callable[..., Stack], operator: User, tmp_path: Path
) -> None:
    site = stack().run()
    client = ApiClient(site, operator)
    run = client.start(
        "refund-desk", "Please refund €420.00 for order ORD-10001, it arrived broken."
    )
    site.wait_for(lambda: client.get(f"runs/{run}")["state"] == "waiting", what="the run waits")
    key = site.wait_for(LogKey.objects.first, what="the log has a key")
    words = {"RUN": run, "KEY": shlex.quote(key.verifier)}
    commands = commands_in(tmp_path / "environment" / "bin")
    environment = {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "MANAGED": str(site.folder / "managed"),
    }
    failed = []
    for page, blocks in scripts().items():
        folder = tmp_path / page.stem
        folder.mkdir()
        (folder / ".venv").symlink_to(tmp_path / "environment")
        (folder / "verify.py").symlink_to(PROJECT / "audit" / "verifier" / "verify.py")
        with managed(site, site.folder / "managed"):
            done = subprocess.run(
                ["bash", "-c", script_of(blocks, site, words)],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        (site.folder / "managed").unlink()
        if done.returncode:
            failed.append(f"{page.name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    assert not failed, "\n".join(failed)
    assert Run.objects.filter(agent__slug="refund-desk").count() > 1, (
        "the example of the API began one"
    )
    assert (tmp_path / "verify" / "my-state.json").is_file()
    assert (tmp_path / "write-an-agent" / "notice_board" / "agents.py").is_file()
