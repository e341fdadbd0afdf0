"""The real product for one test: every part a process of its own, with short durations."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.db import connections

from countersign.config import Config
from countersign.embedded.layout import DATABASE
from countersign.embedded.postgres import Postgres
from countersign.programs import PROJECT, Program, programs
from tests.harness.cluster import Cluster, product_environment, short_folder, start_cluster
from tests.harness.environment import TestProcess
from tests.harness.nursery import NURSERY, Forked
from tests.harness.ports import is_free, lasting_port

Found = TypeVar("Found")
READY_SECONDS = 150.0
LOOK_SECONDS = 0.05
STOP_SECONDS = 15.0
# What the demo's mail is confirmed with.
CALLBACK_SECRET = "whsec_" + "c3RhY2tz" * 5
ALIASES = {"default": "app", "owner": "owner", "sealer": "sealer"}

# What takes minutes in production takes a second or two here.
SHORT = {
    # Tests of several workers say so; two cores carry the processes of three tests at a time.
    "COUNTERSIGN_RESUME_WORKERS": "1",
    "COUNTERSIGN_RUN_WORKERS": "1",
    "COUNTERSIGN_LEASE_SECONDS": "2",
    "COUNTERSIGN_LEASE_RENEWAL_SECONDS": "0.5",
    "COUNTERSIGN_SWEEP_SECONDS": "0.5",
    "COUNTERSIGN_CLAIM_SECONDS": "2",
    "COUNTERSIGN_SEALING_SECONDS": "0.2",
    "COUNTERSIGN_UNDO_SECONDS": "0",
    "COUNTERSIGN_MAIL_GATHER_SECONDS": "0",
    "COUNTERSIGN_SIGN_OF_LIFE_SECONDS": "3",
    "COUNTERSIGN_WAKE_DRAIN_SECONDS": "0.2",
    "COUNTERSIGN_MODEL_TIMEOUT_SECONDS": "5",
    "COUNTERSIGN_MODEL_BACKOFF_SECONDS": "0.05",
    "COUNTERSIGN_MODEL_SLEEP_SECONDS": "1",
    "COUNTERSIGN_BREAKER_SECONDS": "1",
}


@dataclass(frozen=True)
class Place:
    """Where a stack lies: a folder, and two ports that nothing else listens on.

    A process's stacks use the same few places one after the other: with equal settings they then read the
    same environment, and their processes are forked from what has read it already.
    """

    folder: Path
    port: int
    provider_port: int

    @property
    def is_free(self) -> bool:
        return is_free(self.port) and is_free(self.provider_port)


_places: list[Place] = []


def take_place() -> Place:
    """A place that no stack of this process uses, with an empty folder."""
    while _places:
        place = _places.pop()
        if place.is_free:
            place.folder.mkdir(mode=0o700)
            return place
    return Place(short_folder(), lasting_port(), lasting_port())


class Stack:
    """Web, worker pools, scheduler, payment provider, over this test process's database and Redis.

    The ORM of the test sees the same database. Names of processes: `web`, `resumes`, `runs`,
    `background`, `scheduler`, `payment provider`. `settings` are names of `Config` fields; `project` is
    the checkout whose code the processes run.
    """

    def __init__(
        self, process: TestProcess, *, project: Path = PROJECT, **settings: object
    ) -> None:
        self.process = process
        self.place = take_place()
        self.folder = self.place.folder
        self.project = project
        self.redis = process.redis
        self.cluster: Cluster = process.cluster
        self.port = self.place.port
        self.provider_port = self.place.provider_port
        self.settings = settings
        self.programs: dict[str, Program] = {}
        self.running: dict[str, Forked] = {}
        self._environments: list[dict[str, str]] = []
        self.own_postgres: Postgres | None = None

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def provider_url(self) -> str:
        """Where the payment provider is."""
        return f"http://127.0.0.1:{self.provider_port}"

    def environment(self) -> dict[str, str]:
        """What the processes read."""
        database = DATABASE if self.own_postgres else self.process.database
        given = {f"COUNTERSIGN_{name.upper()}": str(value) for name, value in self.settings.items()}
        plain = [name for name in self.settings if name.upper().startswith(("OPENAI_", "OTEL_"))]
        outside = {name.upper(): given.pop(f"COUNTERSIGN_{name.upper()}") for name in plain}
        return product_environment(
            **{
                **self.process.settings(),
                **self.cluster.environment(database),
                **SHORT,
                "PORT": str(self.port),
                "COUNTERSIGN_DATA_DIR": str(self.folder / "data"),
                "COUNTERSIGN_DEMO_PROVIDER_URL": self.provider_url,
                "COUNTERSIGN_CALLBACK_SECRETS": json.dumps({"demo-mail": CALLBACK_SECRET}),
                **given,
                **outside,
            }
        )

    def environment_of(self, name: str) -> dict[str, str]:
        """What one process reads, where it differs from the others."""
        return self.environment()

    def run(self, *names: str) -> "Stack":
        """Start the named processes, or all of them and wait until the readiness page is green."""
        environment = self.environment()
        config = Config(
            port=self.port,
            demo=True,
            data_dir=self.folder / "data",
            demo_provider_url=self.provider_url,
            **{
                name: environment[f"COUNTERSIGN_{name.upper()}"]
                for name in ("resume_workers", "run_workers", "background_workers")
                if f"COUNTERSIGN_{name.upper()}" in environment
            },
        )
        self.programs = {program.name: program for program in programs(config)}
        for name in names or self.programs:
            self.start(name)
        if not names:
            self.wait_until_ready()
        return self

    def start(self, name: str) -> None:
        """Start a process that is not running."""
        if self.is_running(name):
            raise RuntimeError(f"{name} runs already")
        _python, *arguments = self._in_project(self.programs[name].arguments)
        environment = self.environment_of(name)
        if environment not in self._environments:
            self._environments.append(environment)
        self.running[name] = NURSERY.start(
            arguments,
            folder=self.project,
            environment=environment,
            log=self._log(name),
        )

    def manage(self, *arguments: str) -> str:
        """What a command of the project's `manage.py` prints; it has to succeed."""
        done = subprocess.run(
            (sys.executable, str(self.project / "manage.py"), *arguments),
            cwd=self.project,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=READY_SECONDS,
        )
        if done.returncode:
            raise AssertionError(f"{arguments} gave {done.returncode}.\n{done.stdout}{done.stderr}")
        return done.stdout

    def _in_project(self, arguments: tuple[str, ...]) -> list[str]:
        """A command line of this checkout as one of the stack's."""
        script = str(PROJECT / "manage.py")
        return [str(self.project / "manage.py") if each == script else each for each in arguments]

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process and its children; for an ending one, wait until it is gone."""
        process = self.running[name]
        os.killpg(process.pid, number)
        if number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            process.wait(STOP_SECONDS)

    def is_running(self, name: str) -> bool:
        return name in self.running and not self.running[name].ended()

    def wait_until_ready(self) -> None:
        """Wait until the readiness page says that everything is there."""
        self.wait_for(lambda: not self.missing(), READY_SECONDS, "the readiness page is green")

    def missing(self) -> list[str]:
        """What the readiness page misses."""
        try:
            self.get("/health/ready")
        except urllib.error.HTTPError as refusal:
            return list(json.load(refusal)["missing"])
        except OSError:
            return ["web"]
        return []

    def get(self, path: str, **headers: str) -> Any:
        """GET a JSON document. Raises HTTPError for anything but success."""
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def provider_calls(self) -> list[dict[str, Any]]:
        """Every call that the payment provider got, in order."""
        with urllib.request.urlopen(f"{self.provider_url}/calls", timeout=10) as answer:
            return list(json.load(answer)["calls"])

    def wait_for(
        self, condition: Callable[[], Found], deadline: float = 20.0, what: str = "the condition"
    ) -> Found:
        """Ask until the answer is true, and return it. Fails with the processes' last words."""
        end = time.monotonic() + deadline
        while not (answer := condition()):
            if time.monotonic() > end:
                raise AssertionError(
                    f"After {deadline:g} seconds {what} is still not so.\n{self.last_words()}"
                )
            time.sleep(LOOK_SECONDS)
        return answer

    def last_words(self) -> str:
        """The end of each process's log."""
        said = []
        for name in self.running:
            tail = self._log(name).read_text(errors="replace").splitlines()[-15:]
            state = "runs" if self.is_running(name) else "has ended"
            said.append(f"--- {name} ({state})\n" + "\n".join(tail))
        return "\n".join(said)

    def use_own_postgres(self) -> None:
        """Give this stack, and the ORM of the test, a cluster of their own, to stop and to kill."""
        template = self.process.cluster
        cluster, server = start_cluster(self.folder / "postgres", {})
        dump = [str(server.binaries / "pg_dump"), "-d", template.superuser_url(DATABASE)]
        # In one transaction: it is thousands of statements, and this server waits for the disk at each commit.
        load = [str(server.binaries / "psql"), "-q", "-X", "-1", "-v", "ON_ERROR_STOP=1"]
        content = subprocess.run(dump, check=True, capture_output=True).stdout
        subprocess.run(
            [*load, "-d", cluster.superuser_url(DATABASE)],
            input=content,
            check=True,
            capture_output=True,
        )
        self.cluster, self.own_postgres = cluster, server
        self._point_orm_at(cluster, DATABASE)

    def stop(self) -> None:
        """End every process, and give the test process its own servers back."""
        # Nothing that they hold is looked at any more; how they end when asked to has tests of its own.
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.running.values():
            process.wait(STOP_SECONDS)
        for environment in self._environments:
            NURSERY.release(folder=self.project, environment=environment)
        connections.close_all()
        if self.own_postgres is not None:
            self.own_postgres.stop()
            self._point_orm_at(self.process.cluster, self.process.database)
        if not self.redis.alive():
            self.redis.start()
        shutil.rmtree(self.folder)
        _places.append(self.place)

    def _point_orm_at(self, cluster: Cluster, database: str) -> None:
        connections.close_all()
        for alias, login in ALIASES.items():
            connections[alias].settings_dict.update(
                HOST=str(cluster.layout.postgres_socket_dir),
                NAME=database,
                PASSWORD=cluster.secrets_of(login),
            )

    def _log(self, name: str) -> Path:
        folder = self.folder / "log"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name.replace(' ', '-')}.log"
