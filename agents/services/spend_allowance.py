"""Count a call of a tool that may only be called so often; all workers count together."""

from __future__ import annotations

from django.db import connection

from agents.tools import Tool

# A bucket that fills evenly. One statement: of workers that meet, each sees what the other left.
_SPEND = """
INSERT INTO agents_toolhealth AS health (tool, allowance, refilled_at, failures)
VALUES (%(tool)s, %(burst)s - 1, clock_timestamp(), 0)
ON CONFLICT (tool) DO UPDATE
   SET refilled_at = clock_timestamp(),
       allowance = least(%(burst)s, coalesce(health.allowance + %(rate)s * extract(
           epoch FROM clock_timestamp() - health.refilled_at), %(burst)s)) - 1
 WHERE %(owed)s OR least(%(burst)s, coalesce(health.allowance + %(rate)s * extract(
           epoch FROM clock_timestamp() - health.refilled_at), %(burst)s)) >= 1
RETURNING allowance
"""
_MISSING = """
SELECT 1 - (allowance + %(rate)s * extract(epoch FROM clock_timestamp() - refilled_at))
  FROM agents_toolhealth WHERE tool = %(tool)s
"""
SHORTEST_WAIT_SECONDS = 0.05


def spend_allowance(tool: Tool, *, owed: bool = False) -> float:
    """Count one call; 0, or the seconds until there may be one again, with nothing counted.

    `owed`: a call that is made in any case, such as one that is sent again; others wait longer then.
    """
    if tool.rate is None:
        return 0.0
    given: dict[str, str | float] = {
        "tool": tool.key,
        "rate": tool.rate.each_second,
        "burst": float(tool.rate.at_once),
        "owed": owed,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SPEND, given)
        if cursor.fetchone() is not None:
            return 0.0
        cursor.execute(_MISSING, {"tool": tool.key, "rate": tool.rate.each_second})
        missing = float(cursor.fetchone()[0])
    return max(SHORTEST_WAIT_SECONDS, missing / tool.rate.each_second)
