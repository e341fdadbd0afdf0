"""Make a bearer token for a person."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.errors import (
    BadToken,
    PermissionMissing,
    ScopeBeyondAccount,
    SessionRequired,
    UnknownScope,
)
from accounts.models import ApiToken, User
from accounts.tokens import Bearer
from accounts.vocabulary import PERMISSION_SENTENCES, SCOPES, Scope, scopes_for
from audit.recorder import record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from audit.actors import Actor

NAME_LENGTH: Final = 80


@dataclass(frozen=True)
class NewToken:
    """The stored token and, this once, what the holder sends."""

    token: ApiToken
    bearer: Bearer


def scopes_of(person: User) -> frozenset[Scope]:
    """The scopes the account can put to use, by its permissions of now."""
    # Loaded anew: Django keeps the permissions of an instance from the first question on.
    fresh = User.objects.get(pk=person.pk)
    return scopes_for(
        frozenset(name for name in PERMISSION_SENTENCES if fresh.has_perm(f"accounts.{name}"))
    )


def create_token(
    *,
    person: User,
    name: str,
    caller: "Caller | Actor",
    scopes: "Iterable[str] | None" = None,
    lifetime: "timedelta | None" = None,
) -> NewToken:
    """A token of the person with these scopes; all that the account may do when none are given.

    People make their own, signed in; only a system actor (a command) makes one for somebody.
    Raises Forbidden (SessionRequired, PermissionMissing) and Invalid (BadToken, UnknownScope,
    ScopeBeyondAccount).
    """
    actor = _authorised(caller, person)
    label = name.strip()
    if not label or len(label) > NAME_LENGTH:
        raise BadToken(
            gettext("Give the token a name of 1 to {name_length} characters.").format(
                name_length=NAME_LENGTH
            )
        )
    if not label.isprintable():
        raise BadToken(gettext("The token's name holds a character that cannot be seen."))
    if not person.is_active:
        raise BadToken(gettext("The account is closed; it can have no token."))
    granted = _granted(person, scopes)
    bearer = Bearer.generate()
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=person,
            name=label,
            prefix=bearer.prefix,
            secret_sha256=bearer.secret_sha256,
            scopes=granted,
            expires_at=Now() + lifetime if lifetime is not None else None,
        )
        token.refresh_from_db()
        record(
            type="token.created",
            actor=actor,
            stream=f"person:{person.pk}",
            facts={"token": str(token.pk), "scopes": granted},
        )
    return NewToken(token=token, bearer=bearer)


def _authorised(caller: "Caller | Actor", person: User) -> "Actor":
    if not isinstance(caller, Caller):
        if caller.kind != "system":
            raise PermissionMissing(None)
        return caller
    # A token that could make tokens would outlive its own revocation.
    if caller.is_token:
        raise SessionRequired
    if caller.user.pk != person.pk:
        raise PermissionMissing(None)
    return caller.actor


def _granted(person: User, scopes: "Iterable[str] | None") -> list[str]:
    possible = scopes_of(person)
    wanted = possible if scopes is None else frozenset(scopes)
    if unknown := sorted(wanted - set(SCOPES)):
        raise UnknownScope(unknown, SCOPES)
    if not wanted:
        raise BadToken(gettext("Choose at least one scope."))
    if beyond := sorted(wanted - possible):
        raise ScopeBeyondAccount(beyond)
    return [scope for scope in SCOPES if scope in wanted]
