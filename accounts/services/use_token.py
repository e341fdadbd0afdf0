"""Turn a presented token into a Caller."""

import hmac
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.callers import Caller
from accounts.errors import TokenRefused
from accounts.models import ApiToken
from accounts.tokens import Bearer
from accounts.vocabulary import SCOPES
from audit.actors import Actor
from audit.recorder import record

# Written at most this often: a poller must not cost a commit per request.
LAST_USED_RESOLUTION: Final = timedelta(minutes=1)

_NO_HASH: Final = bytes(32)


def use_token(*, presented: str) -> Caller:
    """The caller the token stands for.

    Raises TokenRefused when it is malformed, unknown, revoked, expired or its account is closed;
    all in the same words. The first use is an event; later ones only move `last_used_at`.
    """
    bearer = Bearer.parse(presented)
    if bearer is None:
        raise TokenRefused
    token = ApiToken.objects.usable().select_related("user").filter(prefix=bearer.prefix).first()
    known = bytes(token.secret_sha256) if token else _NO_HASH
    if not hmac.compare_digest(known, bearer.secret_sha256) or token is None:
        raise TokenRefused
    if not token.user.is_active:
        raise TokenRefused
    scopes = frozenset(scope for scope in SCOPES if scope in token.scopes)
    caller = Caller(user=token.user, auth=f"token:{token.pk}", scopes=scopes)
    if token.last_used_at is None:
        _record_first_use(token, caller.actor)
    elif token.last_used_at <= timezone.now() - LAST_USED_RESOLUTION:
        # This process's clock only spares the statement; the database's decides.
        ApiToken.objects.filter(pk=token.pk, last_used_at__lte=Now() - LAST_USED_RESOLUTION).update(
            last_used_at=Now()
        )
    return caller


def _record_first_use(token: ApiToken, actor: Actor) -> None:
    with transaction.atomic():
        first = ApiToken.objects.filter(pk=token.pk, last_used_at__isnull=True).update(
            last_used_at=Now()
        )
        if first:
            record(
                type="token.used_first",
                actor=actor,
                stream=f"person:{token.user_id}",
                facts={"token": str(token.pk)},
            )
