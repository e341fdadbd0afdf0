"""Make recovery codes, which stand in for a second factor that was lost."""

from typing import TYPE_CHECKING, Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.db import transaction

from accounts.errors import NothingToRecover
from accounts.factor_events import record_factor
from accounts.factors import has_factor
from accounts.models import FactorLock, User

if TYPE_CHECKING:
    from django.http import HttpRequest


def make_recovery_codes(*, person: User, request: "HttpRequest") -> list[str]:
    """New codes, each good once; the old ones are good no more. They can be read here and never again.

    Raises NothingToRecover.
    """
    with transaction.atomic():
        FactorLock.objects.locked(person)
        if not has_factor(person):
            raise NothingToRecover
        _codes_of(person).delete()
        return _made(person, request)


def codes_for_first_factor(*, person: User, request: "HttpRequest") -> list[str]:
    """Codes for somebody who has none, inside the transaction that adds a factor; else an empty list."""
    return [] if _codes_of(person).exists() else _made(person, request)


def _codes_of(person: User) -> Any:
    return Authenticator.objects.filter(user=person, type=Authenticator.Type.RECOVERY_CODES)


def _made(person: User, request: "HttpRequest") -> list[str]:
    codes = RecoveryCodes.activate(person)
    made = list(codes.get_unused_codes())
    record_factor(
        "recovery_codes.made",
        request=request,
        person=person,
        factor=codes.instance,
        left=len(made),
    )
    return made
