"""Who could decide is asked with every request and every mail: planning it takes ten times as long as answering."""

from __future__ import annotations

import json

from django.db import connection

from accounts.models import User
from approvals.asked import deciders
from tests.approvals.conftest import Opener
from tests.approvals.till import one_of

# So often psycopg waits before it prepares a statement.
ASKED = 8
# PostgreSQL takes the plan for any where it costs no more than one for these and their planning.
PLANNING = 1.02


def test_a_plan_for_any_people_costs_no_more_than_one_for_these(
    opened: Opener, reviewer: User
) -> None:
    request = opened(needs=one_of("finance"))
    groups = list(request.request_groups.values_list("group_id", flat=True))
    for _ in range(ASKED):
        assert reviewer in [found.user for found in deciders(request, groups)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM pg_prepared_statements WHERE statement LIKE %s", ["%is_member%"]
        )
        (name,) = cursor.fetchone()
        costs = {}
        for mode in ("custom", "generic"):
            cursor.execute(f"SET LOCAL plan_cache_mode = force_{mode}_plan")
            given = f"'{{{groups[0]}}}', '{{{request.initiator_id}}}', '{{{request.initiator_id}}}'"
            cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE {name}({given})")
            (found,) = cursor.fetchone()
            (plan,) = json.loads(found) if isinstance(found, str) else found
            costs[mode] = plan["Plan"]["Total Cost"]
    assert costs["generic"] <= costs["custom"] * PLANNING
