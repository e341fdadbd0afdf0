"""A process of its own that decides batches: a line of JSON in, a line of results out.

Each line is prepared, answered with `ready`, and decided once the next line comes, so that two of these
begin at the same moment.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from approvals.services.decide_batch import ItemResult


def main() -> None:
    """Answer until the input ends."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "countersign.settings")
    import django

    django.setup()
    from django.db import connection

    from accounts.callers import Caller
    from accounts.models import User
    from approvals.schemas import DecisionIn
    from approvals.services.decide_batch import BatchItem, decide_batch

    connection.ensure_connection()
    for line in sys.stdin:
        asked = json.loads(line)
        caller = Caller.of_session(User.objects.get(pk=asked["person"]))
        items = [
            BatchItem(UUID(each["id"]), DecisionIn.model_validate(each["decision"]))
            for each in asked["items"]
        ]
        say("ready")
        sys.stdin.readline()
        say([told(each) for each in decide_batch(items=items, caller=caller)])


def told(result: ItemResult) -> dict[str, Any]:
    """What came of one item, in JSON."""
    if result.decided is not None:
        return {"id": str(result.request_id), "state": result.decided.state}
    refusal = result.refusal
    assert refusal is not None
    return {"id": str(result.request_id), "code": refusal.code, "params": refusal.params}


def say(value: object) -> None:
    """One line to whoever reads."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
