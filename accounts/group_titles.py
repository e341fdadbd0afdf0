"""Review groups by name, for pages of other apps."""

from __future__ import annotations

from collections.abc import Collection

from accounts.models import ReviewGroup


def titles_of(slugs: Collection[str]) -> dict[str, str]:
    """What the groups are called, by name; those that are not there any more are left out."""
    return dict(ReviewGroup.objects.filter(slug__in=slugs).values_list("slug", "title"))
