"""Who may write which part of a policy: admins all of it, a group the rules of its own scope."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from approvals import ports
from approvals.errors import DraftUnknown, OutsideScope
from approvals.models.policy import PolicyVersion, PolicyVersionQuerySet
from approvals.policies import Policy

GLOBAL = ""


@dataclass(frozen=True)
class Authority:
    """What one person may write. `groups` are slugs of the groups whose own rules they keep."""

    whole: bool
    groups: frozenset[str]

    @property
    def writes(self) -> bool:
        """Whether they may write anything at all."""
        return self.whole or bool(self.groups)


def authority_of(caller: Caller) -> Authority:
    """What this caller may write: admins everything, people of a group that owns agents its rules."""
    if caller.holds("publish_policies"):
        return Authority(whole=True, groups=frozenset())
    owners = {facts.owner_group for facts in ports.runs().catalogue()} - {None}
    own = ReviewGroup.objects.filter(pk__in=caller.own_group_ids, slug__in=owners)
    return Authority(whole=False, groups=frozenset(own.values_list("slug", flat=True)))


def readable_drafts(caller: Caller) -> PolicyVersionQuerySet:
    """The drafts, and what became of them, that this caller may read."""
    authority = authority_of(caller)
    if authority.whole or caller.holds("read_everything"):
        return PolicyVersion.objects.all()
    return PolicyVersion.objects.in_scopes(authority.groups)


def readable_draft(draft_id: int, caller: Caller) -> PolicyVersion:
    """The draft, or what became of it, for whoever may read it; else `DraftUnknown`."""
    caller.require(None, scope="read")
    row = readable_drafts(caller).filter(pk=draft_id).first()
    if row is None:
        raise DraftUnknown(draft_id)
    return row


def writable_drafts(authority: Authority) -> PolicyVersionQuerySet:
    """The open drafts that somebody with this authority may change."""
    drafts = PolicyVersion.objects.open_drafts()
    return drafts if authority.whole else drafts.in_scopes(authority.groups)


def require_writer(caller: Caller) -> Authority:
    """The caller's authority; raises the `Forbidden` for somebody who has none."""
    authority = authority_of(caller)
    if not authority.writes:
        caller.require("publish_policies", scope="admin")
    caller.require(None, scope="admin")
    return authority


def require_within(authority: Authority, before: Policy, after: Policy) -> str:
    """The scope of the change: empty for the whole policy, else the group whose rules differ.

    Raises `OutsideScope` where it touches more than the authority covers.
    """
    if authority.whole:
        return GLOBAL
    touched = _touched(before, after)
    if touched is None or not touched <= authority.groups:
        raise OutsideScope(sorted(authority.groups))
    return min(touched, default=min(authority.groups))


def _touched(before: Policy, after: Policy) -> set[str] | None:
    """The groups whose own rules differ; None when anything else does."""
    rest = before.model_copy(update={"rules": after.rules})
    if rest != after:
        return None
    old = {rule.name: rule for rule in before.rules}
    new = {rule.name: rule for rule in after.rules}
    changed = [
        rule
        for name in {**old, **new}
        if old.get(name) != new.get(name)
        for rule in (old.get(name), new.get(name))
        if rule is not None
    ]
    if any(rule.group is None for rule in changed):
        return None
    return {rule.group for rule in changed if rule.group is not None}


def others_who_may_publish(scope: str, caller: Caller) -> bool:
    """Whether anybody but the caller could look at a change of this scope, were they not its authors."""
    if User.objects.holding("publish_policies").exclude(pk=caller.user.pk).exists():
        return True
    if not scope:
        return False
    members = User.objects.active().filter(memberships__group__slug=scope)
    return bool(members.exclude(pk=caller.user.pk).exists())
