"""The browsers in which a person is signed in, noted as they sign in and listed for themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from allauth.account.signals import password_changed, password_set
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.db.models.functions import Now
from django.utils.crypto import constant_time_compare

from accounts.devices import device_of
from accounts.session_models import SignedIn
from accounts.session_uses import handle_of, noted

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

    from accounts.models import User

MOST_LISTED: Final = 50


@dataclass(frozen=True)
class Browser:
    """One browser; `here` is the one that asks. Of one that was never noted, `began_at` is not known.

    `handle` names its session where it is ended; empty for the one that asks.
    """

    device: str
    began_at: datetime | None
    used_at: datetime | None
    here: bool
    handle: str = ""


def connect() -> None:
    """Called once, when the app is ready. A changed password gives the browser a session with another key."""
    for told in (user_logged_in, password_changed, password_set):
        told.connect(_note, dispatch_uid="accounts.browsers")


def _note(*, request: HttpRequest | None, user: User, **_signal: Any) -> None:
    key = request.session.session_key if request is not None else None
    if request is not None and key:
        SignedIn.objects.update_or_create(
            session_id=key,
            defaults={"user": user, "device": _device(request), "last_used_at": Now()},
        )
        noted(key)


def browsers_of(user: User, request: HttpRequest) -> list[Browser]:
    """This one first, then the newest; without those whose session a changed password ended."""
    key = request.session.session_key
    known = SignedIn.objects.visible_to(user).open().select_related("session")
    this = known.filter(pk=key).first()
    others = known.exclude(pk=key).newest_first()[:MOST_LISTED]
    good = user.get_session_auth_hash()
    return [
        Browser(
            _device(request),
            this.began_at if this else None,
            this.last_used_at if this else None,
            here=True,
        ),
        *(
            Browser(
                each.device,
                each.began_at,
                each.last_used_at,
                here=False,
                handle=handle_of(each.pk),
            )
            for each in others
            if constant_time_compare(each.session.get_decoded().get(HASH_SESSION_KEY, ""), good)
        ),
    ]


def _device(request: HttpRequest) -> str:
    return device_of(request.headers.get("User-Agent", ""))
