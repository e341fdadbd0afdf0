"""The keys that sign the audit log."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import Actor
from audit.errors import Refusal
from audit.models import LogKey
from audit.services.log_keys import retire_key, rotate_key
from audit.signing import KeyTrouble

ACTOR = Actor.system("audit_keys")


class Command(BaseCommand):
    """`list`, `rotate` (add a key that signs beside the others) and `retire ID` (let one sign no more)."""

    help = "List, rotate and retire the keys that sign the audit log's checkpoints."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("list", help="all keys, as C2SP verifier keys")
        commands.add_parser("rotate", help="add a key; old and new sign until the old is retired")
        retire = commands.add_parser("retire", help="let a key sign no more")
        retire.add_argument("key", help="the eight digits in the middle of its verifier key")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            if options["what"] == "rotate":
                added = rotate_key(actor=ACTOR)
                self.stdout.write(str(added))
                self.stderr.write(
                    f"The key {added.id.hex()} signs from the next checkpoint on, beside those before it. "
                    "Copy its file to every machine that seals, tell your auditors, then retire the old one."
                )
            elif options["what"] == "retire":
                retired = retire_key(options["key"], actor=ACTOR)
                self.stdout.write(f"The key {retired.id.hex()} signs no more. Its file may go.")
            else:
                self._list()
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        except KeyTrouble as trouble:
            raise CommandError(str(trouble)) from trouble

    def _list(self) -> None:
        for row in LogKey.objects.order_by("added_at", "verifier"):
            until = "signs" if row.retired_at is None else f"retired at {row.retired_size} events"
            self.stdout.write(f"{row.verifier}  from {row.added_size} events, {until}")
