"""What Prefect needs beside the process that measures: PostgreSQL with `pg_trgm`, its server, and a runner."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

PROJECT = Path(__file__).resolve().parents[3]
READY_SECONDS = 120
LOOK_SECONDS = 0.2
STOP_SECONDS = 20
NEEDED = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'"
DEBIANS = Path("/usr/lib/postgresql")
DEPLOYMENT = "suspended/benchmark"
RUNS_AT_ONCE = 4
WHICH = "BENCHMARK_POSTGRESQL"


@contextmanager
def running(mode: str) -> Iterator[None]:
    """Everything that the mode needs; addresses are in the environment meanwhile, and which PostgreSQL it is."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prefect-bench-")))
        address, which = stack.enter_context(_postgres())
        port = _free_port()
        os.environ[WHICH] = which
        os.environ.update(
            DATABASE_URL=address,
            PREFECT_HOME=str(home),
            # For the processes of the runner, which are given the file of the flow.
            PYTHONPATH=str(PROJECT),
            PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
            PREFECT_API_DATABASE_CONNECTION_URL=address.replace(
                "postgresql://", "postgresql+asyncpg://", 1
            ),
            PREFECT_SERVER_ANALYTICS_ENABLED="false",
            PREFECT_LOGGING_LEVEL="ERROR",
            PREFECT_LOGGING_TO_API_ENABLED="false",
            PREFECT_RUNNER_POLL_FREQUENCY="1",
            PREFECT_RUNNER_PROCESS_LIMIT=str(RUNS_AT_ONCE),
        )
        prefect = str(Path(sys.executable).with_name("prefect"))
        server = [prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        log = stack.enter_context((home / "log").open("ab"))
        api = stack.enter_context(_process([*server, "--no-ui"], log.fileno(), "Prefect's server"))
        _wait_for(f"http://127.0.0.1:{port}/api/health", api, home / "log")
        if mode == "suspend":
            runner = [sys.executable, "-m", "benchmarks.peers.prefect.runner"]
            process = stack.enter_context(_process(runner, log.fileno(), "Prefect's runner"))
            # It is known once the runner has said so.
            _wait_for(
                f"http://127.0.0.1:{port}/api/deployments/name/{DEPLOYMENT}", process, home / "log"
            )
        yield


@contextmanager
def _process(command: list[str], log: int, name: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{name} did not end and was killed.", file=sys.stderr)
            process.kill()
            process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + READY_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"{url} does not answer. Its log says:\n{log.read_text()[-2000:]}")


@contextmanager
def _postgres() -> Iterator[tuple[str, str]]:
    """An address, and which server that is: that of the product where it can be, else one of its own."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        version = str(connection.info.server_version // 10_000)
        if connection.execute(NEEDED).fetchone():
            yield os.environ["DATABASE_URL"], f"{version}, that of the product"
            return
    with _own_postgres() as address:
        with psycopg.connect(address) as connection:
            version = str(connection.info.server_version // 10_000)
        yield address, f"{version}, its own: that of the product has no pg_trgm"


@contextmanager
def _own_postgres() -> Iterator[str]:
    """A cluster of an installed PostgreSQL with all settings as shipped, `fsync` on among them."""
    found = sorted(DEBIANS.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    server = str(found[-1]) if found else shutil.which("postgres")
    if server is None:
        raise RuntimeError(
            "Prefect needs PostgreSQL with the extension pg_trgm. Install one (Debian: postgresql), "
            "or leave Prefect out: --peers floor langgraph dbos."
        )
    with tempfile.TemporaryDirectory(prefix="prefect-bench-pg-") as folder:
        # PostgreSQL does not run as root; the packages make this user.
        user = "postgres" if os.geteuid() == 0 else None
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        data, port = str(Path(folder) / "data"), _free_port()
        make = [str(Path(server).with_name("initdb")), "-D", data, "-U", "prefect", "-A", "trust"]
        subprocess.run([*make, "-E", "UTF8"], check=True, user=user, stdout=subprocess.DEVNULL)
        command = [server, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder]
        log = Path(folder) / "log"
        with log.open("ab") as said:
            process = subprocess.Popen(command, user=user, stdout=said, stderr=said)
        try:
            address = f"postgresql://prefect@127.0.0.1:{port}/postgres"
            _connects(address, log)
            yield address
        finally:
            # Its fast end: by SIGTERM it would wait for its clients.
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)


def _connects(address: str, log: Path) -> None:
    ends = time.monotonic() + READY_SECONDS
    while time.monotonic() < ends:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            time.sleep(LOOK_SECONDS)
        else:
            return
    raise TimeoutError(f"PostgreSQL does not answer. Its log says:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
