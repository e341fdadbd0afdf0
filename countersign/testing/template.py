"""`python -m countersign.testing.template SUPERUSER_URL DONE`: migrates the database that tests get copies of.

In a process of its own, so that tests are imported and collected meanwhile. The settings are those of the
environment. The file DONE is there once it has succeeded, with what it took: `{"statements", "models"}`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import psycopg
from django.core.management import call_command
from django.db import connections
from django.db.models.signals import class_prepared

from countersign.garbage import nothing_is_garbage


def migrate_template(superuser_url: str) -> Counter[str]:
    """Bring the tables of the database of the settings to where the migrations end, and count what that takes:
    `statements` of the owner, and classes of `models`, which migrations make anew at each step.
    """
    taken: Counter[str] = Counter()

    def count(execute: Callable[..., Any], *given: Any) -> Any:
        taken["statements"] += 1
        return execute(*given)

    def prepared(**_: Any) -> None:
        taken["models"] += 1

    with nothing_is_garbage():
        django.setup()
    class_prepared.connect(prepared)
    with connections["owner"].execute_wrapper(count):
        call_command("migrate", verbosity=0, skip_checks=True)
    # Nothing else gathers what the planner wants to know of the catalogues.
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return taken


def tell(taken: Counter[str], done: Path) -> None:
    """Write down what it took; whoever sees the file sees all of it."""
    beginning = done.with_suffix(".begun")
    beginning.write_text(json.dumps(taken))
    beginning.rename(done)


if __name__ == "__main__":
    tell(migrate_template(sys.argv[1]), Path(sys.argv[2]))
