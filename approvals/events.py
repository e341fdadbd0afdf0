"""What the world hears, after commit: hints to connected browsers. A deaf listener undoes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db import transaction

from accounts.hints import EVERYTHING, Hint, publish, to_group, to_person, to_run
from approvals.models import ApprovalRequest


def announce(request: ApprovalRequest, kind: str, group_ids: Iterable[int] | None = None) -> None:
    """Hint, once this transaction commits, that the request changed.

    `kind` says how: opened, voted, edited, decided, undone, expired, cancelled, claimed, released,
    extended, commented, escalated, consumed, lapsed, superseded. `group_ids` are the groups that may decide,
    where the caller has them already.
    """
    if group_ids is None:
        group_ids = request.request_groups.values_list("group_id", flat=True)
    announce_to(
        Concerned(request.run_id, request.owner_group_id, request.initiator_id, tuple(group_ids)),
        {
            "topic": "request",
            "id": str(request.pk),
            "version": request.version,
            "kind": kind,
        },
    )


def announce_to_person(request: ApprovalRequest, person: int, kind: str) -> None:
    """Hint to the pages of one person alone: nothing that others see has changed. `kind`: snoozed or woken."""
    hint: Hint = {
        "topic": "request",
        "id": str(request.pk),
        "version": request.version,
        "kind": kind,
    }
    transaction.on_commit(partial(publish, frozenset({to_person(person)}), hint), robust=True)


@dataclass(frozen=True)
class Concerned:
    """Whom a request concerns, by key: its run, its agent's owner group, its initiator, its groups."""

    run: UUID | None
    owner_group: int | None
    initiator: int | None
    groups: Sequence[int]


def announce_to(concerned: Concerned, hint: Hint) -> None:
    """Give the hint to them once this transaction commits."""
    to = {to_group(group) for group in concerned.groups}
    to.add(EVERYTHING)
    if concerned.owner_group:
        to.add(to_group(concerned.owner_group))
    if concerned.initiator:
        to.add(to_person(concerned.initiator))
    if concerned.run:
        to.add(to_run(concerned.run))
    transaction.on_commit(partial(publish, frozenset(to), hint), robust=True)
