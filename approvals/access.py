"""Who could approve what at a moment: people, policy and owner groups as the audit log tells them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.standing_at import Standing, StandingAt, standing_at
from approvals.errors import PolicyUnknown, PolicyUnreadable
from approvals.naming import names
from approvals.policies import Policy, PublishedPolicy
from approvals.policy_words import (
    OWNER,
    Names,
    baseline_about,
    requirements_sentence,
    when_sentence,
)
from approvals.schemas import Requirements
from approvals.services import policies
from approvals.vocabulary import Effect
from audit.history import Recorded, kept_since, recorded_before


@dataclass(frozen=True)
class Approver:
    """Somebody who could approve: their id, the group that lets them, and ids of those they stood in for,
    where they were no member themselves."""

    person: str
    group: str
    on_behalf_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One line of the policy that puts calls before people: what it is about, what it asks for, who could."""

    rule: str
    about: str
    needs: str
    approvers: tuple[Approver, ...]
    owners: bool


@dataclass(frozen=True)
class AccessAt:
    """Who could approve at a moment, and what that rests on.

    `policy` is None where none was published before, or its document is not there any more (`problem`).
    `kept_since`: bodies of events from before that moment are no longer kept.
    """

    at: datetime
    lines: tuple[Line, ...]
    policy: PublishedPolicy | None
    published: Recorded | None
    problem: str
    events: int
    owners: dict[str, str]
    kept_since: datetime | None


def access_at(moment: datetime, effect: Effect | None = None) -> AccessAt:
    """Who could approve at the moment; of calls with the effect alone, where one is given."""
    people = standing_at(moment)
    owners = _owners(moment)
    published = _published(moment)
    policy, problem = _document(published)
    return AccessAt(
        moment,
        tuple(_lines(policy.policy, effect, people, owners)) if policy else (),
        policy,
        published,
        problem,
        people.events,
        owners,
        kept_since(),
    )


def _published(moment: datetime) -> Recorded | None:
    last = deque(recorded_before(moment, "policy.published", "policy.rolled_back"), maxlen=1)
    return last[0] if last else None


def _document(published: Recorded | None) -> tuple[PublishedPolicy | None, str]:
    if published is None:
        return None, "No policy was published before that moment."
    named = published.body["policy"]
    try:
        policy = policies.version(named["version"])
    except (PolicyUnknown, PolicyUnreadable) as refusal:
        return None, refusal.detail
    if policy.sha256 != named.get("sha256"):
        return None, f"The document of policy {policy.version} is not the one that was published."
    return policy, ""


def _owners(moment: datetime) -> dict[str, str]:
    """The owner group of each agent, by what was said when a version of it was first seen."""
    return {
        event.body["agent"]["slug"]: event.facts["owner"]
        for event in recorded_before(moment, "agent.first_seen")
        if "owner" in event.facts
    }


def _lines(
    policy: Policy, effect: Effect | None, people: StandingAt, owners: dict[str, str]
) -> Iterator[Line]:
    called = names()
    for rule in policy.rules:
        if rule.effect == "review" and _about(rule.when.effects, effect):
            agents = (
                [rule.group] if rule.group else [owners[a] for a in rule.when.agents if a in owners]
            )
            about = rule.title or when_sentence(rule.when, called)
            yield _line(
                rule.name,
                about,
                rule.requirements or Requirements(),
                called,
                people,
                agents or owners.values(),
            )
    for row in policy.baseline:
        if row.outcome == "review" and _about(row.effects, effect):
            yield _line("", baseline_about(row), row.requirements, called, people, owners.values())


def _about(effects: Sequence[Effect], wanted: Effect | None) -> bool:
    """A line without effects is about calls with any."""
    return wanted is None or not effects or wanted in effects


def _line(
    rule: str,
    about: str,
    needs: Requirements,
    called: Names,
    people: StandingAt,
    owners: Iterable[str],
) -> Line:
    asked = {need.group for need in needs.groups}
    by_owner = OWNER in asked
    slugs = (asked - {OWNER}) | (set(owners) if by_owner else set())
    approvers = tuple(_approvers(people.people, sorted(slugs)))
    return Line(rule, about, requirements_sentence(needs, called), approvers, by_owner)


def _approvers(people: dict[str, Standing], groups: Sequence[str]) -> Iterator[Approver]:
    for group in groups:
        for person, standing in sorted(people.items(), key=lambda each: int(each[0])):
            if not standing.holds("decide_requests"):
                continue
            if group in standing.groups:
                yield Approver(person, group)
                continue
            absent = sorted(
                other for other in standing.stands_in_for if group in people[other].groups
            )
            if absent:
                yield Approver(person, group, tuple(absent))
