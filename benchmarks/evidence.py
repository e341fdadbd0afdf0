"""An evidence export of many events beside a bare COPY of the same rows, and the check of it offline.

`python -m benchmarks.evidence --events 1000000` starts PostgreSQL and Redis, appends that many events to stories of
ten, seals them, exports everything with `manage.py audit_export`, runs `verify.py` on the file in an empty
environment, and copies the bodies with nothing but COPY. Each of the three is a process of its own, whose time and
largest memory are measured. JSON goes to `benchmarks/results/`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import django

from benchmarks import product
from benchmarks.records import circumstances, write
from countersign.programs import PROJECT

VERIFIER = PROJECT / "audit" / "verifier" / "verify.py"
EVENTS_A_STORY = 10
# What `audit.recorder` sends, for a run's step, without a process of ours between the events.
APPEND = """
SELECT audit_append(
    'run:' || run, event,
    convert_to('{"actor":{"auth":"none","id":"refund-desk","kind":"agent"},"agent":{"run":"' || run
        || '","slug":"refund-desk"},"id":"' || event || '","prev":', 'UTF8'),
    ',"seq":'::bytea,
    convert_to(',"stream":"run:' || run || '","time":"', 'UTF8'),
    '","type":"run.woken","v":1}'::bytea,
    '{}', '{}', '{}', '{}')
FROM (
    SELECT gen_random_uuid() AS event,
        ('00000000-0000-7000-8000-' || lpad(to_hex((number - 1) / %s), 12, '0')) AS run
    FROM generate_series(%s::integer, %s::integer) AS number
) AS made
"""
APPENDED_AT_ONCE = 20_000
COPY = """
import os, sys, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
    with open(sys.argv[1], "wb") as file, cursor.copy(
        "COPY (SELECT convert_from(body, 'UTF8') FROM audit_event ORDER BY inserted_at, id) TO STDOUT"
    ) as copy:
        for data in copy:
            file.write(data)
"""


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="countersign-evidence-") as name:
        folder = Path(name)
        around = circumstances()
        with product.services(folder):
            django.setup()
            appended, sealed = _fill(options.events)
            bundle, rows = folder / "log.zip", folder / "rows.jsonl"
            manage = [sys.executable, str(PROJECT / "manage.py"), "audit_export", str(bundle)]
            copied = _measured([sys.executable, "-c", COPY, str(rows)], dict(os.environ))
            exported = _measured(manage, dict(os.environ))
        verified = _measured([sys.executable, "-I", str(VERIFIER), str(bundle)], {})
        figures: dict[str, Any] = {
            **around,
            "events": options.events,
            "append_seconds": appended,
            "seal_seconds": sealed,
            "copy": copied | {"bytes": rows.stat().st_size},
            "export": exported | {"bytes": bundle.stat().st_size},
            "verify": verified,
            "export_over_copy": round(exported["seconds"] / copied["seconds"], 1),
        }
    write("evidence", figures)
    print(json.dumps(figures, indent=2))
    return 0


def _fill(events: int) -> tuple[float, float]:
    """Seconds to append so many events, and to seal them."""
    from audit.services.seal import seal

    began = perf_counter()
    append(events)
    appended = perf_counter() - began
    began = perf_counter()
    while seal().events:
        pass
    return round(appended, 1), round(perf_counter() - began, 1)


def append(events: int) -> None:
    """So many events, in stories of ten."""
    from django.db import connection

    for first in range(1, events + 1, APPENDED_AT_ONCE):
        last = min(first + APPENDED_AT_ONCE - 1, events)
        with connection.cursor() as cursor:
            cursor.execute(APPEND, [EVENTS_A_STORY, first, last])


def _measured(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Seconds that a process took, of the clock and of its processor, and its largest memory in MB."""
    began = perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": round(perf_counter() - began, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "largest_mb": round(usage.ru_maxrss / 1024),
    }


if __name__ == "__main__":
    sys.exit(main())
