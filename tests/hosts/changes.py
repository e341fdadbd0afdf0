"""What operators do to hosts that are well: bring a new release, and add a host, under load."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Final

from agents.models import Run
from countersign.programs import PROJECT
from tests.hosts.house import WEB_PORT
from tests.hosts.servers import until
from tests.hosts.stages import Stages

NEW_PORT: Final = WEB_PORT + 1
LEFT_OUT: Final = shutil.ignore_patterns(
    ".git", ".venv", ".countersign*", ".*_cache", "__pycache__", "docs", "benchmarks", "journeys"
)
OLD_WORDS: Final = 'instructions="Do what the ticket says."'
NEW_WORDS: Final = 'instructions="Do what the ticket says, and no more."'
#: How long the model thinks while throughput is measured: hosts wait for it, not for this machine's two cores.
THINKING_SECONDS: Final = 4.0
MEASURED_SECONDS: Final = 24.0


def new_release(folder: Path) -> Path:
    """A checkout beside this one, whose agents are told something else."""
    project = folder / "release"
    shutil.copytree(PROJECT, project, ignore=LEFT_OUT)
    agents = project / "tests" / "faults" / "works" / "agents.py"
    source = agents.read_text()
    assert OLD_WORDS in source
    agents.write_text(source.replace(OLD_WORDS, NEW_WORDS))
    return project


def deploy(it: Stages) -> None:
    """A new release, one host after the other, as `docs/operations.md` says, while people work."""
    house = it.house
    project = new_release(house.folder)
    with it.named("a rolling deploy"):
        first = house.machines["web-1"]
        told = json.loads(first.manage("drain", "--json", "--fail-on-change", project=project))
        it.note("open runs that drain knew of", told["open"])
        it.note("of them, runs that would need a person", told["need_a_person"], 0)
        first.manage("migrate", "--verbosity", "0", project=project)
        said = first.manage("sync_agents", project=project)
        versions = dict(re.findall(r"New version of (\S+): (\S+)", said))
        before = dict(house.upstreams)
        for name in ("web-1", "web-2"):
            house.start_web(name, project=project, port=NEW_PORT, beside=True)
            house.start_workers(house.machines[name.replace("web", "worker")], project=project)
            house.start_timer(name.replace("web", "timer"), project=project)
        for name in ("web-1", "web-2"):
            until(lambda name=name: house.is_ready(name, NEW_PORT), 180, f"{name} is ready")
        refused = it.tally.counts["starts asked again: agent_version_not_active"]
        for name in ("web-1", "web-2"):
            house.join_proxy(name, NEW_PORT)
        for upstream in before.values():
            house.proxy.let_go(upstream)
        for slug, digest in versions.items():
            status, document = it.admin.ask("POST", f"agents/{slug}/versions/{digest}/activate")
            assert status == 200, document
        for name in ("web-1", "web-2"):
            house.retire(name)
        house.project = project
        started = len(it.load.runs)
        it.wait("runs of the new release end", lambda: len(it.load.runs) >= started + 5)
        refused = it.tally.counts["starts asked again: agent_version_not_active"] - refused
        it.note("starts answered agent_version_not_active at the switch", refused)
        old = Run.objects.exclude(agent_version__digest__in=versions.values())
        it.wait(
            "runs of the old release have ended",
            lambda: not old.filter(finished_at=None).exists(),
            90,
        )
        it.note("runs begun on the old release that failed", old.filter(state="failed").count(), 0)


def grow(it: Stages) -> None:
    """A further worker host, by `docs/many-hosts.md` alone."""
    house = it.house
    with it.named("a further worker host"):
        it.models.seconds = THINKING_SECONDS
        for pool in list(house.machines["worker-2"].running):
            house.machines["worker-2"].stop(pool)
        one = _throughput(it)
        it.note("runs a second with one worker host", one)
        machine = house.add("worker-3")
        house.furnish(machine)
        house.start_workers(machine)
        two = _throughput(it)
        it.note("runs a second with two", two)
        it.note("one host's share of that", one / two, 0.8)
        it.models.seconds = 0.0


def _throughput(it: Stages) -> float:
    """Runs that end in a second, once the pools have filled."""
    it.let_pass(2 * THINKING_SECONDS)
    began, ended = time.monotonic(), it.load.ended()
    it.let_pass(MEASURED_SECONDS)
    return (it.load.ended() - ended) / (time.monotonic() - began)
