"""One PostgreSQL cluster for a test session, and a database and a Redis for each test process."""

import atexit
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from countersign.embedded import Layout, Secrets, ensure_secrets
from countersign.embedded.layout import DATABASE, LOGINS
from countersign.embedded.postgres import Postgres
from countersign.embedded.processes import ends_with_parent
from countersign.embedded.redis import RedisServer
from countersign.programs import PROJECT

# Set by the process that starts the cluster, for the pytest-xdist workers it starts later.
CLUSTER_DIR = "TEST_CLUSTER_DIR"
# The session's data is thrown away: nothing is lost by not waiting for the disk.
CARELESS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
DATABASE_RIGHTS = {
    "app": "CONNECT, TEMPORARY",
    "sealer": "CONNECT, TEMPORARY",
    "steward": "CONNECT",
}
# Copying a database makes a thousand files, which memory does twenty times as fast as a disk.
MEMORY = Path("/dev/shm")  # noqa: S108
DISK = Path("/tmp")  # noqa: S108
ROOM_IN_MEMORY = 4 * 2**30
SETTINGS = ("REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "PORT")
# Said by a test that has a browser, for its own thread: the product's processes are to refuse what it lets through.
ASYNC_UNSAFE = "DJANGO_ALLOW_ASYNC_UNSAFE"
SUPERUSER_MAY_ENTER = ("local all postgres trust",)


#: In the cluster's folder: what the process that migrates the template says, locked for as long as it works,
#: and what it took, once it has succeeded.
MIGRATING = "template.log"
MIGRATED = "template.migrated"


class TemplateError(RuntimeError):
    """The template database could not be migrated; the text is what the process said."""


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL with the template database in it, which is migrated or about to be."""

    layout: Layout
    secrets: Secrets

    def url(self, login: str, database: str) -> str:
        """The address of a database for `app`, `sealer`, `owner` or `steward`."""
        return self.layout.database_url(login, self.secrets_of(login), database)

    def secrets_of(self, login: str) -> str:
        return str(getattr(self.secrets, login))

    def superuser_url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.layout.postgres_socket_dir}"

    def clone(self, database: str) -> None:
        """Make `database` a fresh copy of the migrated template, ending whatever was connected to it.

        Raises TemplateError where the template could not be migrated.
        """
        self._wait_until_migrated()
        name = sql.Identifier(database)
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy").format(
                    name, sql.Identifier(DATABASE), sql.Identifier(LOGINS["owner"])
                )
            )
            # A copy has the rights on its tables, and not those on the database itself.
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
            for login, rights in DATABASE_RIGHTS.items():
                connection.execute(
                    sql.SQL("GRANT {} ON DATABASE {} TO {}").format(
                        sql.SQL(rights), name, sql.Identifier(LOGINS[login])
                    )
                )

    def taken_to_migrate(self) -> dict[str, int]:
        """What the template's migrations took: `statements`, and classes of `models` made for them.

        Raises TemplateError.
        """
        self._wait_until_migrated()
        taken: dict[str, int] = json.loads((self.layout.data_dir / MIGRATED).read_text())
        return taken

    def _wait_until_migrated(self) -> None:
        folder = self.layout.data_dir
        if (folder / MIGRATED).exists():
            return
        with (folder / MIGRATING).open() as said:
            # The process that migrates holds it until it has ended, however it ends.
            fcntl.flock(said, fcntl.LOCK_SH)
            if not (folder / MIGRATED).exists():
                raise TemplateError(f"The template database could not be migrated:\n{said.read()}")

    def environment(self, database: str) -> dict[str, str]:
        """The addresses as the product reads them."""
        return {
            "DATABASE_URL": self.url("app", database),
            "DATABASE_OWNER_URL": self.url("owner", database),
            "DATABASE_SEALER_URL": self.url("sealer", database),
            "COUNTERSIGN_DEMO_STEWARD_URL": self.url("steward", database),
        }


def session_cluster(**settings: str) -> Cluster:
    """The session's cluster: started by the first process, joined by the others.

    Its template is migrated by a process of its own meanwhile; whoever copies it waits for that. `settings`:
    what the migrations read, as environment variables.
    """
    if joined := os.environ.get(CLUSTER_DIR):
        layout = Layout(Path(joined))
        return Cluster(layout, ensure_secrets(layout))
    folder = short_folder(_fastest())
    cluster, server = start_cluster(folder, CARELESS)
    os.environ[CLUSTER_DIR] = str(folder)

    migrating = _migrate(cluster, settings)

    def finish() -> None:
        migrating.kill()
        migrating.wait()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(finish)
    return cluster


def start_cluster(folder: Path, settings: dict[str, str]) -> tuple[Cluster, Postgres]:
    """Start a PostgreSQL in `folder` as a child of this process."""
    layout = Layout(folder)
    secrets = ensure_secrets(layout)
    server = Postgres(layout, secrets, settings=settings, host_lines=SUPERUSER_MAY_ENTER)
    server.start()
    return Cluster(layout, secrets), server


def start_redis(folder: Path) -> RedisServer:
    """Start a Redis in `folder` as a child of this process."""
    layout = Layout(folder)
    layout.prepare()
    server = RedisServer(layout)
    server.start()
    return server


def short_folder(parent: Path = DISK) -> Path:
    """A new folder whose path leaves room for the names of sockets."""
    return Path(tempfile.mkdtemp(prefix="cs-", dir=parent))


def _fastest() -> Path:
    """Where data that is thrown away lies best: in memory, where there is enough of it."""
    try:
        free = shutil.disk_usage(MEMORY).free
    except OSError:
        free = 0
    return MEMORY if free >= ROOM_IN_MEMORY else DISK


def product_environment(**changes: str) -> dict[str, str]:
    """This process's environment without any setting of the product or word of the test, and with `changes`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COUNTERSIGN_", "OPENAI_", "DATABASE_", "PYTEST_"))
        and name not in {*SETTINGS, ASYNC_UNSAFE}
    }
    return kept | changes


def _migrate(cluster: Cluster, settings: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Begin to migrate the template."""
    folder = cluster.layout.data_dir
    with (folder / MIGRATING).open("wb") as said:
        # The lock goes with the open file to the process that writes there, and ends with it.
        fcntl.flock(said, fcntl.LOCK_EX)
        return subprocess.Popen(
            (
                *(sys.executable, "-m", "countersign.testing.template"),
                *(cluster.superuser_url(DATABASE), str(folder / MIGRATED)),
            ),
            cwd=PROJECT,
            env=product_environment(
                **cluster.environment(DATABASE),
                REDIS_URL="redis://127.0.0.1:1/0",
                COUNTERSIGN_DATA_DIR=str(folder / "product"),
                DJANGO_SETTINGS_MODULE="countersign.settings",
                **settings,
            ),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            preexec_fn=ends_with_parent(signal.SIGKILL),
        )
