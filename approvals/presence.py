"""Who has a request open without having claimed it: told to others who have it open, and to nobody else.

A lease in Redis and no row: it says nothing about the request and authorises nothing, so it is no change of state and
no event. Whoever goes away, or whose connection is cut, is gone from it when the lease ends. Nothing that decides,
opens or lists requests reads it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.callers import Caller
from accounts.hints import publish, to_person
from accounts.models import User
from approvals import eligibility
from approvals.errors import NotOpen
from approvals.models import ApprovalRequest
from approvals.states import RequestState
from approvals.vocabulary import Verdict
from approvals.voting import groups_of
from audit.told import client

#: More names than anybody reads; the rest are counted.
MOST_NAMES = 6


def arrive(request: ApprovalRequest, caller: Caller) -> None:
    """Say that the caller has it open, for as long as the lease lasts; those who have it open too are told at once.

    For whoever may decide it: raises the `Forbidden` that says why not, and `NotOpen`. Raises RedisError.
    """
    eligibility.require(request, groups_of(request), caller, Verdict.REJECT)
    if request.state != RequestState.PENDING:
        raise NotOpen(request.state)
    seconds = settings.COUNTERSIGN.presence_seconds
    now = time.time()
    with client().pipeline() as pipeline:
        pipeline.zremrangebyscore(_key(request.pk), "-inf", now)
        pipeline.zadd(_key(request.pk), {str(caller.user.pk): now + seconds})
        pipeline.expire(_key(request.pk), int(seconds) + 1)
        _, is_new, _ = pipeline.execute()
    if is_new:
        _tell(request.pk, caller.user.pk, "arrived")


def depart(request_id: UUID, caller: Caller) -> None:
    """Say that the caller has it open no more. Raises RedisError."""
    if client().zrem(_key(request_id), str(caller.user.pk)):
        _tell(request_id, caller.user.pk, "left")


def others_at(request: ApprovalRequest, caller: Caller) -> list[User]:
    """The others who have it open, but for whoever has claimed it, in the order of their names. Raises RedisError."""
    known = {caller.user.pk, request.claimed_by_id}
    people = [pk for pk in _present(request.pk) if pk not in known]
    if not people:
        return []
    found = User.objects.filter(pk__in=people, is_active=True)
    return sorted(found, key=lambda person: person.get_full_name().casefold())


def _present(request_id: UUID) -> Sequence[int]:
    found: Any = client().zrangebyscore(_key(request_id), time.time(), "+inf")
    return [int(pk) for pk in found]


def _tell(request_id: UUID, person: int, kind: str) -> None:
    others = [to_person(pk) for pk in _present(request_id) if pk != person]
    # No version of the request is meant: a moment tells one coming and going from the next.
    moment = time.time_ns() // 1_000_000
    publish(others, {"topic": "presence", "id": str(request_id), "version": moment, "kind": kind})


def _key(request_id: UUID) -> str:
    return f"countersign:open:{request_id}"
