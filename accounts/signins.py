"""Sign-ins, failed sign-ins and sign-outs enter the log, told by Django's own signals."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import (
    user_logged_in,
    user_logged_out,
    user_login_failed,
)
from django.db import transaction
from django.utils.translation import gettext

from accounts.open_sessions import begin
from accounts.passwords import BREAK_GLASS
from audit.actors import Actor
from audit.ports import alarm
from audit.recorder import record
from audit.schemas import Disclose

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

DOORKEEPER: Final = Actor.system("sign-in")
#: Ways in, by what django-allauth calls them.
METHODS: Final = {
    "password": "password",
    "mfa": "passkey",
    "socialaccount": "identity_provider",
}


def connect() -> None:
    """Called once, when the app is ready."""
    user_logged_in.connect(_signed_in, dispatch_uid="accounts.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="accounts.signed_out")
    user_login_failed.connect(_sign_in_failed, dispatch_uid="accounts.sign_in_failed")


def _signed_in(*, request: "HttpRequest | None", user: "User", **_signal: Any) -> None:
    if request is not None:
        begin(request.session)
    method = _method(request, user)
    emergency = method == "password" and not settings.COUNTERSIGN.passwords
    record_signin(
        "signin.succeeded",
        user,
        request,
        actor=Actor.person(user.pk, "session"),
        facts={"method": method, "why": BREAK_GLASS if emergency else None},
    )
    if emergency:
        transaction.on_commit(partial(_tell_of_emergency, user), robust=True)


def _method(request: "HttpRequest | None", user: "User") -> str | None:
    """How the person came in, by the first thing that they showed; None where nothing was asked (a test)."""
    records = get_authentication_records(request, user) if request is not None else []
    return METHODS.get(records[0]["method"]) if records else None


def _tell_of_emergency(user: "User") -> None:
    name = user.username
    alarm(
        lambda: (
            gettext("An emergency account was used"),
            gettext(
                "{name} signed in with a password, though passwords are switched off. If nobody of you did "
                "that, end the sessions of this account and change its password."
            ).format(name=name),
        )
    )


def _signed_out(*, request: "HttpRequest | None", user: "User | None", **_signal: Any) -> None:
    if user is not None:  # a session that had already ended has nobody to name
        record_signin("signout", user, request, actor=Actor.person(user.pk, "session"))


def _sign_in_failed(
    *, credentials: dict[str, Any], request: "HttpRequest | None" = None, **_signal: Any
) -> None:
    typed = credentials.get(get_user_model().USERNAME_FIELD)
    # What was typed is not kept unless it names an account: people type passwords there.
    user = get_user_model().objects.filter(username__iexact=typed).first() if typed else None
    record_signin("signin.failed", user, request, actor=DOORKEEPER)


def record_signin(
    type_: str,
    user: "User | None",
    request: "HttpRequest | None",
    *,
    actor: Actor,
    facts: dict[str, Any] | None = None,
) -> None:
    """Write it into the person's story, or into the log's where nobody is known; the address is erasable."""
    subject = f"person:{user.pk}" if user else "visitor"
    address = request.META.get("REMOTE_ADDR") if request else None
    with transaction.atomic():
        record(
            type=type_,
            actor=actor,
            stream=subject if user else "log",
            facts=facts or {},
            disclosures=[Disclose("address", address, subject)] if address else [],
        )
