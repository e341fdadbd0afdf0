"""A person signs out every browser but the one they sit at."""

from typing import TYPE_CHECKING

from django.contrib.sessions.models import Session
from django.db import transaction

from accounts.errors import SessionRequired
from accounts.session_models import SignedIn
from audit.recorder import record

if TYPE_CHECKING:
    from accounts.callers import Caller


def end_other_sessions(*, keep: str, caller: "Caller") -> int:
    """End every session of the caller's but the one with the key `keep`; how many there were.

    What is open in those browsers is signed out with its next request, and its socket within half a minute.
    Raises SessionRequired for a token caller.
    """
    if caller.is_token:
        raise SessionRequired
    with transaction.atomic():
        others = SignedIn.objects.visible_to(caller.user).exclude(pk=keep).select_for_update()
        keys = list(others.values_list("pk", flat=True))
        if keys:
            Session.objects.filter(pk__in=keys).delete()
            record(
                type="sessions.ended",
                actor=caller.actor,
                stream=f"person:{caller.user.pk}",
                facts={"ended": len(keys)},
            )
    return len(keys)
