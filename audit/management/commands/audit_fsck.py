"""Check the audit log against itself."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.fsck import Checked, check
from audit.printable import printable


class Command(BaseCommand):
    """Names the first thing that does not fit and ends with an error; says what was checked otherwise."""

    help = "Check every event, stream, leaf, checkpoint and disclosure; name the first thing that does not fit."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="name everything that does not fit")

    def handle(self, *args: Any, **options: Any) -> None:
        checked = Checked()
        found = 0
        for sentence in check(checked):
            found += 1
            if not options["all"]:
                raise CommandError(printable(sentence))
            self.stderr.write(printable(sentence))
        for warning in checked.warnings:
            self.stderr.write(self.style.WARNING(f"Note: {printable(warning)}"))
        for note in checked.log.notes:
            self.stderr.write(self.style.WARNING(f"Note: {printable(note)}"))
        if found:
            raise CommandError(f"{found} things do not fit.")
        self.stdout.write(f"The audit log fits: {checked.in_words()}")
