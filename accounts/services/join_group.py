"""Put a person into a review group."""

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.callers import Caller, authorised
from accounts.errors import UnknownReviewGroup
from accounts.models import Membership, ReviewGroup, User
from audit.recorder import record

if TYPE_CHECKING:
    from audit.actors import Actor


def join_group(*, person: User, group: str, caller: "Caller | Actor") -> bool:
    """Add the person to the review group (its slug); False when they already belong to it.

    Raises Forbidden, UnknownReviewGroup.
    """
    actor = authorised(caller, "manage_people", scope="admin")
    review_group = ReviewGroup.objects.filter(slug=group).first()
    if review_group is None:
        raise UnknownReviewGroup(group)
    with transaction.atomic():
        _, joined = Membership.objects.get_or_create(user=person, group=review_group)
        if joined:
            record(
                type="group.joined",
                actor=actor,
                stream=f"person:{person.pk}",
                facts={"person": str(person.pk), "group": review_group.slug},
            )
    return joined
