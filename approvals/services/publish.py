"""Publish: a policy document becomes the one in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from accounts.callers import Caller
from approvals.addressing import OWNER, groups_by_slug
from approvals.errors import (
    BadPolicy,
    NothingChanged,
    PolicyUnknown,
    PublishedMeanwhile,
    Unsatisfiable,
    WhyMissing,
)
from approvals.models import PolicyVersion
from approvals.policies import Policy, PublishedPolicy, load
from approvals.services import policies
from approvals.services.calendars import require_calendars
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import Disclose, PolicyRef

#: Two admins publish one after the other, so that the second sees the first's version.
PUBLISHING_LOCK = 7_302_118
LONGEST_WHY = 2_000


def publish(
    *, document: Mapping[str, Any] | Policy, base_version: int, caller: Caller | Actor, why: str
) -> PublishedPolicy:
    """Publish the document as the next version; `base_version` is the one the author began from.

    A person needs the permission to publish policies; a system actor brings its own (the demo's
    seed). Raises `BadPolicy`, `WhyMissing`, `NothingChanged`, and `PublishedMeanwhile` where
    another version was published since.
    """
    actor = _authorised(caller)
    policy = document if isinstance(document, Policy) else load(document)
    reason = _checked_why(why)
    _check_groups(policy)
    with transaction.atomic():
        _lock()
        current = policies.current()
        if current.version != base_version:
            raise _meanwhile(base_version, current)
        return _publish(policy, current, caller, actor, reason, draft=None)


def draft(
    *, document: Mapping[str, Any] | Policy, base_version: int, caller: Caller, why: str = ""
) -> PolicyVersion:
    """Keep a sound document as a draft. Raises `BadPolicy`."""
    actor = _authorised(caller)
    policy = document if isinstance(document, Policy) else load(document)
    _check_groups(policy)
    with transaction.atomic():
        kept = PolicyVersion.objects.create(
            document=policy.document(),
            sha256=policy.digest(),
            state=PolicyVersion.State.DRAFT,
            author=caller.user,
            why=why.strip()[:LONGEST_WHY],
            base=base_version,
        )
        record(
            type="policy.drafted",
            actor=actor,
            stream="policy",
            policy=PolicyRef(version=base_version, sha256=kept.sha256),
            facts={"draft": kept.pk, "base_version": base_version},
        )
        return kept


def publish_draft(*, draft_id: int, caller: Caller, why: str = "") -> PublishedPolicy:
    """Publish a draft. Raises as `publish` does, and `PolicyUnknown`."""
    actor = _authorised(caller)
    with transaction.atomic():
        _lock()
        kept = (
            PolicyVersion.objects.select_for_update()
            .filter(pk=draft_id, state=PolicyVersion.State.DRAFT)
            .first()
        )
        if kept is None:
            raise PolicyUnknown(draft_id)
        reason = _checked_why(why or kept.why)
        policy = load(kept.document)
        _check_groups(policy)
        current = policies.current()
        if current.version != kept.base:
            raise _meanwhile(kept.base or 0, current)
        return _publish(policy, current, caller, actor, reason, draft=kept)


def _publish(
    policy: Policy,
    current: PublishedPolicy,
    caller: Caller | Actor,
    actor: Actor,
    why: str,
    *,
    draft: PolicyVersion | None,
) -> PublishedPolicy:
    sha256 = policy.digest()
    if sha256 == current.sha256:
        raise NothingChanged(current.version)
    person = caller.user if isinstance(caller, Caller) else None
    row = draft or PolicyVersion(document=policy.document(), sha256=sha256, author=person)
    row.number = current.version + 1
    row.state = PolicyVersion.State.PUBLISHED
    row.published_by = person
    row.published_at = database_now()
    row.why = why
    row.base = current.version
    row.save()
    record(
        type="policy.published",
        actor=actor,
        stream="policy",
        policy=PolicyRef(version=row.number, sha256=sha256),
        facts={
            "base_version": current.version,
            # One admin suffices as yet, and the log says that nobody else looked.
            "second_waived": True,
            **({"draft": draft.pk} if draft else {}),
        },
        disclosures=[Disclose("why", why, f"{actor.kind}:{actor.id}")],
    )
    return PublishedPolicy(row.number, sha256, policy)


def _authorised(caller: Caller | Actor) -> Actor:
    if isinstance(caller, Caller):
        caller.require("publish_policies", scope="admin")
        return caller.actor
    if caller.kind != "system":
        raise TypeError("only people and the system publish policies")
    return caller


def _checked_why(why: str) -> str:
    reason = why.strip()
    if not reason:
        raise WhyMissing
    return reason[:LONGEST_WHY]


def _check_groups(policy: Policy) -> None:
    """Every group and calendar that the document names must exist, or nobody could decide in time."""
    named = {}
    for index, row in enumerate(policy.baseline):
        named[f"baseline.{index}.requirements"] = row.requirements
    for index, rule in enumerate(policy.rules):
        if rule.requirements is not None:
            named[f"rules.{index}.requirements"] = rule.requirements
    errors = []
    for field, requirements in named.items():
        slugs = {need.group for need in requirements.groups} | set(requirements.escalation)
        try:
            groups_by_slug(slugs - {OWNER})
        except Unsatisfiable as error:
            absent = ", ".join(error.params["groups"])
            errors.append(
                {
                    "field": field,
                    "message": f"there is no review group {absent}; create it first, "
                    "or name another",
                }
            )
    if errors:
        raise BadPolicy(errors)
    require_calendars(policy)


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PUBLISHING_LOCK])


def _meanwhile(base: int, current: PublishedPolicy) -> PublishedMeanwhile:
    row = PolicyVersion.objects.select_related("published_by").get(number=current.version)
    who = row.published_by.get_full_name() if row.published_by else "The system"
    return PublishedMeanwhile(base=base, current=current.version, who=who, why=row.why)
