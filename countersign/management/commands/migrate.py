"""`migrate` as the login that owns the tables."""

from django.core.management.base import CommandParser
from django.core.management.commands import migrate


class Command(migrate.Command):
    """Django's own command; without --database it uses the alias `owner`."""

    help = "Brings the tables up to date, as the login of DATABASE_OWNER_URL."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")
