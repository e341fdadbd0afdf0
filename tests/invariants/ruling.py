"""Policies for a test: each published by the system, on top of what is in force."""

from __future__ import annotations

from typing import Any

from accounts.models import ReviewGroup
from approvals.addressing import OWNER
from approvals.policies import PublishedPolicy
from approvals.services.policies import current
from approvals.services.publish import publish
from audit.actors import Actor
from tests.harness.people import person

NOBODY_NEEDED: dict[str, Any] = {
    "name": "anything-goes",
    "when": {},
    "effect": "allow",
    "threshold": 0,
    "accepts_taint": True,
}
DENIED: dict[str, Any] = {"name": "never", "when": {}, "effect": "deny"}


def asking(*groups: str, name: str = "asking", **requirements: Any) -> dict[str, Any]:
    """A rule that has one of each of these groups decide everything."""
    needs = [{"group": slug} for slug in groups]
    return {
        "name": name,
        "when": {},
        "effect": "review",
        "requirements": {"groups": needs, **requirements},
    }


def in_force(*rules: dict[str, Any]) -> PublishedPolicy:
    """Publish a policy with exactly these rules, which two people could always meet."""
    slugs = {need["group"] for rule in rules for need in _needs(rule)} - {OWNER}
    groups = tuple(
        ReviewGroup.objects.get_or_create(slug=slug, defaults={"title": slug.title()})[0]
        for slug in sorted(slugs)
    )
    # As many people as each may ask of each group.
    for name in ("bystander", "second-bystander", "third-bystander"):
        person(name, "reviewer", groups=groups)
    base = current()
    return publish(
        document=base.policy.document() | {"rules": list(rules)},
        base_version=base.version,
        caller=Actor.system("test"),
        why="For a test.",
    )


def _needs(rule: dict[str, Any]) -> list[dict[str, Any]]:
    needs: list[dict[str, Any]] = rule.get("requirements", {}).get("groups", [])
    return needs
