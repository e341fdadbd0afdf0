"""`manage.py measure`: the measurements of the running product, as JSON on standard output."""

import asyncio
import json
import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from benchmarks import burst, crash, cycle, hints, house, parked
from benchmarks.figures import summary
from benchmarks.people import people

WARM_UP = 10
REQUESTS = 20


class Command(BaseCommand):
    help = "Measures the running product; `make bench` starts it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        for name in ("cycles", "sockets", "burst", "parked", "parked-seconds"):
            parser.add_argument(f"--{name}", type=int, required=True)
        parser.add_argument("--pids", type=json.loads, required=True, help="process ids by name")

    def handle(self, *args: Any, **options: Any) -> None:
        starter, decider = people()
        pids = {**options["pids"], "client": os.getpid()}
        cycle.measure(WARM_UP, starter, decider)
        ours = cycle.measure(options["cycles"], starter, decider)
        url = f"http://127.0.0.1:{os.environ['PORT']}"
        results: dict[str, Any] = {
            "start_to_parked": summary(ours["parked"]),
            "decision_to_executed": summary(ours["executed"]),
            "decision_call_to_executed": summary(ours["called_to_executed"]),
            "decision_call_to_finished": summary(ours["called_to_finished"]),
        }
        if options["sockets"]:
            cookies = [house.session_cookie(decider)] * options["sockets"]
            asked = house.House(cookies, bearer="", audience="")
            heard = hints.heard(f"{url}/ws/inbox/", cookies, REQUESTS, hints.opening(asked))
            results["request_to_hint"] = asyncio.run(heard)
        if options["burst"]:
            results["burst"] = burst.measure(options["burst"], starter, decider, pids)
        if options["parked"]:
            count, seconds = options["parked"], options["parked_seconds"]
            results["parked"] = parked.measure(count, seconds, starter, decider, pids)
        results["killed_after_action"] = crash.measure(starter, decider)
        self.stdout.write(json.dumps(results))
