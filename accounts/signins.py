"""Sign-ins, failed sign-ins and sign-outs enter the log, told by Django's own signals."""

from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import (
    user_logged_in,
    user_logged_out,
    user_login_failed,
)
from django.db import transaction

from audit.actors import Actor
from audit.recorder import record
from audit.schemas import Disclose

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

DOORKEEPER: Final = Actor.system("sign-in")


def connect() -> None:
    """Called once, when the app is ready."""
    user_logged_in.connect(_signed_in, dispatch_uid="accounts.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="accounts.signed_out")
    user_login_failed.connect(_sign_in_failed, dispatch_uid="accounts.sign_in_failed")


def _signed_in(*, request: "HttpRequest | None", user: "User", **_signal: Any) -> None:
    _record("signin.succeeded", user, request, actor=Actor.person(user.pk, "session"))


def _signed_out(*, request: "HttpRequest | None", user: "User | None", **_signal: Any) -> None:
    if user is not None:  # a session that had already ended has nobody to name
        _record("signout", user, request, actor=Actor.person(user.pk, "session"))


def _sign_in_failed(
    *, credentials: dict[str, Any], request: "HttpRequest | None" = None, **_signal: Any
) -> None:
    typed = credentials.get(get_user_model().USERNAME_FIELD)
    # What was typed is not kept unless it names an account: people type passwords there.
    user = get_user_model().objects.filter(username__iexact=typed).first() if typed else None
    _record("signin.failed", user, request, actor=DOORKEEPER)


def _record(type_: str, user: "User | None", request: "HttpRequest | None", actor: Actor) -> None:
    subject = f"person:{user.pk}" if user else "visitor"
    address = request.META.get("REMOTE_ADDR") if request else None
    with transaction.atomic():
        record(
            type=type_,
            actor=actor,
            stream=subject if user else "log",
            disclosures=[Disclose("address", address, subject)] if address else [],
        )
