"""`migrate` as the login that owns the tables."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import connections

OLDEST = 15


class Command(migrate.Command):
    """Django's own command; without --database it uses the alias `owner`."""

    help = "Brings the tables up to date, as the login of DATABASE_OWNER_URL."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        version, _ = connections[options["database"]].get_database_version()
        if version < OLDEST:
            raise CommandError(
                f"The server is PostgreSQL {version}; Countersign needs {OLDEST} or newer."
            )
        super().handle(*args, **options)
