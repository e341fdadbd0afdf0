"""The sealed log: how it stands, and what an operator does after it halted."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import Actor
from audit.errors import Refusal
from audit.outside import OutsideTrouble
from audit.printable import printable
from audit.services.after_halt import acknowledge, adopt, succeed
from audit.services.sealing_state import sealing_state
from audit.signing import KeyTrouble
from audit.vouching import Rewound

ACTOR = Actor.system("audit_log")


class Command(BaseCommand):
    """`status`, and after a halt `acknowledge`, `adopt` or `succeed`."""

    help = "Say how the sealed audit log stands; let it be sealed again after it halted."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("status", help="how far it is sealed, and what keeps it from being so")
        commands.add_parser("acknowledge", help="seal on after a halt, where all fits again")
        commands.add_parser("adopt", help="let this machine, which keeps no checkpoint yet, seal")
        commands.add_parser(
            "succeed", help="begin a new log where a key was lost or events were, for good"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")()
        except Refusal as refusal:
            raise CommandError(printable(refusal.detail)) from refusal
        except (KeyTrouble, OutsideTrouble, Rewound) as trouble:
            raise CommandError(printable(str(trouble))) from trouble

    def _status(self) -> None:
        state = sealing_state()
        self.stdout.write(
            f"{state.origin or 'No log yet'}: {state.sealed} events sealed, {state.signed} of them under a "
            f"checkpoint, {state.waiting} waiting."
        )
        if complaint := state.complaint:
            raise CommandError(printable(complaint))

    def _acknowledge(self) -> None:
        acknowledge(actor=ACTOR)
        self.stdout.write("All fits again: sealing goes on.")

    def _adopt(self) -> None:
        taken_up = adopt(actor=ACTOR)
        self.stdout.write(f"This machine keeps the checkpoint of {taken_up.size} events now.")

    def _succeed(self) -> None:
        begun = succeed(actor=ACTOR)
        self.stdout.write(
            f"The log {begun.origin} has begun at {begun.first_size} events. Give auditors its key "
            "(audit_keys list) and say what became of the log before it."
        )
