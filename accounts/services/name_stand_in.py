"""Somebody is out of office and names who stands in."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils.translation import gettext

from accounts.callers import Caller, authorised
from accounts.errors import BadAbsence
from accounts.models import Absence, User
from audit.clock import database_now
from audit.recorder import record

if TYPE_CHECKING:
    from audit.actors import Actor

LONGEST: Final = timedelta(days=366)


def name_stand_in(
    *,
    person: User,
    stand_in: User,
    starts_at: datetime,
    ends_at: datetime,
    caller: "Caller | Actor",
) -> Absence:
    """`stand_in` counts as a member of the person's review groups from `starts_at` until `ends_at` (aware).

    People name their own; for others it takes the permission to manage people. What began in the past
    begins now. Raises Forbidden, and BadAbsence with the field: both must be deciders and two people, and
    the person has nobody else standing in at that time.
    """
    actor = authorised_for(person, caller)
    with transaction.atomic():
        # Two absences of one person are named one after the other, so that the second sees the first.
        User.objects.select_for_update(no_key=True).get(pk=person.pk)
        now = database_now()
        starts_at = max(starts_at, now)
        _check(person, stand_in, starts_at, ends_at, now)
        absence = Absence.objects.create(
            person=person, stand_in=stand_in, starts_at=starts_at, ends_at=ends_at
        )
        record(
            type="stand_in.named",
            actor=actor,
            stream=f"person:{person.pk}",
            facts={
                "absence": absence.pk,
                "person": person.pk,
                "stand_in": stand_in.pk,
                "starts_at": starts_at,
                "ends_at": ends_at,
            },
        )
    return absence


def authorised_for(person: User, caller: "Caller | Actor") -> "Actor":
    """The actor of a change that concerns the person: themselves, or whoever manages people."""
    if isinstance(caller, Caller) and caller.user.pk == person.pk:
        caller.require(None, scope="decide")
        return caller.actor
    return authorised(caller, "manage_people", scope="admin")


def _check(
    person: User, stand_in: User, starts_at: datetime, ends_at: datetime, now: datetime
) -> None:
    errors: dict[str, list[str]] = {}
    deciders = set(
        User.objects.holding("decide_requests")
        .filter(pk__in=[person.pk, stand_in.pk])
        .values_list("pk", flat=True)
    )
    if person.pk == stand_in.pk:
        errors["stand_in"] = [gettext("Nobody stands in for themselves. Choose somebody else.")]
    elif stand_in.pk not in deciders:
        errors["stand_in"] = [
            gettext("{stand_in} may not decide requests. Choose somebody who may.").format(
                stand_in=stand_in
            )
        ]
    if person.pk not in deciders:
        errors["person"] = [
            gettext("{person} may not decide requests, so nobody can do it for them.").format(
                person=person
            )
        ]
    if ends_at <= now:
        errors["ends_at"] = [gettext("This is over already. Choose a time to come.")]
    elif ends_at <= starts_at:
        errors["ends_at"] = [gettext("The end must come after the beginning.")]
    elif ends_at - starts_at > LONGEST:
        errors["ends_at"] = [gettext("At most {days} days at a time.").format(days=LONGEST.days)]
    else:
        within = Absence.objects.to_come_or_holding().filter(
            starts_at__lt=ends_at, ends_at__gt=starts_at
        )
        same = within.filter(person=person).select_related("stand_in").first()
        if same is not None:
            errors["starts_at"] = [
                gettext(
                    "{stand_in} stands in then already. End that first, or choose another time."
                ).format(stand_in=same.stand_in)
            ]
        if within.filter(person=stand_in).exists():
            errors["stand_in"] = [
                gettext("{stand_in} is out of office then too. Choose somebody else.").format(
                    stand_in=stand_in
                )
            ]
    if errors:
        raise BadAbsence(errors)
