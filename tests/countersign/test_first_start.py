"""What the first start of a demo does before its processes start: a budget in what is counted alike everywhere.

What those processes import has one of its own: tests/countersign/test_lean_processes.py.
"""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from demo.seed import seed
from tests.harness.environment import TestProcess

# A tenth more than was counted. Classes are what migrations cost: each operation makes those of its table anew,
# and of all tables that are tied to it. Where a new migration goes over, squash older ones.
MOST_TO_MIGRATE = {"statements": 1_150, "models": 7_200}
MOST_TO_SEED = 415
MOST_TO_SEED_AGAIN = 90


def test_the_first_start_stays_within_its_budget(db: None, test_process: TestProcess) -> None:
    taken = test_process.cluster.taken_to_migrate()
    assert set(taken) == set(MOST_TO_MIGRATE)
    assert {name: taken[name] for name, most in MOST_TO_MIGRATE.items() if taken[name] > most} == {}
    with CaptureQueriesContext(connection) as first:
        seed()
    assert len(first) <= MOST_TO_SEED
    with CaptureQueriesContext(connection) as again:
        seed()
    assert len(again) <= MOST_TO_SEED_AGAIN
