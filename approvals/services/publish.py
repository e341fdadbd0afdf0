"""Publish: a draft becomes the policy in force. What loosens it takes a second person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from accounts.callers import Caller
from approvals import ports, queues
from approvals.authority import others_who_may_publish, require_within
from approvals.errors import NothingChanged, NotSubmitted, SecondPersonNeeded
from approvals.models import PolicyVersion
from approvals.policies import Policy, PublishedPolicy, load
from approvals.services import drafts, policies
from approvals.services.calendars import require_calendars
from approvals.soundness import require_sound
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import Disclose, PolicyRef

#: Two people publish one after the other, so that the second sees the first's version.
PUBLISHING_LOCK = 7_302_118
State = PolicyVersion.State


def publish_draft(
    *, draft_id: int, caller: Caller, edition: int | None = None, why: str = ""
) -> PublishedPolicy:
    """Make the draft the version in force, or raise the refusal that says why not.

    Who wrote in it may publish it where it only tightens, or where nobody else could: then the second
    person is waived, and the log says so. Raises `SecondPersonNeeded`, `NotSubmitted`, and what
    `submit_draft` raises.
    """
    with transaction.atomic():
        _lock()
        draft, authority = drafts.writable(draft_id, caller, edition)
        alone = caller.user.pk in draft.editors
        if draft.state != State.SUBMITTED and not alone:
            raise NotSubmitted(draft.author.get_full_name() if draft.author else "Its author")
        current = policies.current()
        reason = drafts.checked_why(why or draft.why)
        loosenings = drafts.checked(draft, current)
        require_within(authority, current.policy, load(draft.document))
        waived = alone and bool(loosenings)
        if waived and others_who_may_publish(draft.scope, caller):
            raise SecondPersonNeeded(loosenings)
        draft.published_by = caller.user
        draft.second_waived = waived
        return _publish(
            draft, current, caller.actor, reason, tightens_only=not loosenings, alone=alone
        )


def roll_back(*, version: int, caller: Caller, why: str) -> PolicyVersion:
    """Bring an earlier version back: submitted as a draft, and in force at once where the caller may
    publish it alone. Raises as `publish_draft` does, but for `SecondPersonNeeded`."""
    earlier = policies.version(version)
    with transaction.atomic():
        draft = drafts.begin_draft(
            document=earlier.policy,
            base_version=policies.current().version,
            caller=caller,
            why=why,
            restores=version,
        )
        drafts.submit_draft(draft_id=draft.pk, edition=draft.edition, caller=caller)
        draft.refresh_from_db()
        if draft.tightens_only or not others_who_may_publish(draft.scope, caller):
            publish_draft(draft_id=draft.pk, caller=caller)
            draft.refresh_from_db()
        return draft


def publish(
    *, document: Mapping[str, Any] | Policy, base_version: int, caller: Actor, why: str
) -> PublishedPolicy:
    """Publish a document as the system itself does (an installation's seed). People publish drafts."""
    if caller.kind != "system":
        raise TypeError("people publish drafts")
    policy = document if isinstance(document, Policy) else load(document)
    with transaction.atomic():
        _lock()
        current = policies.current()
        if current.version != base_version:
            raise drafts.meanwhile(base_version, current)
        if policy.digest() == current.sha256:
            raise NothingChanged(current.version)
        require_calendars(policy)
        require_sound(policy, ports.runs().catalogue(), current.policy)
        row = PolicyVersion(document=policy.document(), sha256=policy.digest(), base=base_version)
        return _publish(row, current, caller, drafts.checked_why(why), tightens_only=None)


def _publish(
    row: PolicyVersion,
    current: PublishedPolicy,
    actor: Actor,
    why: str,
    *,
    tightens_only: bool | None,
    alone: bool | None = None,
) -> PublishedPolicy:
    row.number = current.version + 1
    row.state = State.PUBLISHED
    row.published_at = database_now()
    row.why = why
    row.base = current.version
    row.tightens_only = tightens_only
    row.save()
    record(
        type="policy.rolled_back" if row.restores else "policy.published",
        actor=actor,
        stream="policy",
        policy=PolicyRef(version=row.number, sha256=row.sha256),
        facts={
            "base_version": current.version,
            "second_waived": row.second_waived,
            "tightens_only": tightens_only,
            "alone": alone,
            "draft": row.pk,
            **({"group": row.scope} if row.scope else {}),
            **({"restores": row.restores} if row.restores else {}),
        },
        disclosures=[Disclose("why", why, f"{actor.kind}:{actor.id}")],
    )
    queues.tighten_open_requests()
    return PublishedPolicy(row.number, row.sha256, load(row.document))


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PUBLISHING_LOCK])
