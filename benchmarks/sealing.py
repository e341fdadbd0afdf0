"""How fast the audit log is sealed, and what a decision pays for its event.

`python -m benchmarks.sealing` starts PostgreSQL and Redis, lets writers record events at a steady rate for a
minute while a sealer works as in the scheduler, and says how long events waited for their signed
checkpoint. Then it takes decisions with their events and without. JSON goes to `benchmarks/results/`.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import django

from benchmarks import product
from benchmarks.figures import summary
from benchmarks.records import circumstances, write

# Events wait from their insertion to the signature that covers them, both by the database's clock.
LAGS = """
SELECT extract(epoch FROM (SELECT signed_at FROM audit_checkpoint WHERE size > leaf.index
    ORDER BY size LIMIT 1) - leaf.event_inserted_at)::float
FROM audit_leaf AS leaf WHERE leaf.event_inserted_at >= %s ORDER BY 1
"""


def main() -> int:
    """Measure, print, write."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="countersign-sealing-") as folder, product.model():
        around = circumstances()
        with product.services(Path(folder)):
            django.setup()
            figures: dict[str, Any] = {
                **around,
                "options": vars(options),
                "sealing": _sealing(options),
                "statements": _statements(options),
                "decision": _decision(options),
            }
    write("sealing", figures)
    print(json.dumps(figures, indent=2))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sealing", description=__doc__)
    add = parser.add_argument
    add("--rate", type=int, default=1500, help="events a second, of all writers together")
    add("--seconds", type=int, default=60)
    add("--writers", type=int, default=4)
    add("--batch", type=int, default=5000, help="events of one batch whose statements are measured")
    add("--decisions", type=int, default=200)
    return parser.parse_args()


def _sealing(options: argparse.Namespace) -> dict[str, Any]:
    from django.db import connection, connections

    from audit.clock import database_now
    from audit.services.sealing_state import sealing_state

    connections.close_all()
    context = get_context("spawn")
    sealer = context.Process(target=_seal, args=(options.seconds + 30,), daemon=True)
    writers = [
        context.Process(target=_write, args=(number, options), daemon=True)
        for number in range(options.writers)
    ]
    for process in (sealer, *writers):
        process.start()
    began = database_now()
    for writer in writers:
        writer.join()
    _until_sealed(sealing_state)
    sealer.terminate()
    sealer.join()
    with connection.cursor() as cursor:
        cursor.execute(LAGS, [began])
        lags = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "SELECT count(*) / extract(epoch FROM max(inserted_at) - min(inserted_at))::float "
            "FROM audit_event WHERE type = 'signout'"
        )
        (rate,) = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM audit_checkpoint")
        (checkpoints,) = cursor.fetchone()
    return {
        "events": len(lags),
        "events_per_second": round(rate),
        "checkpoints": checkpoints,
        "lag": summary([lag * 1e3 for lag in lags]),
    }


def _until_sealed(look: Any) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        state = look()
        if not state.waiting and state.signed == state.sealed:
            return
        time.sleep(0.1)
    raise TimeoutError("the events were not sealed in a minute")


def _write(number: int, options: argparse.Namespace) -> None:
    """Record events at this writer's share of the rate, each in a transaction of its own."""
    django.setup()
    from django.db import transaction

    from audit.actors import Actor
    from audit.recorder import record

    pause = options.writers / options.rate
    actor, due = Actor.person(number, "session"), time.monotonic() + 1
    ends = due + options.seconds
    while due < ends:
        with transaction.atomic():
            record(type="signout", actor=actor, stream=f"person:{number}-{int(due) % 50}")
        due += pause
        if (early := due - time.monotonic()) > 0:
            time.sleep(early)


def _seal(seconds: float) -> None:
    django.setup()
    from audit.sealer import Sealer

    with Sealer():
        time.sleep(seconds)


def _statements(options: argparse.Namespace) -> dict[str, float]:
    """Milliseconds of one pass over a full batch, by what its statements do."""
    from django.db import connections, transaction

    from audit.actors import Actor
    from audit.recorder import record
    from audit.services.seal import seal

    with transaction.atomic():
        for _ in range(options.batch):
            record(type="signout", actor=Actor.person(1, "session"), stream="person:1")
    took: dict[str, float] = {}

    def timed(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        began = perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            name = " ".join(str(sql).split())[:48]
            took[name] = round(took.get(name, 0) + (perf_counter() - began) * 1e3, 2)

    began = perf_counter()
    with connections["sealer"].execute_wrapper(timed):
        sealed = seal()
    assert sealed.events == options.batch, sealed
    return {"the whole pass": round((perf_counter() - began) * 1e3, 2), **took}


def _decision(options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of a decision with its event, and with the event left out."""
    from benchmarks.people import people

    starter, decider = people()
    for number in range(20):
        _decide(number, starter, decider)
    taken: dict[str, list[tuple[float, float]]] = {"with": [], "without": []}
    # In turns, so that whatever else the machine does is in both.
    for number in range(options.decisions):
        taken["with"].append(_decide(20 + number, starter, decider))
        with _unrecorded():
            taken["without"].append(_decide(10_000 + number, starter, decider))
    figures = {
        name: {
            **summary([wall * 1e3 for wall, _ in each]),
            "cpu_p50_ms": round(statistics.median(cpu for _, cpu in each) * 1e3, 2),
        }
        for name, each in taken.items()
    }
    with_it, without = (
        statistics.median(wall for wall, _ in taken[name]) for name in ("with", "without")
    )
    return {**figures, "added_ms_p50": round((with_it - without) * 1e3, 2)}


def _decide(number: int, starter: Any, decider: Any) -> tuple[float, float]:
    from accounts.callers import Caller
    from agents.runner import advance
    from agents.services.start_run import start_run
    from approvals.models import ApprovalRequest
    from benchmarks.deciding import approve

    run, _ = start_run(agent="marker", input=str(number), caller=Caller.of_session(starter))
    advance(run.pk, owner="sealing", stopping=lambda: False)
    request = ApprovalRequest.objects.get(run_id=run.pk)
    caller = Caller.of_session(decider)
    wall, cpu = perf_counter(), process_time()
    approve(request, caller)
    return perf_counter() - wall, process_time() - cpu


@contextmanager
def _unrecorded() -> Iterator[None]:
    """Decisions record nothing: the same work without the log."""
    import uuid6

    def nothing(**_given: Any) -> Any:
        return uuid6.uuid7()

    with patch("approvals.records.record", nothing):
        yield


if __name__ == "__main__":
    sys.exit(main())
