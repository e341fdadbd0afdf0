"""Keep the event table's monthly partitions ahead of time."""

from django.db import OperationalError, connection

MONTHS_AHEAD = 3


def make_partitions(months_ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the partitions of this month and the next ones; returns the names of the new ones.

    Safe to call at any time and from several processes: a lock that is not to be had within two seconds
    leaves the work to the next call, and until then events go to the default partition.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_make_partitions(%s::integer)", [months_ahead])
            (made,) = cursor.fetchone()
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == "55P03":
            return []
        raise
    return list(made)
