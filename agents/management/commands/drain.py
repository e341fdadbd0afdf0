"""`manage.py drain`: before a deploy, say what the installed code would do with the runs that are open."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from time import monotonic, sleep
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.drain import NEEDS_PERSON, AtWork, Outlook, as_json, at_work, not_activated, outlooks

LOOK_EVERY_SECONDS = 0.25
HEADINGS = {
    "goes_on": "go on",
    "finishes_on_its_old_definition": "finish on their old definition",
    NEEDS_PERSON: "need a person",
}


class Command(BaseCommand):
    help = (
        "Lists the open runs and what the code of this checkout would do with each when it resumes. "
        "Run it in the new checkout, against the live database, before a deploy."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--fail-on-change",
            action="store_true",
            help="exit with 1 when a run would need a person",
        )
        parser.add_argument(
            "--wait",
            type=float,
            metavar="SECONDS",
            help="then wait until no worker holds a run; exit with 1 when one still does after so long",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = outlooks()
        if not options["json"]:
            self._say(found)
        busy = at_work() if options["wait"] is None else _wait(options["wait"])
        needing = sum(each.count for each in found if each.outlook == NEEDS_PERSON)
        if options["json"]:
            document = {
                "open": sum(each.count for each in found),
                "need_a_person": needing,
                "not_activated": not_activated(),
                "at_work": [asdict(each) for each in busy],
                "outlooks": as_json(found),
            }
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))
        elif options["wait"] is not None and not busy:
            self.stdout.write("No worker holds a run.")
        if options["wait"] is not None and busy:
            raise CommandError(_still(busy))
        if options["fail_on_change"] and needing:
            raise CommandError(f"{_runs(needing)} would need a person.")

    def _say(self, found: list[Outlook]) -> None:
        if not found:
            self.stdout.write("No run is open.")
        for each in found:
            states = ", ".join(f"{count} {state}" for state, count in each.runs.items())
            self.stdout.write(
                f"{each.title} ({each.agent}), version {each.version[7:19]}: {_runs(each.count)} "
                f"({states}) would {HEADINGS[each.outlook]}."
            )
            self.stdout.write(f"  {each.why}")
            for change in each.changes:
                self.stdout.write(f"  - {change}")
            if each.outlook == NEEDS_PERSON:
                more = " …" if each.count > len(each.run_ids) else ""
                self.stdout.write(f"  Runs: {', '.join(each.run_ids)}{more}")
        for slug in not_activated():
            self.stdout.write(
                f"The installed version of {slug} is not activated: until it is, nobody can start a run "
                "in this checkout, and no run can go on with it."
            )
        if found:
            needing = sum(each.count for each in found if each.outlook == NEEDS_PERSON)
            total = sum(each.count for each in found)
            self.stdout.write(f"{_runs(total)} open, {needing or 'none'} would need a person.")


def _wait(seconds: float) -> list[AtWork]:
    """Look until nobody is at work, or the time is up; who is at work then."""
    end = monotonic() + seconds
    while (busy := at_work()) and monotonic() < end:
        sleep(LOOK_EVERY_SECONDS)
    return busy


def _still(busy: list[AtWork]) -> str:
    return f"{_runs(len(busy))} still at work: " + "; ".join(
        f"{each.title} ({each.agent}, {each.run}) by {each.worker}" for each in busy
    )


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"
