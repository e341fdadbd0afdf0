"""Who held which role and belonged to which group at a moment, rebuilt from the audit log alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from accounts.vocabulary import ROLES, Permission
from audit.history import Recorded, recorded_before

TYPES: Final = (
    "person.created",
    "role.changed",
    "group.joined",
    "group.left",
    "stand_in.named",
    "absence.ended",
)


@dataclass
class Standing:
    """One person at a moment: roles, review groups by slug, and ids of those they stood in for."""

    roles: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    stands_in_for: set[str] = field(default_factory=set)

    def holds(self, permission: Permission) -> bool:
        """Whether a role of theirs has the permission, by what roles are today."""
        return any(
            role.permissions & {permission} for role in ROLES.values() if role.name in self.roles
        )


@dataclass(frozen=True)
class StandingAt:
    """Everybody at a moment, by id, and how many events say so."""

    people: dict[str, Standing]
    events: int


def standing_at(moment: datetime) -> StandingAt:
    """Everybody as the events before the moment left them."""
    return rebuilt(recorded_before(moment, *TYPES), moment)


def rebuilt(events: Iterable[Recorded], moment: datetime) -> StandingAt:
    """The same from given events, the oldest first."""
    people: dict[str, Standing] = defaultdict(Standing)
    absences: dict[str, Recorded] = {}
    number = 0
    for event in events:
        number += 1
        facts = event.facts
        person = people[str(facts["person"])]
        match event.body["type"]:
            case "role.changed":
                person.roles -= set(facts.get("removed", ()))
                person.roles |= set(facts.get("added", ()))
            case "group.joined":
                person.groups.add(facts["group"])
            case "group.left":
                person.groups.discard(facts["group"])
            case "stand_in.named":
                absences[str(facts["absence"])] = event
            case "absence.ended":
                absences.pop(str(facts["absence"]), None)
    for absence in absences.values():
        starts, ends = (
            datetime.fromisoformat(absence.facts[key]) for key in ("starts_at", "ends_at")
        )
        if starts <= moment < ends:
            people[str(absence.facts["stand_in"])].stands_in_for.add(str(absence.facts["person"]))
    return StandingAt(dict(people), number)
