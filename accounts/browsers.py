"""The browsers in which a person is signed in, noted as they sign in and listed for themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from allauth.account.signals import password_changed, password_set
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.functions import Now
from django.utils.crypto import constant_time_compare

from accounts.devices import device_of
from accounts.hints import publish, to_session
from accounts.session_models import SignedIn
from accounts.session_uses import handle_of, noted

if TYPE_CHECKING:
    from collections.abc import Iterable
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


def renew(request: HttpRequest, person: User) -> None:
    """Give this browser's session another key, because its person has just shown more than the open session.

    Whoever copied the cookie before has none of that, and is signed out. Where the browser is listed, it stays listed
    as it was. Its other pages open their sockets anew.
    """
    before = SignedIn.objects.visible_to(person).filter(pk=request.session.session_key).first()
    old = request.session.session_key
    request.session.cycle_key()
    key = request.session.session_key
    if before is not None and key:
        SignedIn.objects.create(
            session_id=key,
            user=person,
            device=before.device,
            began_at=before.began_at,
            last_used_at=Now(),
        )
        noted(key)
    if old:
        tell_ended([old])


def tell_ended(keys: Iterable[str]) -> None:
    """Once this commits, let sockets of these sessions look whether they are still there: a hint closes nothing by
    itself."""
    for handle in map(handle_of, keys):
        hint = partial(
            publish,
            [to_session(handle)],
            {"topic": "session", "id": handle, "version": 0, "kind": "ended"},
        )
        transaction.on_commit(hint, robust=True)


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
