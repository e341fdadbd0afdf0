"""Where the audit log is streamed to: how far each sink is, and moving one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import Actor
from audit.errors import Refusal
from audit.printable import printable
from audit.services.move_sink import move_sink
from audit.services.streaming_state import SinkState, streaming_state

ACTOR = Actor.system("audit_sinks")


class Command(BaseCommand):
    """`status`, and `move NAME INDEX`."""

    help = "Say how far each sink of the audit log is; let one go on at another place of the log."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("status", help="how many events wait for each sink, and why")
        move = commands.add_parser(
            "move", help="send a sink the log again from a place on, or skip"
        )
        move.add_argument("name")
        move.add_argument(
            "index", type=int, help="the place that the sink gets next; 0 is the first"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["what"] == "move":
            self._move(options["name"], options["index"])
        else:
            self._status()

    def _status(self) -> None:
        sinks = streaming_state()
        if not sinks:
            self.stdout.write("The settings name no sinks (COUNTERSIGN_AUDIT_SINKS).")
        for sink in sinks:
            self.stdout.write(printable(_line(sink)))
        complaints = [sink.complaint for sink in sinks if sink.complaint]
        if complaints:
            raise CommandError(printable("\n".join(complaints)))

    def _move(self, name: str, index: int) -> None:
        try:
            move_sink(name, index, actor=ACTOR)
        except Refusal as refusal:
            raise CommandError(printable(refusal.detail)) from refusal
        self.stdout.write(f"The sink {name} gets the event at {index} next.")


def _line(sink: SinkState) -> str:
    if sink.sink is None:
        return (
            f"{sink.name}: not in the settings any more; it has got the first {sink.next} events."
        )
    said = f"{sink.name} ({sink.sink.kind}, {sink.sink.to}): "
    if sink.next is None:
        return said + f"not taken up yet, {sink.behind} events wait."
    said += f"{sink.next} events sent, {sink.behind} wait."
    return f"{said} {sink.problem}" if sink.problem else said
