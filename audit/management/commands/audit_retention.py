"""Drop the bodies of old months of the audit log."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.clock import database_now
from audit.printable import printable
from audit.retention import kept_for, months_to_drop
from audit.services.retire import drop_old_months


class Command(BaseCommand):
    """Says which months are old enough; with --drop, drops their bodies. Needs the owner's login."""

    help = (
        "List the months of the audit log that need not be kept any longer, and with --drop drop their bodies. "
        "Leaf hashes stay, so that proofs go on to verify. Legal holds stand in the way."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--drop", action="store_true", help="drop them, and record it")

    def handle(self, *args: Any, **options: Any) -> None:
        days = kept_for().days
        if not options["drop"]:
            months = months_to_drop(database_now())
            for month in months:
                self.stdout.write(f"{month.partition} is older than {days} days.")
            if not months:
                self.stdout.write(f"No month is wholly older than {days} days.")
            return
        held = 0
        for month, outcome in drop_old_months():
            if isinstance(outcome, int):
                self.stdout.write(f"{month.partition}: {outcome} bodies dropped.")
            else:
                held += 1
                self.stderr.write(printable(outcome.detail))
        if held:
            raise CommandError("1 month stays." if held == 1 else f"{held} months stay.")
        self.stdout.write(f"No other month is wholly older than {days} days.")
