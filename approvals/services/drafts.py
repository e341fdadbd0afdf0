"""Drafts of a policy: begun, written, brought up to date, submitted, withdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.callers import Caller
from approvals import ports
from approvals.authority import Authority, require_within, require_writer, writable_drafts
from approvals.errors import (
    DraftChanged,
    DraftUnknown,
    NothingChanged,
    PublishedMeanwhile,
    WhyMissing,
)
from approvals.merging import merged
from approvals.models import PolicyVersion
from approvals.policies import Policy, PublishedPolicy, load
from approvals.policy_diff import changes
from approvals.services import policies
from approvals.services.calendars import require_calendars
from approvals.soundness import require_sound
from approvals.tightening import loosenings
from approvals.told_secrets import without
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import Disclose, PolicyRef

LONGEST_WHY = 2_000
State = PolicyVersion.State


@dataclass(frozen=True)
class Rebased:
    """A draft on top of what is in force now; `conflicts` name what both had changed, where the draft's
    own change stays."""

    draft: PolicyVersion
    conflicts: list[str]


def begin_draft(
    *,
    document: Mapping[str, Any] | Policy,
    base_version: int,
    caller: Caller,
    why: str = "",
    restores: int | None = None,
) -> PolicyVersion:
    """Keep a document as a new draft of the caller's. Raises `BadPolicy`, `PolicyUnknown` for the base,
    and `OutsideScope`."""
    authority = require_writer(caller)
    policy = document if isinstance(document, Policy) else load(document)
    base = policies.version(base_version)
    scope = require_within(authority, base.policy, policy)
    with transaction.atomic():
        draft = PolicyVersion.objects.create(
            document=policy.document(),
            sha256=policy.digest(),
            state=State.DRAFT,
            author=caller.user,
            editors=[caller.user.pk],
            why=without(why.strip())[:LONGEST_WHY],
            base=base_version,
            scope=scope,
            restores=restores,
        )
        _record(draft, "policy.drafted", caller)
        return draft


def change_draft(
    *,
    draft_id: int,
    document: Mapping[str, Any] | Policy,
    edition: int,
    caller: Caller,
    why: str | None = None,
) -> PolicyVersion:
    """Write in a draft that is still as the caller saw it (`edition`). A submitted one is a draft again.

    Raises `BadPolicy`, `DraftUnknown`, `DraftChanged`, `OutsideScope`.
    """
    policy = document if isinstance(document, Policy) else load(document)
    with transaction.atomic():
        draft, authority = writable(draft_id, caller, edition)
        base = policies.version(draft.base or 0)
        draft.scope = require_within(authority, base.policy, policy)
        if why is not None:
            draft.why = without(why.strip())[:LONGEST_WHY]
        _write(draft, policy, caller)
        return draft


def rebase_draft(*, draft_id: int, edition: int, caller: Caller) -> Rebased:
    """Put the draft's changes on top of the version in force. Raises as `change_draft` does."""
    with transaction.atomic():
        draft, authority = writable(draft_id, caller, edition)
        base, now = policies.version(draft.base or 0), policies.current()
        policy, conflicts = merged(base.policy, load(draft.document), now.policy)
        draft.scope = require_within(authority, now.policy, policy)
        draft.base = now.version
        _write(draft, policy, caller)
        return Rebased(draft, conflicts)


def submit_draft(*, draft_id: int, edition: int, caller: Caller, why: str = "") -> PolicyVersion:
    """Say that the draft is ready for somebody to publish.

    Raises `NothingChanged`, `WhyMissing`, `PublishedMeanwhile` where it begins from an older version, and
    `BadPolicy` for what nobody could live by.
    """
    with transaction.atomic():
        draft, _ = writable(draft_id, caller, edition)
        draft.why = checked_why(why or draft.why)
        found = checked(draft, policies.current())
        draft.state = State.SUBMITTED
        draft.submitted_by = caller.user
        draft.submitted_at = database_now()
        draft.tightens_only = not found
        draft.save()
        _record(draft, "policy.submitted", caller, tightens_only=not found)
        return draft


def withdraw_draft(*, draft_id: int, edition: int, caller: Caller) -> None:
    """Give a draft up. It stays in the log and is published by nobody."""
    with transaction.atomic():
        draft, _ = writable(draft_id, caller, edition)
        draft.state = State.WITHDRAWN
        draft.save(update_fields=["state"])
        _record(draft, "policy.withdrawn", caller)


def writable(draft_id: int, caller: Caller, edition: int | None) -> tuple[PolicyVersion, Authority]:
    """The open draft under lock, with what the caller may write.

    Raises the `Forbidden` of who may not, `DraftUnknown`, and `DraftChanged` for another edition.
    """
    authority = require_writer(caller)
    drafts = writable_drafts(authority).select_for_update(of=("self",))
    draft = drafts.filter(pk=draft_id).first()
    if draft is None:
        raise DraftUnknown(draft_id)
    if edition is not None and edition != draft.edition:
        raise DraftChanged(draft.edition)
    return draft, authority


def checked(draft: PolicyVersion, current: PublishedPolicy) -> list[str]:
    """How the draft loosens what is in force; raises for one that cannot be published as it is."""
    policy = load(draft.document)
    if draft.base != current.version:
        raise meanwhile(draft.base or 0, current)
    if policy.digest() == current.sha256:
        raise NothingChanged(current.version)
    catalogue = ports.runs().catalogue()
    require_calendars(policy)
    require_sound(policy, catalogue, current.policy)
    return loosenings(current.policy, policy, catalogue)


def checked_why(why: str) -> str:
    """The reason as it is kept; raises `WhyMissing`."""
    reason = without(why.strip())
    if not reason:
        raise WhyMissing
    return reason[:LONGEST_WHY]


def meanwhile(base: int, current: PublishedPolicy) -> PublishedMeanwhile:
    """The refusal for whoever began from an older version: who published what since, and why."""
    row = PolicyVersion.objects.select_related("published_by").get(number=current.version)
    who = row.published_by.get_full_name() if row.published_by else "The system"
    return PublishedMeanwhile(base=base, current=current.version, who=who, why=row.why)


def _write(draft: PolicyVersion, policy: Policy, caller: Caller) -> None:
    draft.document = policy.document()
    draft.sha256 = policy.digest()
    draft.state = State.DRAFT
    draft.submitted_by = None
    draft.submitted_at = None
    draft.tightens_only = None
    draft.edition += 1
    if caller.user.pk not in draft.editors:
        draft.editors = [*draft.editors, caller.user.pk]
    draft.save()
    _record(draft, "policy.drafted", caller)


def _record(draft: PolicyVersion, event: str, caller: Caller, **facts: Any) -> None:
    base = policies.version(draft.base or 0).policy
    record(
        type=event,
        actor=caller.actor,
        stream="policy",
        policy=PolicyRef(version=draft.base or 0, sha256=draft.sha256),
        facts={
            "draft": draft.pk,
            "base_version": draft.base,
            "edition": draft.edition,
            "changes": len(changes(base, load(draft.document))),
            **({"group": draft.scope} if draft.scope else {}),
            **({"restores": draft.restores} if draft.restores else {}),
            **facts,
        },
        disclosures=[Disclose("why", draft.why, f"person:{caller.user.pk}")] if draft.why else (),
    )
