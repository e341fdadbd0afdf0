"""Policies: drafts, publishing, simulating."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils.translation import gettext

from audit.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


class BadPolicy(Invalid):
    """The policy document does not hold; `params["errors"]` lists {field, message}."""

    code = "bad_policy"

    def __init__(self, errors: Sequence[dict[str, str]]) -> None:
        text = "; ".join(
            f"{e['field']}: {e['message']}" if e["field"] else e["message"] for e in errors
        )
        super().__init__(
            gettext("This policy cannot be published. {text}.").format(text=text),
            params={"errors": list(errors)},
        )


class LineUnknown(Invalid):
    """No threshold has such a key."""

    code = "line_unknown"

    def __init__(self, key: str) -> None:
        super().__init__(
            gettext(
                "There is no threshold {key}. Name a risk, an agent, a tool, both of them, or a "
                "rule, such as tool=issue_refund; or say default."
            ).format(key=repr(key)),
            params={"line": key},
        )


class PublishedMeanwhile(Conflict):
    """Another version was published since the draft began."""

    code = "published_meanwhile"

    def __init__(self, *, base: int, current: int, who: str, why: str) -> None:
        super().__init__(
            gettext(
                "{who} published version {current} after you began from version {base}. Look at "
                "it and make your change again."
            ).format(who=who, current=current, base=base),
            params={"base": base, "current": current, "who": who, "why": why},
        )


class OutsideScope(Forbidden):
    """Somebody who keeps a group's own rules touched something else."""

    code = "outside_scope"

    def __init__(self, groups: Sequence[str]) -> None:
        super().__init__(
            gettext(
                "You may change the own rules of {groups} only; an admin changes the rest."
            ).format(groups=" and ".join(groups)),
            params={"groups": list(groups)},
        )


class SecondPersonNeeded(Forbidden):
    """What loosens a policy is published by somebody who did not write it."""

    code = "second_person_needed"

    def __init__(self, loosenings: Sequence[str]) -> None:
        super().__init__(
            gettext(
                "You wrote this, and it does not only tighten, so somebody else must publish it: "
                "{loosenings}"
            ).format(loosenings=" ".join(loosenings)),
            params={"loosenings": list(loosenings)},
        )


class NotSubmitted(Conflict):
    """Its author is still writing."""

    code = "not_submitted"

    def __init__(self, who: str) -> None:
        super().__init__(
            gettext("{who} has not submitted this draft yet.").format(who=who), params={"who": who}
        )


class DraftChanged(Conflict):
    """The draft is not what the caller looked at."""

    code = "draft_changed"

    def __init__(self, edition: int) -> None:
        super().__init__(
            gettext("This draft was changed since you opened it. Look at it again."),
            params={"edition": edition},
        )


class SimulationUnknown(NotFound):
    """No such simulation, or none that this caller may see."""

    code = "simulation_unknown"

    def __init__(self, simulation_id: UUID) -> None:
        super().__init__(
            gettext("There is no such simulation."), params={"simulation": str(simulation_id)}
        )


class BadRange(Invalid):
    """A range of time that ends before it begins, or is too long."""

    code = "bad_range"

    def __init__(self, days: int) -> None:
        super().__init__(
            gettext("Choose a beginning before the end, and at most {days} days.").format(
                days=days
            ),
            params={"days": days},
        )


class NothingChanged(Invalid):
    """The document equals the published one."""

    code = "nothing_changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            gettext("This is what version {version} says already.").format(version=version),
            params={"version": version},
        )


class WhyMissing(Invalid):
    """A published version says why."""

    code = "why_missing"

    def __init__(self) -> None:
        super().__init__(
            gettext("Say why you change the policy; it stands in the history and the log.")
        )


class PolicyUnknown(NotFound):
    """No such version or draft."""

    code = "policy_unknown"

    def __init__(self, version: int) -> None:
        super().__init__(
            gettext("There is no policy version {version}.").format(version=version),
            params={"version": version},
        )


class DraftUnknown(NotFound):
    """No such draft, or none that still is one."""

    code = "draft_unknown"

    def __init__(self, draft: int) -> None:
        super().__init__(
            gettext("There is no such draft, or it is no draft any more."), params={"draft": draft}
        )


class PolicyUnreadable(Unavailable):
    """The stored policy does not equal its digest or cannot be read: nothing is allowed by it."""

    code = "policy_unreadable"

    def __init__(self, version: int) -> None:
        super().__init__(
            gettext(
                "Policy version {version} cannot be read as it was published. Publish a sound version."
            ).format(version=version),
            params={"version": version},
        )
