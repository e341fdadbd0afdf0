"""Whether a policy can be lived by: the groups that it names exist, and somebody could decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.utils.translation import gettext

from accounts.models import Membership, ReviewGroup, User
from approvals import quorum
from approvals.addressing import OWNER
from approvals.errors import BadPolicy
from approvals.policies import Policy, Rule, When
from approvals.schemas import Requirements
from approvals.tightening import ToolFacts

#: The groups that each person who may decide belongs to, by slug.
Deciders = Mapping[int, frozenset[str]]


def deciders() -> Deciders:
    """Everybody who may decide now, with their own groups: a policy outlives who stands in for whom today."""
    able = User.objects.holding("decide_requests").values("pk")
    rows = Membership.objects.filter(user__in=able).values_list("user_id", "group__slug")
    groups: dict[int, set[str]] = {}
    for person, slug in rows:
        groups.setdefault(person, set()).add(slug)
    return {person: frozenset(slugs) for person, slugs in groups.items()}


def require_sound(policy: Policy, catalogue: Sequence[ToolFacts], since: Policy | None) -> None:
    """Raise `BadPolicy` naming each field that could not be lived by.

    Every group that is named must exist. What differs from `since` must also be possible: enough
    different people who may decide. What did not change is not held against a change elsewhere;
    `unmet` finds it.
    """
    errors = [*_absent(policy), *_unmet(policy, catalogue, since)]
    if errors:
        raise BadPolicy(errors)


def unmet(policy: Policy, catalogue: Sequence[ToolFacts]) -> list[dict[str, str]]:
    """Every requirement that nobody could meet now, as {field, message}."""
    return list(_unmet(policy, catalogue, None))


def _asked(policy: Policy) -> Iterator[tuple[str, Requirements, When]]:
    for index, row in enumerate(policy.baseline):
        yield f"baseline.{index}.requirements", row.requirements, When()
    for index, rule in enumerate(policy.rules):
        if rule.effect == "review":
            yield f"rules.{index}.requirements", rule.requirements or Requirements(), rule.when


def _absent(policy: Policy) -> Iterator[dict[str, str]]:
    existing = set(ReviewGroup.objects.values_list("slug", flat=True))
    for field, needs, _ in _asked(policy):
        named = {need.group for need in needs.groups} | set(needs.escalation)
        absent = sorted(named - existing - {OWNER})
        if absent:
            message = gettext(
                "there is no review group {absent}; create it first, or name another"
            ).format(absent=", ".join(absent))
            yield {"field": field, "message": message}
    for slug in sorted({_group(rule) for rule in policy.rules} - existing - {""}):
        yield {
            "field": "rules",
            "message": gettext("there is no review group {slug} to own a rule").format(slug=slug),
        }
    for slug in sorted(set(policy.delegates) - existing):
        yield {
            "field": "delegates",
            "message": gettext("there is no review group {slug}").format(slug=slug),
        }


def _group(rule: Rule) -> str:
    return rule.group or ""


def _unmet(
    policy: Policy, catalogue: Sequence[ToolFacts], since: Policy | None
) -> Iterator[dict[str, str]]:
    settled = {(needs, when) for _, needs, when in _asked(since)} if since else set()
    people: Deciders | None = None
    for field, needs, when in _asked(policy):
        if (needs, when) in settled:
            continue
        people = deciders() if people is None else people
        for owner in _owners(when, catalogue):
            lacking = missing(needs, owner, people)
            if lacking:
                yield {"field": field, "message": _sentence(lacking, needs, owner)}
                break


def _owners(when: When, catalogue: Sequence[ToolFacts]) -> list[str | None]:
    """The owner groups of the agents and tools that it speaks of; None where none is installed."""
    spoken_of = [
        each
        for each in catalogue
        if (not when.agents or each.agent in when.agents)
        and (not when.tools or each.tool in when.tools)
    ]
    return sorted({each.owner_group for each in spoken_of}, key=str) or [None]


def missing(needs: Requirements, owner: str | None, people: Deciders) -> dict[str, int]:
    """How many people of which group are lacking, were everybody to approve. Owner groups count by
    name; where there is none, `@owner` is left aside."""
    wanted = [
        (owner if need.group == OWNER else need.group, need.count)
        for need in needs.groups
        if need.group != OWNER or owner is not None
    ]
    names = sorted({group for group, _ in wanted if group is not None})
    number = {name: index for index, name in enumerate(names)}
    voters = {
        person: [number[slug] for slug in slugs if slug in number]
        for person, slugs in people.items()
        if not (needs.exclude_owner and owner in slugs)
    }
    left = quorum.missing([(number[g], n) for g, n in wanted if g is not None], voters)
    return {names[index]: count for index, count in left.items()}


def _sentence(lacking: Mapping[str, int], needs: Requirements, owner: str | None) -> str:
    people = " and ".join(
        gettext("{count} more of {group}").format(count=count, group=group)
        for group, count in sorted(lacking.items())
    )
    why = (
        gettext(" (people of {owner} are left out)").format(owner=owner)
        if needs.exclude_owner and owner
        else ""
    )
    return gettext("nobody could meet this: it lacks {people} who may decide{why}").format(
        people=people, why=why
    )
