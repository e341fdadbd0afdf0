"""Whether a session still lets its person in."""

import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.utils.crypto import constant_time_compare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.models import User

BEGAN: Final = "signed_in_at"


def begin(session: Any) -> None:
    """Note when the person signed in, in seconds since 1970."""
    session[BEGAN] = int(time.time())


def is_over(session: "Mapping[str, Any]") -> bool:
    """Whether somebody signed in longer ago than a session may last, however busy it was since."""
    began = session.get(BEGAN)
    return began is not None and time.time() - began > settings.COUNTERSIGN.session_seconds


def is_open(key: str, user: "User") -> bool:
    """Whether the session with this key is still the person's: not ended, not over, no password changed since."""
    found = Session.objects.filter(pk=key, expire_date__gt=Now()).first()
    if found is None:
        return False
    kept = found.get_decoded()
    return (
        str(kept.get(SESSION_KEY)) == str(user.pk)
        and constant_time_compare(kept.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
        and not is_over(kept)
    )
