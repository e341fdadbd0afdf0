"""Add a second factor to one's own account: an authenticator app or a passkey."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts import totp
from accounts.errors import AppThere, WrongCode
from accounts.factor_events import record_factor
from accounts.factor_secrets import encrypt
from accounts.models import FactorLock, User
from accounts.services.make_recovery_codes import codes_for_first_factor

if TYPE_CHECKING:
    from django.http import HttpRequest


def add_app(
    *, person: User, secret: str, code: str, now: datetime, request: "HttpRequest"
) -> list[str]:
    """Add an authenticator app that shows `code` now; the recovery codes, where these are the first.

    The code is spent by it and confirms nothing else. Raises WrongCode, AppThere.
    """
    with transaction.atomic():
        FactorLock.objects.locked(person)
        if Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).exists():
            raise AppThere
        step = totp.matching_step(secret, code, now, after=-1)
        if step is None:
            raise WrongCode
        factor = Authenticator.objects.create(
            user=person,
            type=Authenticator.Type.TOTP,
            data={"secret": encrypt(secret), "last_step": step},
        )
        record_factor("factor.added", request=request, person=person, factor=factor)
        return codes_for_first_factor(person=person, request=request)


def add_passkey(
    *, person: User, name: str, credential: dict[str, Any], request: "HttpRequest"
) -> list[str]:
    """Add a passkey whose registration was checked; the recovery codes, where these are the first."""
    with transaction.atomic():
        FactorLock.objects.locked(person)
        factor = Authenticator.objects.create(
            user=person,
            type=Authenticator.Type.WEBAUTHN,
            data={"name": name, "credential": credential},
        )
        record_factor("factor.added", request=request, person=person, factor=factor, name=name)
        return codes_for_first_factor(person=person, request=request)
