"""The product for a measurement: embedded services, and every process as `make demo` starts it."""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from countersign.addresses import filled_in, prepare
from countersign.config import Config, load
from countersign.embedded import Layout, release_services
from countersign.programs import PROJECT, programs

READY_SECONDS = 180
LOOK_SECONDS = 0.2
STOP_SECONDS = 60
MANAGE = (sys.executable, str(PROJECT / "manage.py"))


@contextmanager
def _environment() -> Iterator[None]:
    """What is set in the environment meanwhile is taken back: what is measured next has servers of its own."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def model() -> Iterator[subprocess.Popen[str]]:
    """The model server, a process of its own; its address is in the environment afterwards."""
    command = [sys.executable, "-m", "benchmarks.model"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        with _environment():
            os.environ.update(
                OPENAI_BASE_URL=process.stdout.readline().strip(),
                OPENAI_API_KEY="benchmark",
                OPENAI_MODEL="benchmark",
            )
            yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


@contextmanager
def services(folder: Path) -> Iterator[Config]:
    """PostgreSQL and Redis in `folder`, with the product's tables; addresses in the environment."""
    with _environment():
        _set(folder)
        config = load()
        prepare(config)
        config = filled_in(config)
        for name in ("database_url", "database_owner_url", "database_sealer_url", "redis_url"):
            os.environ[name.upper()] = str(getattr(config, name))
        try:
            subprocess.run([*MANAGE, "migrate", "--verbosity", "0"], check=True)
            yield config
        finally:
            release_services()


def _set(folder: Path) -> None:
    port = free_port()
    os.environ.update(
        DJANGO_SETTINGS_MODULE="countersign.settings",
        COUNTERSIGN_DATA_DIR=str(folder / "data"),
        COUNTERSIGN_APPS="benchmarks",
        COUNTERSIGN_UNDO_SECONDS="0",
        COUNTERSIGN_LOG_LEVEL="WARNING",
        COUNTERSIGN_BASE_URL=f"http://127.0.0.1:{port}",
        PORT=str(port),
    )


@contextmanager
def running(config: Config, only: str = "") -> Iterator[dict[str, int]]:
    """Every process of the product, or `only` the one of that name; their ids by name, with those of PostgreSQL
    and Redis."""
    logs = config.data_dir / "log"
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for program in programs(config):
            if only and program.name != only:
                continue
            with (logs / f"{program.name}.log").open("ab") as log:
                started[program.name] = subprocess.Popen(
                    program.arguments, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
        _wait_until_ready(f"{config.address}/health/{'live' if only else 'ready'}")
        yield {name: process.pid for name, process in started.items()} | _servers(config)
    finally:
        _end(started)


def _end(started: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """End the processes; one that does not end in time is killed, and said so."""
    for process in started.values():
        process.terminate()
    for name, process in started.items():
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{name} did not end in {STOP_SECONDS} s and was killed.", file=sys.stderr)
            process.kill()
            process.wait()


def measure(pids: dict[str, int], options: argparse.Namespace) -> dict[str, Any]:
    """Run `manage.py measure` against the running product; its figures."""
    names = ("cycles", "sockets", "burst", "parked", "parked_seconds")
    numbers = [
        part
        for name in names
        for part in (f"--{name.replace('_', '-')}", str(getattr(options, name)))
    ]
    command = [*MANAGE, "measure", *numbers, "--pids", json.dumps(pids)]
    outcome = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(outcome.stdout))


def _servers(config: Config) -> dict[str, int]:
    postmaster = Layout(config.data_dir).postgres_data / "postmaster.pid"
    with Redis.from_url(config.redis_url) as client:
        redis = int(client.info("server")["process_id"])
    return {"postgresql": int(postmaster.read_text().splitlines()[0]), "redis": redis}


def _wait_until_ready(url: str) -> None:
    ends = time.monotonic() + READY_SECONDS
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"{url} did not turn green in {READY_SECONDS} s")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
