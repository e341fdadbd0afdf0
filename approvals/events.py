"""What the world hears, after commit: hints to connected browsers. A deaf listener undoes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from django.db import transaction

from accounts.hints import EVERYTHING, Hint, publish, to_group, to_person, to_run
from approvals.models import ApprovalRequest


def announce(request: ApprovalRequest, kind: str, group_ids: Iterable[int] | None = None) -> None:
    """Hint, once this transaction commits, that the request changed.

    `kind` says how: opened, voted, edited, decided, undone, expired, cancelled, claimed, released,
    extended, commented, escalated, consumed, lapsed. `group_ids` are the groups that may decide,
    where the caller has them already.
    """
    if group_ids is None:
        group_ids = request.request_groups.values_list("group_id", flat=True)
    to = {to_group(group) for group in group_ids}
    to.add(EVERYTHING)
    if request.owner_group_id:
        to.add(to_group(request.owner_group_id))
    if request.initiator_id:
        to.add(to_person(request.initiator_id))
    if request.run_id:
        to.add(to_run(request.run_id))
    hint: Hint = {
        "topic": "request",
        "id": str(request.pk),
        "version": request.version,
        "kind": kind,
    }
    transaction.on_commit(partial(publish, frozenset(to), hint), robust=True)
