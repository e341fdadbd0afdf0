"""Roles live as Django groups; each migration brings the groups back to what the code says."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.management import create_permissions
from django.db import router
from django.utils.translation import gettext

from accounts.vocabulary import ROLES, RoleName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.apps.registry import Apps

    from accounts.models import User


def sync_roles(*, app_config: Any, using: str, apps: "Apps", **_signal: Any) -> None:
    """Receiver of post_migrate: one group per role with exactly the role's permissions.

    Works on the alias that is being migrated, so the login that owns the tables writes them.
    """
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
        apps.get_model("accounts", "User")
    except LookupError:
        return  # migrated to before these tables, nothing to keep in step
    if not router.allow_migrate_model(using, group_model):
        return
    create_permissions(app_config, verbosity=0, using=using, apps=apps)
    known = {
        permission.codename: permission
        for permission in permission_model.objects.using(using).filter(
            content_type__app_label="accounts", content_type__model="user"
        )
    }
    for role in ROLES.values():
        group, _ = group_model.objects.using(using).get_or_create(name=role.name)
        group.permissions.set([known[codename] for codename in sorted(role.permissions)])


def roles_of(user: "User") -> list[RoleName]:
    """The user's roles in the order of the vocabulary; other Django groups are not roles."""
    held = {group.name for group in user.groups.all()}
    return [name for name in ROLES if name in held]


def titles_of_roles(names: "Iterable[str]") -> dict[str, str]:
    """What the roles are called in the reader's language, by name; what is none any more is left out."""
    wanted = set(names)
    return {name: gettext(role.title) for name, role in ROLES.items() if name in wanted}


def unknown_roles(names: "Iterable[str]") -> list[str]:
    return sorted(set(names) - set(ROLES))
