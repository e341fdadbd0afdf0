"""Who can decide what: an answer for the people page and for whoever is refused."""

from dataclasses import dataclass

from django.utils.translation import gettext

from accounts.models import EffectiveMembership, Membership, ReviewGroup, User
from accounts.vocabulary import PERMISSION_SENTENCES


@dataclass(frozen=True)
class GroupDeciders:
    """A review group, who in it may decide, who belongs to it without that permission, and who stands in
    for whom now (`Anna for Ben`)."""

    group: ReviewGroup
    deciders: list[User]
    onlookers: list[User]
    stand_ins: list[str]


@dataclass(frozen=True)
class Holders:
    """One permission as a sentence, and the active people who have it."""

    sentence: str
    people: list[User]


def deciders_by_group() -> list[GroupDeciders]:
    able = set(User.objects.holding("decide_requests").values_list("pk", flat=True))
    members: dict[int, list[User]] = {}
    memberships = Membership.objects.filter(user__is_active=True).select_related("user")
    for membership in memberships.order_by("user__username"):
        members.setdefault(membership.group_id, []).append(membership.user)
    stand_ins: dict[int, list[str]] = {}
    lent = EffectiveMembership.objects.filter(on_behalf_of__isnull=False)
    for each in lent.select_related("user", "on_behalf_of").order_by("user__username", "key"):
        stand_ins.setdefault(each.group_id, []).append(f"{each.user} for {each.on_behalf_of}")
    return [
        GroupDeciders(
            group=group,
            deciders=[user for user in members.get(group.pk, ()) if user.pk in able],
            onlookers=[user for user in members.get(group.pk, ()) if user.pk not in able],
            stand_ins=stand_ins.get(group.pk, []),
        )
        for group in ReviewGroup.objects.all()
    ]


def holders_by_permission() -> list[Holders]:
    return [
        Holders(gettext(sentence), list(User.objects.holding(permission).order_by("username")))
        for permission, sentence in PERMISSION_SENTENCES.items()
    ]
