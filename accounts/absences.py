"""Who is out of office and who stands in, for the pages."""

from typing import Any

from accounts.models import Absence, User
from audit.clock import database_now


def absences_of(person: User) -> dict[str, Any]:
    """What templates/accounts/_absences.html takes: those not over yet, of the person and for others."""
    open_ = Absence.objects.to_come_or_holding().select_related("person", "stand_in")
    return {
        "away": list(open_.filter(person=person).soonest_first()),
        "standing_in": list(open_.filter(stand_in=person).soonest_first()),
        "now": database_now(),
    }
