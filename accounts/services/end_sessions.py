"""A person signs out a browser from another one: one of them, or all but the one they sit at. An admin signs out
somebody else, everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.sessions.models import Session
from django.db import transaction

from accounts.browsers import tell_ended
from accounts.errors import SessionRequired, UnknownSession
from accounts.services.revoke_token import revoke_all
from accounts.session_models import SignedIn
from accounts.session_uses import handle_of
from audit.recorder import record

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.callers import Caller
    from accounts.models import User


def end_session(*, handle: str, caller: Caller) -> str:
    """End the session of the caller's that is called so; the kind of browser it was in.

    What is open there is signed out with its next request, and its socket is closed at once. Raises
    SessionRequired for a token caller, and UnknownSession where there is none, or it is somebody else's.
    """
    if caller.is_token:
        raise SessionRequired
    with transaction.atomic():
        own = SignedIn.objects.visible_to(caller.user).open().select_for_update(of=("self",))
        found = next((each for each in own if handle_of(each.pk) == handle), None)
        if found is None:
            raise UnknownSession
        _end([found.pk])
        record(
            type="session.ended",
            actor=caller.actor,
            stream=f"person:{caller.user.pk}",
            facts={"session": handle},
        )
    return found.device


def end_other_sessions(*, keep: str, caller: Caller) -> int:
    """End every session of the caller's but the one with the key `keep`; how many there were.

    What is open in those browsers is signed out with its next request, and its sockets are closed at once.
    Raises SessionRequired for a token caller.
    """
    if caller.is_token:
        raise SessionRequired
    with transaction.atomic():
        ended = _end_all(SignedIn.objects.visible_to(caller.user).exclude(pk=keep))
        if ended:
            record(
                type="sessions.ended",
                actor=caller.actor,
                stream=f"person:{caller.user.pk}",
                facts={"ended": ended},
            )
    return ended


def end_sessions_of(*, person: User, caller: Caller, with_tokens: bool = False) -> tuple[int, int]:
    """End every session of somebody whose browser is in wrong hands, and with `with_tokens` revoke every token of
    theirs; how many sessions and how many tokens that were.

    What is open there is signed out with its next request, and its sockets are closed at once. Raises
    SessionRequired for a token caller, and PermissionMissing.
    """
    if caller.is_token:
        raise SessionRequired
    caller.require("manage_people", scope="admin")
    with transaction.atomic():
        ended = _end_all(SignedIn.objects.visible_to(person))
        if ended:
            record(
                type="person.signed_out",
                actor=caller.actor,
                stream=f"person:{person.pk}",
                facts={"person": str(person.pk), "ended": ended},
            )
        revoked = revoke_all(person=person, actor=caller.actor) if with_tokens else 0
    return ended, revoked


def _end_all(sessions: QuerySet[SignedIn]) -> int:
    """End them, which are locked for it; how many there were."""
    keys = list(sessions.select_for_update().values_list("pk", flat=True))
    if keys:
        _end(keys)
    return len(keys)


def _end(keys: list[str]) -> None:
    Session.objects.filter(pk__in=keys).delete()
    tell_ended(keys)
