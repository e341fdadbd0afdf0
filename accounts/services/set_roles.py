"""Give a person exactly these roles."""

from typing import TYPE_CHECKING

from django.contrib.auth.models import Group
from django.db import transaction

from accounts.callers import Caller, authorised
from accounts.errors import LastAdmin, UnknownRole
from accounts.models import User
from accounts.roles import roles_of, unknown_roles
from audit.recorder import record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audit.actors import Actor


def set_roles(*, person: User, roles: "Iterable[str]", caller: "Caller | Actor") -> bool:
    """Replace the person's roles; False when they already were these.

    Raises Forbidden, UnknownRole, and LastAdmin when nobody active would be left as admin.
    """
    actor = authorised(caller, "manage_people", scope="admin")
    wanted = set(roles)
    if unknown := unknown_roles(wanted):
        raise UnknownRole(unknown)
    with transaction.atomic():
        # One lock for all changes of roles: two admins who demote each other would both find one.
        Group.objects.select_for_update().get(name="admin")
        held = set(roles_of(person))
        if held == wanted:
            return False
        if "admin" in held - wanted and not _another_admin(person):
            raise LastAdmin
        person.groups.remove(*Group.objects.filter(name__in=held - wanted))
        person.groups.add(*Group.objects.filter(name__in=wanted - held))
        record(
            type="role.changed",
            actor=actor,
            stream=f"person:{person.pk}",
            facts={
                "person": str(person.pk),
                "added": sorted(wanted - held),
                "removed": sorted(held - wanted),
            },
        )
    return True


def _another_admin(person: User) -> bool:
    others = User.objects.active().with_role("admin").exclude(pk=person.pk)
    return bool(others.exists())
