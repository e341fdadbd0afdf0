"""The embedded PostgreSQL and Redis: shared, outliving kills, gone with their last user."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis
from redis.exceptions import RedisError

from countersign.embedded import EmbeddedError, Layout, ensure_secrets, read_secrets
from countersign.embedded import account as accounts
from countersign.embedded import redis as embedded_redis
from countersign.embedded.layout import LONGEST_SOCKET_PATH, POSTGRES_SOCKET
from countersign.embedded.secrets import signing_key_path
from countersign.embedded.users import in_use
from tests.harness.cluster import PROJECT, Cluster, product_environment, short_folder

USER = """
import sys
from pathlib import Path
from countersign.embedded import EmbeddedError, Layout, ensure_services, release_services
try:
    ensure_services(Layout(Path(sys.argv[1])))
except EmbeddedError as error:
    sys.exit(str(error))
print("ready", flush=True)
sys.stdin.readline()
release_services()
"""


class Users:
    """Processes that use the services of one directory."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder)
        self.processes: list[subprocess.Popen[str]] = []

    def come(self) -> subprocess.Popen[str]:
        """A new user, once it has what it needs."""
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(self.layout.data_dir)],
            cwd=PROJECT,
            env=product_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == "ready\n", process.communicate()[1]
        return process

    def go(self, process: subprocess.Popen[str]) -> None:
        """Let a user end by itself, letting go of the services."""
        process.communicate("\n")
        assert process.returncode == 0

    def serving(self, name: str) -> list[psutil.Process]:
        """The servers and keepers of the directory whose command line names `name`."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            ours = str(self.layout.data_dir) in line or str(self.layout.runtime) in line
            if ours and name in line and (process.info["cmdline"] or ["", ""])[1] != "-c":
                found.append(process)
        return found

    def ask(self, question: str = "SELECT 1") -> object:
        """What PostgreSQL answers to the application login."""
        secrets = read_secrets(self.layout)
        assert secrets is not None
        with psycopg.connect(self.layout.database_url("app", secrets.app)) as connection:
            row = connection.execute(question.encode()).fetchone()
            return row[0] if row else None

    def ping(self) -> bool:
        with Redis.from_url(self.layout.redis_url) as client:
            return bool(client.ping())

    def all_gone(self) -> bool:
        return (
            not self.serving("postgres") and not self.serving("redis") and not in_use(self.layout)
        )


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether the condition comes true in time; a refused connection counts as not yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except (psycopg.OperationalError, RedisError):
            pass
        time.sleep(0.05)
    return False


@pytest.fixture
def users() -> Iterator[Users]:
    folder = short_folder()
    present = Users(folder)
    yield present
    for process in present.processes:
        process.kill()
        process.communicate()
    assert eventually(present.all_gone), [found.cmdline() for found in present.serving("")]


def test_the_services_are_shared_and_stop_with_the_last_user(users: Users) -> None:
    first = users.come()
    second = users.come()
    assert len(users.serving("embedded.keeper")) == 2
    users.go(first)
    assert users.ask() == 1
    assert users.ping()
    users.go(second)
    assert users.all_gone()


def test_the_next_user_finds_the_data(users: Users) -> None:
    user = users.come()
    secrets = ensure_secrets(users.layout)
    with psycopg.connect(users.layout.database_url("owner", secrets.owner)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    users.go(user)
    users.come()
    with psycopg.connect(users.layout.database_url("owner", secrets.owner)) as connection:
        assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)


def test_many_users_at_once_start_one_of_each(users: Users) -> None:
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", USER, str(users.layout.data_dir)],
            cwd=PROJECT,
            env=product_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    users.processes.extend(starting)
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    assert eventually(lambda: len(users.serving("embedded.keeper")) == 2)


def test_killed_users_count_no_more(users: Users) -> None:
    for process in (users.come(), users.come()):
        process.kill()
    assert eventually(users.all_gone)


@pytest.mark.parametrize("server", ["bin/postgres", "redis-server"])
def test_a_killed_server_is_started_again(users: Users, server: str) -> None:
    users.come()
    [victim] = [found for found in users.serving(server) if "keeper" not in found.cmdline()]
    victim.kill()
    assert eventually(lambda: not victim.is_running())
    assert eventually(lambda: users.ask() == 1)
    assert eventually(users.ping)


def test_a_killed_keeper_is_replaced_by_a_user_who_stays(users: Users) -> None:
    users.come()
    stays = users.come()
    keepers = users.serving("embedded.keeper")
    for keeper in keepers:
        keeper.kill()
    assert eventually(
        lambda: (
            len(users.serving("embedded.keeper")) == 2
            and not {keeper.pid for keeper in keepers}
            & {keeper.pid for keeper in users.serving("embedded.keeper")}
        )
    )
    assert eventually(lambda: users.ask() == 1)
    assert eventually(users.ping)
    users.go(users.processes[0])
    users.go(stays)
    assert users.all_gone()


def test_everything_killed_at_once_starts_again(users: Users) -> None:
    user = users.come()
    for process in [*users.serving("postgres"), *users.serving("redis")]:
        process.kill()
    user.kill()
    users.come()
    assert users.ask() == 1
    assert users.ping()


def test_no_login_is_a_superuser_or_may_make_roles(test_process: object) -> None:
    cluster: Cluster = test_process.cluster  # type: ignore[attr-defined]
    for login in ("app", "sealer", "owner"):
        with psycopg.connect(cluster.url(login, "countersign")) as connection:
            found = connection.execute(
                "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls "
                "FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            assert found == (False,) * 5


def test_the_superuser_is_out_of_reach_of_the_logins(users: Users) -> None:
    users.come()
    secrets = ensure_secrets(users.layout)
    host = users.layout.postgres_socket_dir
    if os.geteuid() == 0:
        # This process is root, and the server's files belong to a system user of its own.
        with pytest.raises(psycopg.OperationalError, match=r"[Pp]eer authentication failed"):
            psycopg.connect(f"postgresql://postgres@/postgres?host={host}")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://countersign_owner:{secrets.app}@/countersign?host={host}")


def test_committed_means_on_disk(users: Users) -> None:
    users.come()
    assert users.ask("SHOW fsync") == "on"
    assert users.ask("SHOW synchronous_commit") == "on"
    assert users.ask("SHOW max_connections") == "200"
    assert users.ask("SHOW listen_addresses") == ""


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    first = ensure_secrets(layout)
    again = ensure_secrets(layout)
    assert first == again
    assert first.secret_key not in repr(first)
    assert layout.keys.stat().st_mode & 0o777 == 0o700
    for path in (layout.keys / "secrets.json", signing_key_path(layout)):
        assert path.stat().st_mode & 0o777 == 0o600


def test_broken_secrets_are_not_replaced(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    ensure_secrets(layout)
    (layout.keys / "secrets.json").write_text("{")
    with pytest.raises(EmbeddedError, match="Restore it from a backup"):
        ensure_secrets(layout)


def test_a_long_path_moves_only_the_sockets(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ("long" * 30))
    assert not layout.runtime.is_relative_to(layout.data_dir)
    longest = layout.postgres_socket_dir / POSTGRES_SOCKET
    assert len(os.fsencode(longest)) <= LONGEST_SOCKET_PATH
    assert Layout(tmp_path / ("long" * 30)).runtime == layout.runtime
    assert Layout(tmp_path / ("else" * 30)).runtime != layout.runtime


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match=r"cannot be written.*COUNTERSIGN_DATA_DIR"):
        ensure_secrets(Layout(tmp_path / "file" / "data"))


def test_data_of_a_newer_postgresql_is_left_alone(users: Users) -> None:
    users.go(users.come())
    version = users.layout.postgres_data / "PG_VERSION"
    version.write_text("19\n")
    outcome = subprocess.run(
        [sys.executable, "-c", USER, str(users.layout.data_dir)],
        cwd=PROJECT,
        env=product_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert "was made by PostgreSQL 19; this installation brings 18" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    version.write_text("18\n")
    users.come()


def test_without_any_redis_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(embedded_redis.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(EmbeddedError, match="apt-get install redis-server"):
        embedded_redis.find_server()


def test_the_machines_own_redis_is_preferred(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("valkey-server",):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded_redis.find_server() == tmp_path / "valkey-server"


def test_a_system_user_that_cannot_be_made_is_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounts.os, "geteuid", lambda: 0)
    monkeypatch.setattr(accounts, "NAME", "not a possible name")
    with pytest.raises(EmbeddedError, match="set DATABASE_URL"):
        accounts.server_account()


def test_a_stopped_keeper_stops_its_server_first(users: Users) -> None:
    user = users.come()
    [postmaster] = [
        found
        for found in users.serving("bin/postgres")
        if "keeper" not in " ".join(found.cmdline())
    ]
    user.send_signal(signal.SIGKILL)
    user.wait()
    assert eventually(users.all_gone)
    assert not postmaster.is_running()
    assert not (users.layout.postgres_data / "postmaster.pid").exists()
