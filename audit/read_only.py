"""A transaction in which PostgreSQL takes no write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def read_only() -> Iterator[None]:
    """Whatever is done within it, nothing is written: PostgreSQL refuses (django.db.InternalError). It may stand
    within another transaction, which may write again afterwards."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        yield
