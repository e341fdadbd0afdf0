"""Who could decide a request now: members of the groups asked, and who stands in for one of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Value
from django.db.models.functions import Coalesce, NullIf

from accounts.models import EffectiveMembership, Membership, User
from approvals.models import ApprovalRequest

#: An event names no more people than this.
MOST_ASKED: Final = 200


@dataclass(frozen=True)
class Decider:
    """A person, and the names of those for whom they stand in; none where they are a member themselves."""

    user: User
    lent_by: tuple[str, ...]


def not_stood_in_for(request: ApprovalRequest) -> set[int]:
    """Those for whom nobody stands in on this request: they could not approve it themselves."""
    barred = {request.initiator_id, request.barred_editor_id}
    return {person for person in barred if person is not None}


def deciders(
    request: ApprovalRequest, group_ids: Collection[int], *, initiator_too: bool = False
) -> list[Decider]:
    """The people of these groups whose approval would be taken, by user name. `initiator_too` for kinds
    that their initiator may settle."""
    barred = not_stood_in_for(request)
    people = User.objects.holding("decide_requests").in_groups(group_ids, not_for=barred)
    left_out = {request.barred_editor_id} | (set() if initiator_too else {request.initiator_id})
    people = people.exclude(pk__in=[person for person in left_out if person is not None])
    if request.needs.exclude_owner and request.owner_group_id is not None:
        owners = EffectiveMembership.objects.filter(
            user=OuterRef("pk"), group=request.owner_group_id
        )
        people = people.filter(~Exists(owners))
    lent = EffectiveMembership.objects.filter(
        user=OuterRef("pk"), group_id__in=group_ids, on_behalf_of__isnull=False
    ).not_for(barred)
    name = Coalesce(NullIf("on_behalf_of__display_name", Value("")), "on_behalf_of__username")
    own = Membership.objects.filter(user=OuterRef("pk"), group_id__in=group_ids)
    found = people.annotate(
        is_member=Exists(own),
        lent=ArraySubquery(lent.annotate(name=name).order_by("name").distinct().values("name")),
    )
    return [_decider(person) for person in found.order_by("username")]


def people_of(found: Collection[Decider]) -> list[str]:
    """Their ids as events carry them."""
    return [str(each.user.pk) for each in found][:MOST_ASKED]


def _decider(person: Any) -> Decider:
    return Decider(person, () if person.is_member else tuple(person.lent))
