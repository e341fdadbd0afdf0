"""What a session is called where its key must not stand, and when it was used last."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from time import monotonic
from typing import Final

from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

from accounts.session_models import SignedIn

#: Noted no more often than this for each session and process: lists say minutes.
NOTED_EVERY: Final = timedelta(minutes=1)
#: Of more sessions than this, the one used longest ago is noted again sooner.
_MOST_KNOWN: Final = 10_000
_noted: OrderedDict[str, float] = OrderedDict()


def handle_of(key: str) -> str:
    """Names the session in addresses, events and hints: nobody signs in with it, and it leads to no key."""
    return salted_hmac("accounts.sessions", key, algorithm="sha256").hexdigest()[:32]


def note_use(key: str) -> None:
    """Note that the session is used now. One statement a minute, at most."""
    if is_noted(key):
        return
    SignedIn.objects.filter(pk=key, last_used_at__lt=Now() - NOTED_EVERY).update(last_used_at=Now())
    noted(key)


def forget_uses() -> None:
    """As in a process that was just started."""
    _noted.clear()


def is_noted(key: str) -> bool:
    """Whether this process has noted a use of it within the minute."""
    at = _noted.get(key)
    return at is not None and monotonic() - at < NOTED_EVERY.total_seconds()


def noted(key: str) -> None:
    """Remember that its use of now stands in its row."""
    _noted[key] = monotonic()
    _noted.move_to_end(key)
    while len(_noted) > _MOST_KNOWN:
        _noted.popitem(last=False)
