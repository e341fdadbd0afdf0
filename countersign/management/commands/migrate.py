"""`migrate` as the login that owns the tables, beside a product that is at work."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.migration import Migration
from django.db.utils import OperationalError
from psycopg.errors import LockNotAvailable

from agents.toolless import Toolless

OLDEST = 15
LOCK_SECONDS: Final = 3.0
LOCK_ATTEMPTS: Final = 10
PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 10.0
#: Any number will do, as long as every `migrate` takes the same one.
TURN: Final = 4_021_977_302
WHO_HOLDS: Final = (
    "SELECT pid, state, query FROM pg_stat_activity WHERE datname = current_database() "
    "ORDER BY xact_start"
)
_INVALID: Final = """
SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND relkind = 'i' AND relnamespace = 'public'::regnamespace ORDER BY 1
"""


class Command(Toolless, migrate.Command):
    """Django's own command; without --database it uses the alias `owner`.

    A migration that has to wait for a lock makes everybody behind it wait too, the product's own
    statements among them. So it waits for a few seconds only, gives way, and tries again.
    """

    help = "Brings the tables up to date, as the login of DATABASE_OWNER_URL."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")
        parser.add_argument(
            "--lock-seconds",
            type=float,
            default=LOCK_SECONDS,
            help=f"how long a migration waits for a lock before it gives way ({LOCK_SECONDS:g}; 0: for ever)",
        )
        parser.add_argument(
            "--lock-attempts",
            type=int,
            default=LOCK_ATTEMPTS,
            help=f"how often it tries ({LOCK_ATTEMPTS})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._alias = options["database"]
        self._lock_seconds = options["lock_seconds"]
        version, _ = self._connection.get_database_version()
        if version < OLDEST:
            raise CommandError(
                f"The server is PostgreSQL {version}; Countersign needs {OLDEST} or newer."
            )
        attempts = options["lock_attempts"]
        for attempt in range(1, attempts + 1):
            if self._migrated(args, options):
                return
            self.stderr.write(
                f"A migration waited {self._lock_seconds:g} seconds for a lock and gave way; nothing of it was done "
                f"(attempt {attempt} of {attempts})."
            )
            if attempt < attempts:
                time.sleep(min(PAUSE_SECONDS * attempt, LONGEST_PAUSE_SECONDS))
        raise CommandError(
            "A migration did not get its lock. What was applied before it stays; run migrate again. Who holds "
            f"locks: {WHO_HOLDS}"
        )

    def migration_progress_callback(
        self, action: str, migration: Migration | None = None, fake: bool = False
    ) -> None:
        """Before each migration: how long it may wait for a lock."""
        if action in ("apply_start", "unapply_start") and migration is not None:
            # What is made concurrently waits for old transactions and blocks nobody meanwhile; ended
            # half-way it would leave an index that is not valid.
            self._wait_at_most(self._lock_seconds if migration.atomic else 0)
        super().migration_progress_callback(action, migration, fake)

    @property
    def _connection(self) -> BaseDatabaseWrapper:
        return connections[self._alias]

    def _migrated(self, args: Any, options: dict[str, Any]) -> bool:
        """Whether all of it was applied; False where a lock was not to be had in time."""
        try:
            with self._turn():
                self._refuse_half_made()
                super().handle(*args, **options)
                self._wait_at_most(0)
            return True
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
        # What is left says that it is in that transaction still.
        del connections[self._alias]
        return False

    def _wait_at_most(self, seconds: float) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, false)", [f"{int(seconds * 1000)}ms"]
            )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One `migrate` at a time: several machines may be told to at once."""
        told = False
        # Asked again and again and not waited for: a statement that waits would be waited for by an index
        # that is made concurrently.
        while not _asked(self._connection, "SELECT pg_try_advisory_lock(%s)", TURN):
            if not told:
                self.stdout.write("Another migrate is at work; waiting for its end.")
                told = True
            time.sleep(PAUSE_SECONDS)
        try:
            yield
        except BaseException:
            # A migration that fails in its last statements leaves its transaction open: it ends with the
            # connection, and so does the turn.
            self._connection.close()
            raise
        _asked(self._connection, "SELECT pg_advisory_unlock(%s)", TURN)

    def _refuse_half_made(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(_INVALID)
            names = [str(name) for (name,) in cursor.fetchall()]
        if names:
            drops = " ".join(f"DROP INDEX CONCURRENTLY {name};" for name in names)
            raise CommandError(
                f"Indexes that are not valid: {', '.join(names)}. A migration that made them was interrupted. "
                f"Drop them as their owner and run migrate again, which makes them anew: {drops}"
            )


def _asked(connection: BaseDatabaseWrapper, statement: str, number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [number])
        (answer,) = cursor.fetchone()
    return bool(answer)
