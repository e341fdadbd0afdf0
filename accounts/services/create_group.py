"""Set up a review group."""

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.callers import Caller, authorised
from accounts.errors import BadReviewGroup
from accounts.models import ReviewGroup
from audit.recorder import record

if TYPE_CHECKING:
    from audit.actors import Actor


def create_group(
    *, slug: str, title: str, caller: "Caller | Actor", email: str = ""
) -> ReviewGroup:
    """A new review group, without members. Raises Forbidden, BadReviewGroup."""
    actor = authorised(caller, "manage_people", scope="admin")
    group = ReviewGroup(slug=slug, title=title, email=email)
    try:
        group.full_clean()
    except ValidationError as error:
        raise BadReviewGroup(error.message_dict) from error
    with transaction.atomic():
        group.save(force_insert=True)
        record(type="group.created", actor=actor, stream="log", facts={"group": group.slug})
    return group
