"""Take a person out of a review group."""

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.callers import Caller, authorised
from accounts.errors import UnknownReviewGroup
from accounts.models import Membership, ReviewGroup, User
from audit.recorder import record

if TYPE_CHECKING:
    from audit.actors import Actor


def leave_group(*, person: User, group: str, caller: "Caller | Actor") -> bool:
    """Remove the person from the review group (its slug); False when they were not in it.

    Raises Forbidden, UnknownReviewGroup.
    """
    actor = authorised(caller, "manage_people", scope="admin")
    if not ReviewGroup.objects.filter(slug=group).exists():
        raise UnknownReviewGroup(group)
    with transaction.atomic():
        left, _ = Membership.objects.filter(user=person, group__slug=group).delete()
        if left:
            record(
                type="group.left",
                actor=actor,
                stream=f"person:{person.pk}",
                facts={"person": str(person.pk), "group": group},
            )
    return bool(left)
