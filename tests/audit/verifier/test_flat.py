"""However many events there are, exporting and checking them takes the same memory."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

from audit.bundle.evidence import Evidence, cleared
from audit.verifier import verify
from tests.audit.verifier.logbook import Log

FEW, MANY = 500, 16_000
SLACK_MEGABYTES = 8
# What a process took at most, in kilobytes, on the last line that it prints.
MEASURED = """
import resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as ended:
    print(ended.code)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def log_of(count: int) -> Log:
    log = Log()
    for number in range(count):
        log.record(f"request:{number // 5}", disclose={"reason": "fine"})
    return log


def megabytes_to_check(path: Path) -> int:
    run = subprocess.run(
        [sys.executable, "-I", "-c", MEASURED, verify.__file__, path],
        capture_output=True,
        text=True,
        check=True,
    )
    code, kilobytes = run.stdout.splitlines()[-2:]
    assert code == "0", run.stdout
    return int(kilobytes) // 1024


def megabytes_to_write(log: Log, folder: Path) -> float:
    tracemalloc.start()
    try:
        with Evidence(cleared(folder), log, len(log.events), disclosures=True) as evidence:
            for index, event in enumerate(log.events):
                evidence.event(index, event.body, event.disclosures)
            evidence.shape()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_events(tmp_path: Path) -> None:
    few, many = log_of(FEW), log_of(MANY)
    written = [megabytes_to_write(log, tmp_path / "parts") for log in (few, many)]
    assert written[1] < written[0] + 1
    checked = [
        megabytes_to_check(log.export(tmp_path / f"{len(log.events)}.zip")) for log in (few, many)
    ]
    assert (tmp_path / f"{MANY}.zip").stat().st_size > (SLACK_MEGABYTES + 2) * 2**20
    assert checked[1] < checked[0] + SLACK_MEGABYTES
