"""Who is asking: a signed-in person, in the browser or through a token."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from accounts.errors import PermissionMissing, ScopeMissing
from accounts.models import EffectiveMembership, User
from accounts.vocabulary import PERMISSION_SENTENCES, SCOPES, Permission, Scope
from audit.actors import Actor
from audit.prepared import PreparedValues

SESSION = "session"
ALL_SCOPES = frozenset(SCOPES)
#: Pairs of a review group's id and of the id of the person stood in for, None for a membership of one's own.
Memberships: TypeAlias = frozenset[tuple[int, int | None]]

#: Where Django keeps a person's permissions.
_KEPT_WITH_USER = ("_perm_cache", "_user_perm_cache", "_group_perm_cache")

_memberships = PreparedValues(
    lambda user: (
        EffectiveMembership.objects.filter(user=user)
        .order_by()
        .values("group_id", "on_behalf_of_id")
    ),
    -1,
)


@dataclass(frozen=True)
class Caller:
    """A person and the way they came in. `auth` is "session" or "token:<token id>"."""

    user: User
    auth: str
    scopes: frozenset[Scope]

    @classmethod
    def of_session(cls, user: User, memberships: Memberships | None = None) -> "Caller":
        """`memberships`, where they were read with the person."""
        caller = cls(user=user, auth=SESSION, scopes=ALL_SCOPES)
        if memberships is not None:
            vars(caller)["memberships"] = memberships
        return caller

    @property
    def is_token(self) -> bool:
        return self.auth != SESSION

    @cached_property
    def actor(self) -> Actor:
        return Actor(kind="person", id=str(self.user.pk), auth=self.auth)

    @cached_property
    def memberships(self) -> Memberships:
        """The review groups that the person counts as a member of, as of the first look."""
        return frozenset(
            (row["group_id"], row["on_behalf_of_id"]) for row in _memberships(self.user.pk)
        )

    @cached_property
    def group_ids(self) -> frozenset[int]:
        """Ids of those groups, standing in included."""
        return frozenset(group for group, _ in self.memberships)

    @cached_property
    def own_group_ids(self) -> frozenset[int]:
        """Ids of the groups that the person belongs to themselves."""
        return frozenset(group for group, absent in self.memberships if absent is None)

    def look_again(self) -> None:
        """Forget what was read of the person's account, rights and groups, which are read anew when they are asked
        for: one may have been taken away while the caller waited for somebody else."""
        self.user.refresh_from_db(fields=["is_active", "is_superuser"])
        for kept in _KEPT_WITH_USER:
            if hasattr(self.user, kept):
                delattr(self.user, kept)
        for kept in ("memberships", "group_ids", "own_group_ids"):
            vars(self).pop(kept, None)

    def holds(self, permission: Permission | None) -> bool:
        """The account has the permission. None stands for "any active person"."""
        if permission is None:
            return self.user.is_active
        if permission not in PERMISSION_SENTENCES:
            raise ValueError(f"{permission!r} is no permission of ours: use the bare codename")
        return self.user.has_perm(f"accounts.{permission}")

    def may(self, permission: Permission | None, scope: Scope) -> bool:
        """The account has the permission and the way in carries the scope: both are needed."""
        return scope in self.scopes and self.holds(permission)

    def require(self, permission: Permission | None, *, scope: Scope) -> None:
        """Raises PermissionMissing or ScopeMissing (both Forbidden) unless `may` holds."""
        if not self.holds(permission):
            raise PermissionMissing(permission)
        if scope not in self.scopes:
            raise ScopeMissing(scope)


def authorised(caller: Caller | Actor, permission: Permission | None, *, scope: Scope) -> Actor:
    """The actor to record for a change, or a Forbidden.

    A Caller must hold the permission. A system actor (a command, the demo's seed) acts with the
    authority of whoever runs the process; agents have none over people.
    """
    if isinstance(caller, Caller):
        caller.require(permission, scope=scope)
        return caller.actor
    if caller.kind != "system":
        raise PermissionMissing(permission)
    return caller
