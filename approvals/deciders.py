"""Whether enough people could approve an action. One that too few could would wait for nobody."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from accounts.models import EffectiveMembership, ReviewGroup, User
from approvals import quorum
from approvals.errors import NobodyCouldDecide
from approvals.schemas import Requirements
from audit.prepared import Prepared, lists_apart

_deciders = Prepared(
    lambda group: EffectiveMembership.objects.filter(
        group__in=[group], user__in=User.objects.holding("decide_requests").values("pk")
    ).order_by(),
    -1,
    rewrite=lists_apart,
)


def require_deciders(
    requirements: Requirements,
    groups: Mapping[str, ReviewGroup],
    *,
    owner_group: str | None,
    barred: Collection[int],
) -> None:
    """Raise NobodyCouldDecide where the requirements lack people, those who are `barred` left out.

    `groups` has those of the requirements and the owner's, by slug.
    """
    asked = [groups[need.group].pk for need in requirements.groups]
    owner = groups[owner_group].pk if owner_group else None
    left_out = {owner} if requirements.exclude_owner else set()
    held: dict[int, set[quorum.Held]] = {}
    for row in _deciders([*asked, *(pk for pk in left_out if pk is not None)]):
        held.setdefault(row.user_id, set()).add((row.group_id, row.on_behalf_of_id))
    voters = {
        person: groups_held
        for person, groups_held in held.items()
        if person not in barred and not left_out & {group for group, _ in groups_held}
    }
    needs = [(groups[need.group].pk, need.count) for need in requirements.groups]
    missing = quorum.missing_among(needs, voters, barred=barred)
    if missing:
        titles = {group.pk: group.title for group in groups.values()}
        raise NobodyCouldDecide({titles[group]: number for group, number in missing.items()})
