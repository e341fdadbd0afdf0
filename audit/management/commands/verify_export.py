"""Check an evidence export, as verify.py does; it needs nothing of this installation."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit.verifier import verify


class Command(BaseCommand):
    """The same program as `audit/verifier/verify.py`, and the same exit codes."""

    help = "Check an export of the audit log: 0 when it holds, 1 when not, 2 when it cannot be checked."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        verify.add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        code = verify.check_file(
            options["export"],
            options["key"],
            options["state"],
            options["challenge"],
            options["witness"],
        )
        if code:
            raise SystemExit(code)
