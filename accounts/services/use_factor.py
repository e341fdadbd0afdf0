"""Use a second factor: a code of the app, a recovery code, or a passkey."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from accounts import totp
from accounts.errors import CodesClosed, FactorUnreadable, WrongCode, WrongPasskey
from accounts.factor_events import DOORKEEPER, record_factor
from accounts.factor_secrets import decrypt
from accounts.models import FactorLock, User
from accounts.vocabulary import FactorPurpose
from audit.clock import database_now
from audit.errors import Refusal
from audit.ports import alarm

if TYPE_CHECKING:
    from django.http import HttpRequest

LONGEST_LOCK: Final = timedelta(hours=1)
NEVER: Final = -1


def use_code(*, person: User, code: str, purpose: FactorPurpose, request: "HttpRequest") -> Any:
    """The factor that the code is of; the code is spent, for good and for every process.

    Raises WrongCode, CodesClosed after too many wrong ones, FactorUnreadable. What a wrong code changes
    (the count, the lock, the event) is kept.
    """
    refusal: Refusal
    with transaction.atomic():
        lock = FactorLock.objects.locked(person)
        now = database_now()
        if lock.closed_until is not None and lock.closed_until > now:
            refusal = CodesClosed((lock.closed_until - now).total_seconds())
        else:
            try:
                factor = _spent(person, code, now)
            except FactorUnreadable as unreadable:
                factor, refusal = None, unreadable
            else:
                refusal = WrongCode()
            if factor is not None:
                _accepted(lock, factor, person, purpose, request)
                return factor
            _count(lock, now)
            closed = lock.closed_until is not None and lock.closed_until > now
            _failed(person, purpose, request, "code", closed=closed)
            if closed and purpose == "sign_in":
                transaction.on_commit(partial(_tell_of_guessing, person), robust=True)
    raise refusal


def use_passkey(
    *,
    person: User,
    check: Callable[[], Any | None],
    purpose: FactorPurpose,
    request: "HttpRequest",
) -> Any:
    """The passkey whose signature `check` accepts; None from it is a refusal. Raises WrongPasskey.

    A signature over a challenge of ours cannot be guessed, so wrong ones close nothing.
    """
    with transaction.atomic():
        lock = FactorLock.objects.locked(person)
        factor = check()
        if factor is not None:
            _accepted(lock, factor, person, purpose, request)
            return factor
        _failed(person, purpose, request, "passkey", closed=False)
    raise WrongPasskey


def _spent(person: User, code: str, now: datetime) -> Any | None:
    """The factor that takes the code, which no one can use again; None where none does."""
    for factor in (
        Authenticator.objects.select_for_update()
        .filter(user=person)
        .exclude(type=Authenticator.Type.WEBAUTHN)
        .order_by("-type")
    ):
        if factor.type == Authenticator.Type.RECOVERY_CODES:
            codes = factor.wrap()
            if codes.validate_code(code):
                return codes.instance
            continue
        after = int(factor.data.get("last_step", NEVER))
        step = totp.matching_step(decrypt(factor.data["secret"]), code, now, after)
        if step is not None:
            factor.data["last_step"] = step
            factor.save(update_fields=["data"])
            return factor
    return None


def _count(lock: FactorLock, now: datetime) -> None:
    """One more wrong code. From the limit on each closes for twice as long as the one before, up to an hour."""
    config = settings.COUNTERSIGN
    lock.failures += 1
    beyond = lock.failures - config.second_factor_attempts
    if beyond >= 0:
        seconds = config.second_factor_lock_seconds * 2 ** min(beyond, 20)
        lock.closed_until = now + min(timedelta(seconds=seconds), LONGEST_LOCK)
    lock.save()


def _tell_of_guessing(person: User) -> None:
    """Whoever types codes at sign-in knew the password."""
    name = person.username
    alarm(
        lambda: (
            gettext("Second factor refused again and again"),
            gettext(
                "Somebody who knows the password of {name} typed wrong codes, and none is taken for a while. "
                "Ask them whether it was they; if not, the password has to be changed."
            ).format(name=name),
        )
    )


def _accepted(
    lock: FactorLock, factor: Any, person: User, purpose: FactorPurpose, request: "HttpRequest"
) -> None:
    if lock.failures:
        lock.failures, lock.closed_until = 0, None
        lock.save()
    is_recovery = factor.type == Authenticator.Type.RECOVERY_CODES
    record_factor(
        "factor.used",
        request=request,
        person=person,
        factor=factor,
        purpose=purpose,
        left=len(factor.wrap().get_unused_codes()) if is_recovery else None,
    )


def _failed(
    person: User, purpose: FactorPurpose, request: "HttpRequest", method: str, *, closed: bool
) -> None:
    record_factor(
        "factor.failed",
        request=request,
        person=person,
        actor=DOORKEEPER if purpose == "sign_in" else None,
        purpose=purpose,
        method=method,
        closed=closed,
    )
