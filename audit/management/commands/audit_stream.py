"""Sealed events as JSON lines on the standard output."""

import sys
import time
import uuid
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.models import Checkpoint
from audit.streaming.batches import Batch, batch_of, end_of_batch
from audit.streaming.files import lines


class Command(BaseCommand):
    """Prints what a sink of the kind `file` gets, from a place of the log on."""

    help = (
        "Print sealed events as JSON lines, in the order of the log, with checkpoints between them. "
        "Each says its place: begin again with --from one above the last."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", type=int, default=0, dest="first", help="the first place of the log"
        )
        parser.add_argument("--format", choices=["plain", "ocsf"], default="plain")
        parser.add_argument(
            "--follow", action="store_true", help="wait for what is sealed later, until interrupted"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        at = options["first"]
        if at < 0:
            raise CommandError("The first place of the log is 0.")
        while True:
            batch = _next(at)
            if batch is not None:
                sys.stdout.buffer.write(lines(batch, options["format"]))
                sys.stdout.buffer.flush()
                at = batch.until
            elif options["follow"]:
                time.sleep(settings.COUNTERSIGN.audit_sink_seconds)
            else:
                return


def _next(first: int) -> Batch | None:
    newest = Checkpoint.objects.select_related("log").newest()
    if newest is None or newest.size <= first:
        return None
    until = end_of_batch(first, min(first + settings.COUNTERSIGN.audit_sink_batch, newest.size))
    if until == first:
        raise CommandError(f"The log lacks leaf {first}: audit_fsck says more.")
    # Nobody drops a batch by its id here: the id is that of the place alone.
    return batch_of(uuid.UUID(int=0), first, until, newest)
