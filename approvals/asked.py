"""Who could decide a request now: members of the groups asked, and who stands in for one of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce, NullIf

from accounts.models import EffectiveMembership, Membership, User
from approvals.models import ApprovalRequest
from audit.prepared import Prepared, lists_apart

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
    that their initiator may settle. One query."""
    barred = sorted(not_stood_in_for(request))
    left_out = {request.barred_editor_id} | (set() if initiator_too else {request.initiator_id})
    given = [list(group_ids), barred, sorted(person for person in left_out if person is not None)]
    if request.needs.exclude_owner and request.owner_group_id is not None:
        found = _asked_but_owners(*given, request.owner_group_id)
    else:
        found = _asked(*given)
    return [_decider(person) for person in found]


def _people(group: int, barred: int, left_out: int) -> QuerySet[User]:
    people = User.objects.holding("decide_requests").in_groups([group], not_for=[barred])
    lent = EffectiveMembership.objects.filter(
        user=OuterRef("pk"), group_id__in=[group], on_behalf_of__isnull=False
    ).not_for([barred])
    name = Coalesce(NullIf("on_behalf_of__display_name", Value("")), "on_behalf_of__username")
    own = Membership.objects.filter(user=OuterRef("pk"), group_id__in=[group])
    found: QuerySet[User] = (
        people.exclude(pk__in=[left_out])
        .annotate(
            is_member=Exists(own),
            lent=ArraySubquery(lent.annotate(name=name).order_by("name").distinct().values("name")),
        )
        .order_by("username")
    )
    return found


def _people_but_owners(group: int, barred: int, left_out: int, owners: int) -> QuerySet[User]:
    own = EffectiveMembership.objects.filter(user=OuterRef("pk"), group=owners)
    return _people(group, barred, left_out).filter(~Exists(own))


_asked = Prepared(_people, -1, -2, -3, rewrite=lists_apart)
_asked_but_owners = Prepared(_people_but_owners, -1, -2, -3, -4, rewrite=lists_apart)


def people_of(found: Collection[Decider]) -> list[str]:
    """Their ids as events carry them."""
    return [str(each.user.pk) for each in found][:MOST_ASKED]


def _decider(person: Any) -> Decider:
    return Decider(person, () if person.is_member else tuple(person.lent))
