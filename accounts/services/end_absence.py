"""Somebody is back before the time, or will not be away after all."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from accounts.errors import UnknownAbsence
from accounts.models import Absence
from accounts.services.name_stand_in import authorised_for
from audit.clock import database_now
from audit.recorder import record

if TYPE_CHECKING:
    from audit.actors import Actor


def end_absence(*, absence_id: UUID, caller: "Caller | Actor") -> Absence:
    """End it now: by the person, by their stand-in, or by whoever manages people.

    Raises UnknownAbsence (also where it is over, or none of the caller's business).
    """
    with transaction.atomic():
        found = Absence.objects.to_come_or_holding().select_for_update(of=("self",))
        if isinstance(caller, Caller):
            found = found.filter(pk__in=Absence.objects.visible_to(caller.user).values("pk"))
        absence = found.select_related("person", "stand_in").filter(pk=absence_id).first()
        if absence is None:
            raise UnknownAbsence
        concerned = absence.person
        if isinstance(caller, Caller) and caller.user.pk == absence.stand_in_id:
            concerned = absence.stand_in
        actor = authorised_for(concerned, caller)
        absence.ended_at = database_now()
        absence.save(update_fields=["ended_at"])
        record(
            type="absence.ended",
            actor=actor,
            stream=f"person:{absence.person_id}",
            facts={
                "absence": absence.pk,
                "person": absence.person_id,
                "stand_in": absence.stand_in_id,
            },
        )
    return absence
