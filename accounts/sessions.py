"""Sessions in the database, read together with who is asking.

Each request asks whose session it is, who that is, what they may and which groups they count in: five statements of
Django's and ours. Here it is one, asked anew for each request, so that it is never older than the request.

Which person a session is of stands in its signed content, which the database cannot read. `SignedIn` tells it who
that will be: a guess, taken only where the signed content says the same. Whatever does not fit is left to Django.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Permission
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db.models import CharField, F, Func, IntegerField, OuterRef, QuerySet, Value
from django.db.models.functions import Concat, Now
from django.utils.crypto import constant_time_compare

from accounts.callers import Caller, Memberships
from accounts.models import EffectiveMembership, User
from audit.prepared import Prepared

#: Reads people as `_asking` does; of a session that another backend made, that backend says whose it is.
BACKEND: Final = f"{AuthenticationBackend.__module__}.{AuthenticationBackend.__qualname__}"


def _asking(key: str) -> QuerySet[Session]:
    person = OuterRef("signed_in__user")
    name = Concat("content_type__app_label", Value("."), "codename", output_field=CharField())
    by_role = Permission.objects.filter(group__user=person)
    by_themselves = Permission.objects.filter(user=person)
    pair = Func(
        F("group_id"),
        F("on_behalf_of_id"),
        template="ARRAY[%(expressions)s]",
        output_field=ArrayField(IntegerField()),
    )
    groups = EffectiveMembership.objects.filter(user=person)
    found: QuerySet[Session] = Session.objects.filter(session_key=key, expire_date__gt=Now())
    return found.select_related("signed_in__user").annotate(
        by_role=ArraySubquery(by_role.order_by().values_list(name)),
        by_themselves=ArraySubquery(by_themselves.order_by().values_list(name)),
        groups=ArraySubquery(groups.values_list(pair)),
    )


_ask = Prepared(_asking, "key")


@dataclass(frozen=True)
class Known:
    """The person of a session as read with it: their permissions (`accounts.decide_requests`) and memberships."""

    user: User
    permissions: frozenset[str]
    memberships: Memberships

    def caller(self) -> Caller:
        """As who they ask, with rights and groups as they were read."""
        # As `ModelBackend.get_all_permissions` leaves it; a superuser has them all.
        if not self.user.is_superuser:
            self.user._perm_cache = set(self.permissions)  # type: ignore[attr-defined]
        return Caller.of_session(self.user, self.memberships)


class SessionStore(db.SessionStore):
    """Django's, which reads the person along."""

    _ahead: Known | None = None

    def load(self) -> dict[str, Any]:
        """The content of the session; empty for one that is over or was never there."""
        found: Any = _ask.one(self.session_key)
        if found is None:
            # Django also forgets the key then.
            return super().load()
        signed_in = getattr(found, "signed_in", None)
        if signed_in is not None:
            self._ahead = Known(
                signed_in.user,
                frozenset((*found.by_role, *found.by_themselves)),
                frozenset((group, absent) for group, absent in found.groups),
            )
        return self.decode(found.session_data)

    def known(self) -> Known | None:
        """Whose session this is, where all holds that Django asks for; None says that Django is to be asked."""
        person, backend = self.get(SESSION_KEY), self.get(BACKEND_SESSION_KEY)
        ahead = self._ahead
        if ahead is None or person != str(ahead.user.pk) or not ahead.user.is_active:
            return None
        if backend != BACKEND or backend not in settings.AUTHENTICATION_BACKENDS:
            return None
        proof = self.get(HASH_SESSION_KEY) or ""
        good = constant_time_compare(proof, ahead.user.get_session_auth_hash())
        return ahead if good else None
