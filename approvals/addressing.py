"""Which groups decide: requirements name them by slug, requests by row."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import ReviewGroup
from approvals.errors import Unsatisfiable
from approvals.schemas import GroupNeed, Requirements
from audit.prepared import Prepared

OWNER = "@owner"

_named = Prepared(
    lambda slug: ReviewGroup.objects.filter(slug=slug).order_by(),
    "a-slug",
    rewrite=lambda sql: sql.replace("= %s", "= ANY(%s)"),
)


def named(requirements: Requirements, owner_group: str | None) -> Requirements:
    """The requirements with `@owner` replaced by the agent's owner group.

    Where the owner group is also named by itself, the larger number counts. Raises
    `Unsatisfiable` when there is no owner group.
    """
    counts: dict[str, int] = {}
    for need in requirements.groups:
        slug = owner_group if need.group == OWNER else need.group
        if slug is None:
            raise Unsatisfiable([OWNER])
        counts[slug] = max(need.count, counts.get(slug, 0))
    return requirements.model_copy(
        update={"groups": tuple(GroupNeed(group=g, count=n) for g, n in counts.items())}
    )


def groups_by_slug(slugs: Iterable[str]) -> dict[str, ReviewGroup]:
    """The groups of these slugs; raises `Unsatisfiable` naming those that do not exist."""
    wanted = set(slugs)
    found = {group.slug: group for group in _named(sorted(wanted))}
    absent = sorted(wanted - set(found))
    if absent:
        raise Unsatisfiable(absent)
    return found
