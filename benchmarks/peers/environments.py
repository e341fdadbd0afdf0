"""An environment for each peer, made from its lock, and its script run in there."""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from countersign.config import Config
from countersign.embedded import Layout, ensure_secrets
from countersign.embedded.layout import LOGINS
from countersign.embedded.postgres import Postgres
from countersign.programs import PROJECT

PLAIN = "bare"
MODES = {
    "floor": (PLAIN,),
    "rq": (PLAIN,),
    "langgraph": ("async", "exit"),
    "dbos": ("step", "transaction"),
    "prefect": ("pause", "suspend"),
}
QUEUES = 2
PASSED_ON = ("PATH", "HOME", "LANG", "REDIS_URL", "OPENAI_BASE_URL")
FOLDER = Path(__file__).resolve().parent
ENVIRONMENTS = PROJECT / ".venv-peers"
MOST_SECONDS = 600


def ready(peer: str) -> Path:
    """Make the environment of the peer unless it is there and fits its lock; its interpreter."""
    return made(FOLDER / peer)


def made(folder: Path) -> Path:
    """The same for any folder with a `requirements.lock`; the environment has the folder's name."""
    lock = folder / "requirements.lock"
    environment = ENVIRONMENTS / folder.name
    python = environment / "bin" / "python"
    mark = environment / ".made-from"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return python
    print(f"Making the environment of {folder.name} (once).", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "--no-deps", "-r", str(lock)], check=True)
    mark.write_text(digest)
    return python


def versions(peer: str) -> dict[str, str]:
    """What is pinned for the peer by name: its own packages, not what they need."""
    wanted = (FOLDER / peer / "requirements.in").read_text().split()
    return dict(line.split("==") for line in wanted)


def measure(config: Config, peer: str, mode: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run the peer's script against a database of its own on the product's server; its figures.

    It has as many processes for its burst as the product has workers for runs and resumes.
    """
    python = ready(peer)
    command = [str(python), "-m", f"benchmarks.peers.{peer}.measure", "measure", "--mode", mode]
    numbers = {
        "cycles": options.cycles,
        "burst": options.burst,
        "processes": QUEUES * options.workers,
    }
    arguments = [part for name, value in numbers.items() for part in (f"--{name}", str(value))]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment["DATABASE_URL"] = _database(config, f"{peer}_{mode}")
    figures = json.loads(_output([*command, *arguments], environment))
    return {"versions": versions(peer), **figures}


def _output(command: list[str], environment: dict[str, str]) -> bytes:
    """What the script prints. It and all that it started are ended where it takes too long or fails."""
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=MOST_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return output


def _database(config: Config, name: str) -> str:
    layout = Layout(config.data_dir)
    secrets = ensure_secrets(layout)
    owner = LOGINS["owner"]
    Postgres(layout, secrets).as_superuser(f"CREATE DATABASE {name} OWNER {owner}")
    return layout.database_url("owner", secrets.owner, name)
