"""Remove or rename a second factor of one's own."""

from typing import TYPE_CHECKING, Any

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts.errors import NoSuchFactor
from accounts.factor_events import record_factor
from accounts.factors import REAL, has_factor
from accounts.models import FactorLock, User

if TYPE_CHECKING:
    from django.http import HttpRequest


def remove_factor(*, person: User, factor_id: int, request: "HttpRequest") -> None:
    """Remove the app or a passkey; with the last one the recovery codes go too. Raises NoSuchFactor."""
    with transaction.atomic():
        FactorLock.objects.locked(person)
        _remove(_own(person, factor_id), person, request)
        if not has_factor(person):
            for codes in Authenticator.objects.filter(user=person):
                _remove(codes, person, request)


def rename_passkey(*, person: User, factor_id: int, name: str, request: "HttpRequest") -> None:
    """Call a passkey something else. Raises NoSuchFactor."""
    with transaction.atomic():
        FactorLock.objects.locked(person)
        passkey = _own(person, factor_id)
        if passkey.type != Authenticator.Type.WEBAUTHN:
            raise NoSuchFactor
        passkey.data["name"] = name
        passkey.save(update_fields=["data"])
        record_factor("factor.renamed", request=request, person=person, factor=passkey, name=name)


def _own(person: User, factor_id: int) -> Any:
    own = Authenticator.objects.filter(user=person, type__in=REAL)
    found = own.select_for_update().filter(pk=factor_id).first()
    if found is None:
        raise NoSuchFactor
    return found


def _remove(factor: Any, person: User, request: "HttpRequest") -> None:
    record_factor("factor.removed", request=request, person=person, factor=factor)
    factor.delete()
