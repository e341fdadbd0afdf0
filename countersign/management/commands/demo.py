"""`manage.py demo`: the whole product on this machine, with a small shop to try it on."""

import fcntl
import json
import os
import shutil
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from countersign.config import Config, load
from countersign.embedded import Layout, release_services
from countersign.embedded.users import in_use
from countersign.programs import programs
from countersign.supervisor import LOOK_SECONDS, Supervisor
from demo.seed import seed

READY_SECONDS = 300.0
PROBE_SECONDS = 3
BACKLOG = 512


class Command(BaseCommand):
    """Prepares, starts everything, says `Ready:`, and keeps it running until Ctrl-C or SIGTERM."""

    help = "Runs the whole product on this machine, with demo data."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--forget", action="store_true", help="delete the data directory")

    def handle(self, *_args: Any, **options: Any) -> None:
        config = load()
        if options["forget"]:
            self._forget(config)
            return
        with listen(config) as listener, only_demo_of(config):
            self.say(f"Data: {config.data_dir}")
            call_command("migrate", verbosity=0, interactive=False)
            accounts = seed()
            connections.close_all()
            self._run(config, accounts, listener)

    def say(self, sentence: str) -> None:
        """Print a line at once, also into a pipe."""
        self.stdout.write(sentence)
        self.stdout.flush()

    def _run(self, config: Config, accounts: object, listener: socket.socket) -> None:
        provider = config.demo_provider_url or f"http://127.0.0.1:{_free_port()}"
        supervisor = Supervisor(
            programs(
                config.model_copy(update={"demo_provider_url": provider}),
                listener=listener.fileno(),
            ),
            environment=os.environ
            | {
                "COUNTERSIGN_DEMO_PROVIDER_URL": provider,
                "COUNTERSIGN_CALLBACK_SECRETS": json.dumps(settings.COUNTERSIGN.callback_secrets),
            },
            logs=config.data_dir / "log",
            say=self.say,
        )

        def stop(_number: int, _frame: FrameType | None) -> None:
            supervisor.stopping.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGHUP, stop)
        try:
            supervisor.start()
            self._wait_until_ready(config, supervisor)
            if not supervisor.stopping.is_set():
                self._welcome(accounts)
            supervisor.watch()
        finally:
            self.say("Stopping.")
            supervisor.stop()
            release_services()

    def _wait_until_ready(self, config: Config, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + READY_SECONDS
        missing = "everything"
        while not supervisor.stopping.wait(LOOK_SECONDS):
            supervisor.look()
            missing = _missing(config)
            if not missing:
                return
            if time.monotonic() > deadline:
                raise CommandError(
                    f"Not ready after {READY_SECONDS:.0f} seconds; still missing: {missing}. "
                    f"The logs are in {config.data_dir / 'log'}."
                )

    def _welcome(self, accounts: object) -> None:
        self.say(f"Ready: {settings.COUNTERSIGN.base_url}")
        self.say(str(accounts))
        self.say("Ctrl-C stops it; the data stays. `make demo-reset` forgets the data.")

    def _forget(self, config: Config) -> None:
        layout = Layout(config.data_dir)
        if not config.data_dir.exists():
            self.say(f"There is no data in {config.data_dir}.")
            return
        if not layout.keys.is_dir():
            raise CommandError(
                f"{config.data_dir} was not made by Countersign; nothing was deleted."
            )
        if in_use(layout):
            raise CommandError(f"{config.data_dir} is in use. Stop the demo first.")
        shutil.rmtree(config.data_dir)
        shutil.rmtree(layout.runtime, ignore_errors=True)
        self.say(f"Forgot {config.data_dir}.")


def listen(config: Config) -> socket.socket:
    """Take the port and keep it, for web processes one after the other.

    Browsers that come while the web process is started again wait a moment instead of being sent
    away. Raises CommandError when another program has the port.
    """
    try:
        return socket.create_server((config.host, config.port), backlog=BACKLOG)
    except OSError as error:
        raise CommandError(
            f"Port {config.port} on {config.host} cannot be had ({error.strerror}). Stop the "
            f"program that has it, or choose another port: PORT={config.port + 1} make demo"
        ) from error


@contextmanager
def only_demo_of(config: Config) -> Iterator[None]:
    """Keep the data directory for this demo. Raises CommandError when another one has it."""
    with (config.data_dir / "demo.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"A demo runs in {config.data_dir} already. Stop it, or give this one a directory "
                "of its own: COUNTERSIGN_DATA_DIR=.countersign-2 make demo"
            ) from error
        yield


def _missing(config: Config) -> str:
    """What the readiness page says is missing; empty when nothing is."""
    try:
        with urllib.request.urlopen(
            f"http://{config.host}:{config.port}/health/ready", timeout=PROBE_SECONDS
        ) as answer:
            return "" if answer.status == 200 else "web"
    except urllib.error.HTTPError as refusal:
        try:
            return ", ".join(json.load(refusal)["missing"])
        except (ValueError, KeyError):
            return f"web (it answers {refusal.code})"
    except OSError:
        return "web"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
