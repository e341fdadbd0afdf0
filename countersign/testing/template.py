"""`python -m countersign.testing.template SUPERUSER_URL DONE`: migrates the database that tests get copies of.

In a process of its own, so that tests are imported and collected meanwhile. The settings are those of the
environment; the file DONE is there once it has succeeded.
"""

from __future__ import annotations

import sys
from pathlib import Path

import django
import psycopg
from django.core.management import call_command


def migrate_template(superuser_url: str) -> None:
    """Bring the tables of the database of the settings to where the migrations end, and say how large they are."""
    django.setup()
    call_command("migrate", verbosity=0, skip_checks=True)
    # Nothing else gathers what the planner wants to know of the catalogues.
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    migrate_template(sys.argv[1])
    Path(sys.argv[2]).touch()
