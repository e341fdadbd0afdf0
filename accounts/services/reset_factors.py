"""Remove all second factors of somebody who lost theirs."""

from typing import TYPE_CHECKING

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts.errors import OwnFactors, SessionRequired
from accounts.factor_events import record_factor
from accounts.models import FactorLock, User

if TYPE_CHECKING:
    from accounts.callers import Caller


def reset_factors(*, person: User, caller: "Caller") -> int:
    """Remove them all and lift a lock; how many there were. Confirmations made with them count no more.

    Nobody resets their own here: that asks for the factor itself. Raises SessionRequired,
    PermissionMissing, OwnFactors.
    """
    if caller.is_token:
        raise SessionRequired
    caller.require("manage_people", scope="admin")
    if person.pk == caller.user.pk:
        raise OwnFactors
    with transaction.atomic():
        FactorLock.objects.locked(person).delete()
        removed, _ = Authenticator.objects.filter(user=person).delete()
        if removed:
            record_factor(
                "factor.reset", request=None, person=person, actor=caller.actor, removed=removed
            )
    return int(removed)
