"""The database's clock: the one clock that all processes share."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The moment at which the database answers, aware, in microseconds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
