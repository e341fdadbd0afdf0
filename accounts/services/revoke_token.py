"""Make a token useless, for good."""

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from accounts.errors import SessionRequired, UnknownToken
from accounts.models import ApiToken
from audit.recorder import record

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.callers import Caller
    from accounts.models import User
    from audit.actors import Actor


def revoke_all(*, person: "User", actor: "Actor") -> int:
    """Revoke every token of the person's that could still be used, within the caller's transaction; how many."""
    usable = ApiToken.objects.visible_to(person).usable()
    found = list(usable.select_for_update().order_by("pk").values_list("pk", flat=True))
    ApiToken.objects.filter(pk__in=found).update(revoked_at=Now())
    for token_id in found:
        record(
            type="token.revoked",
            actor=actor,
            stream=f"person:{person.pk}",
            facts={"token": str(token_id)},
        )
    return len(found)


def revoke_token(*, token_id: "UUID", caller: "Caller") -> bool:
    """Revoke one of the caller's own tokens; False when it already was.

    Raises SessionRequired for a token caller, UnknownToken for any token that is not theirs.
    """
    if caller.is_token:
        raise SessionRequired
    own = ApiToken.objects.visible_to(caller.user).filter(pk=token_id)
    with transaction.atomic():
        revoked = own.filter(revoked_at__isnull=True).update(revoked_at=Now())
        if revoked:
            record(
                type="token.revoked",
                actor=caller.actor,
                stream=f"person:{caller.user.pk}",
                facts={"token": str(token_id)},
            )
        elif not own.exists():
            raise UnknownToken
    return bool(revoked)
