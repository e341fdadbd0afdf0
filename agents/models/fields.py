"""What the tables share: choices and values of states, ids, and the groups of a person."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

from django.db import models

from accounts.models import EffectiveMembership, User


def groups_of(user: User) -> models.QuerySet[Any, Any]:
    """Ids of the review groups that the person counts as a member of."""
    return EffectiveMembership.objects.filter(user=user).values("group_id")


def values_of(members: Iterable[str]) -> list[str]:
    """Plain values in a fixed order: a set of enum members would write a new migration each time."""
    return sorted(str(member.value if isinstance(member, Enum) else member) for member in members)


def choices_of(members: Any) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ")) for member in members]
