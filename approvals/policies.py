"""The policy document: thresholds, a baseline table, rules. Immutable, with a digest. Pure.

`load` turns JSON into a `Policy` or says in sentences what to change.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext
from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from approvals import conditions
from approvals.digests import document_digest
from approvals.errors import BadPolicy
from approvals.schemas import CalendarName, GroupNeed, Requirements, Shape
from approvals.scores import Scores
from approvals.thresholds import Share, Thresholds, share_text, shipped_thresholds
from approvals.vocabulary import Effect, Risk
from approvals.zones import ZoneName

if TYPE_CHECKING:
    from approvals.sticky import Sticky

#: What the names of sticky approvals begin with, where verdicts name what decided.
STICKY_PREFIX = "sticky-"
MOST_RULES = 500
LAST_MINUTE = time(23, 59)


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class TimeWindow(Shape):
    """Days (0 is Monday) and hours in a time zone. `until` before `start` runs over midnight; one in the
    day's last minute is the end of the day."""

    days: tuple[Annotated[int, Field(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)
    start: time = time(0, 0)
    until: time = time(23, 59, 59)
    timezone: ZoneName = "UTC"

    def contains(self, moment: datetime) -> bool:
        """Whether the moment (aware) falls into the window."""
        local = moment.astimezone(ZoneInfo(self.timezone))
        now = local.time().replace(tzinfo=None)
        # Pages take minutes, so that nobody can say the day's last second: no gap before midnight.
        until = time.max if self.until >= LAST_MINUTE else self.until
        if self.start <= until:
            return local.weekday() in self.days and self.start <= now <= until
        if now >= self.start:
            return local.weekday() in self.days
        return now <= until and (local.weekday() - 1) % 7 in self.days


class When(Shape):
    """When a rule speaks: all that is given must hold; what is left out holds always.

    `effects` asks for at least one of them; `rate_above` counts calls of the tool by the agent in
    the last hour; `condition` is CEL over `args`, such as `args.amount <= 50`.
    """

    agents: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    reversible: bool | None = None
    risk_at_least: Risk | None = None
    tainted: bool | None = None
    first_use: bool | None = None
    rate_above: Annotated[int, Field(ge=0)] | None = None
    time_window: TimeWindow | None = None
    condition: str | None = None

    @field_validator("condition")
    @classmethod
    def _compiles(cls, source: str | None) -> str | None:
        if source is None or not source.strip():
            return None
        conditions.check(source)
        return source.strip()


class Rule(Shape):
    """A named line of the policy.

    `scope` is `global` or `group:<slug>`: then it speaks of that group's own agents only, and
    tightens only, unless the policy delegates to the group. `threshold` and `accepts_taint` belong
    to allow rules, `requirements` to review rules.
    """

    name: Name
    title: str = ""
    scope: Annotated[str, StringConstraints(pattern=r"^(global|group:[-a-zA-Z0-9_]+)$")] = "global"
    when: When = When()
    effect: Literal["allow", "review", "deny"]
    threshold: Share | None = None
    accepts_taint: bool = False
    requirements: Requirements | None = None

    @field_validator("requirements")
    @classmethod
    def _can_be_met(cls, needs: Requirements | None) -> Requirements | None:
        return _checked(needs) if needs is not None else None

    @property
    def group(self) -> str | None:
        """Slug of the group that owns the rule; None for a global one."""
        return self.scope.removeprefix("group:") if self.scope != "global" else None

    @property
    def document_threshold(self) -> str:
        """Its own threshold as the document writes it; empty where it has none."""
        return share_text(self.threshold) if self.threshold is not None else ""

    @model_validator(mode="after")
    def _fits(self) -> Rule:
        if self.effect != "allow" and (self.threshold is not None or self.accepts_taint):
            raise ValueError(
                gettext("only an allow rule has a threshold or accepts taint; take them out")
            )
        if self.effect != "review" and self.requirements is not None:
            raise ValueError(gettext("only a review rule has requirements; take them out"))
        return self


class BaselineRow(Shape):
    """One line of what happens where no rule speaks. Every matching line counts: review is
    stronger than allow, and requirements add up.

    `effects` asks for at least one of them. `allow` means: above the threshold.
    """

    risks: tuple[Risk, ...] = ()
    effects: tuple[Effect, ...] = ()
    reversible: bool | None = None
    outcome: Literal["allow", "review"] = "review"
    requirements: Requirements = Requirements()

    @field_validator("requirements")
    @classmethod
    def _can_be_met(cls, needs: Requirements) -> Requirements:
        return _checked(needs)

    def speaks_of(self, *, risk: Risk, effects: frozenset[Effect], reversible: bool) -> bool:
        """Whether this line is about such an action."""
        return (
            (not self.risks or risk in self.risks)
            and (not self.effects or bool(effects & set(self.effects)))
            and (self.reversible is None or self.reversible == reversible)
        )


class Policy(Shape):
    """A whole policy. `undo_seconds` holds for consequential actions, `review_hours` for requests,
    wherever requirements do not say otherwise; they are hours of the working calendar `calendar`, or
    around the clock where none is named. `delegates` names the groups whose own rules may also allow.
    `sticky_hours` is how long a sticky approval may last at most; 0 lets nobody grant any."""

    schema_version: Literal[1] = 1
    thresholds: Thresholds = Thresholds()
    scores: Scores = Scores()
    baseline: tuple[BaselineRow, ...] = ()
    rules: tuple[Rule, ...] = ()
    delegates: tuple[str, ...] = ()
    sticky_hours: float = Field(default=168, ge=0, le=24 * 90)
    undo_seconds: float = Field(default=10, ge=0, le=60)
    review_hours: float = Field(default=24, gt=0, le=24 * 90)
    calendar: CalendarName = ""

    @model_validator(mode="after")
    def _whole(self) -> Policy:
        if len(self.rules) > MOST_RULES:
            raise ValueError(
                gettext("a policy has at most {most_rules} rules").format(most_rules=MOST_RULES)
            )
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                gettext("two rules are called {twice}; give each its own name").format(
                    twice=", ".join(twice)
                )
            )
        return self

    def document(self) -> dict[str, Any]:
        """The policy as JSON types; `load` reads it back."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """`sha256:` + hex over the canonical document."""
        return document_digest(self.document())

    def with_threshold(
        self,
        share: Decimal | float | str | None,
        *,
        risk: Risk | str | None = None,
        agent: str | None = None,
        tool: str | None = None,
        rule: str | None = None,
    ) -> Policy:
        """This policy with one threshold set, or taken out when `share` is None.

        `rule` names an allow rule, whose own threshold counts instead of the table's. Nothing named
        means the default, which cannot be taken out. Raises `BadPolicy`.
        """
        document = self.document()
        if rule:
            named = [each for each in document["rules"] if each["name"] == rule]
            if not named:
                raise BadPolicy(
                    [
                        {
                            "field": "rule",
                            "message": gettext("there is no rule {rule}").format(rule=rule),
                        }
                    ]
                )
            named[0]["threshold"] = str(share) if share is not None else None
            return load(document)
        table = document["thresholds"]
        value = str(share) if share is not None else None
        if agent and tool:
            _put(table["agent_tools"].setdefault(agent, {}), tool, value)
            if not table["agent_tools"][agent]:
                del table["agent_tools"][agent]
        elif tool:
            _put(table["tools"], tool, value)
        elif agent:
            _put(table["agents"], agent, value)
        elif risk:
            _put(table["risks"], Risk(risk).value, value)
        else:
            table["default"] = value
        return load(document)


def _put(table: dict[str, str], key: str, value: str | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _checked(requirements: Requirements) -> Requirements:
    if not requirements.groups:
        raise ValueError(gettext("name at least one group that decides, such as @owner"))
    names = [need.group for need in requirements.groups]
    if len(set(names)) < len(names):
        raise ValueError(gettext("a group stands twice; name it once with the number of people"))
    if requirements.exclude_owner and "@owner" in names:
        raise ValueError(
            gettext("the owner group is both asked for and left out; nobody could decide")
        )
    return requirements


#: Rules that deny, and all others, each by name.
RulesByEffect = tuple[tuple[Rule, ...], tuple[Rule, ...]]


@dataclass(frozen=True)
class PublishedPolicy:
    """A policy as it is in force, with the sticky approvals that are."""

    version: int
    sha256: str
    policy: Policy
    stickies: tuple[Sticky, ...] = ()

    def still_has(self, rule: str) -> bool:
        """Whether a rule that a verdict names counts in this version, a sticky approval while it is in force."""
        return not rule.startswith(STICKY_PREFIX) or any(
            sticky.rule_name == rule for sticky in self.stickies
        )

    @cached_property
    def counts_calls(self) -> bool:
        """Whether a rule looks at how often a tool was called in the last hour."""
        return any(rule.when.rate_above is not None for rule in self.policy.rules)

    @cached_property
    def rules_by_name(self) -> tuple[Rule, ...]:
        """The rules in the order in which the gate looks at them."""
        return tuple(sorted(self.policy.rules, key=lambda rule: rule.name))

    @cached_property
    def rules_by_kind(self) -> dict[tuple[Hashable, ...], RulesByEffect]:
        """Which rules are about a kind of action, as far as `matching` has looked it up."""
        return {}


def load(document: Mapping[str, Any]) -> Policy:
    """The policy of a JSON document; `BadPolicy` names each field and what to change."""
    try:
        return Policy.model_validate(dict(document))
    except ValidationError as error:
        raise BadPolicy(
            [
                {
                    "field": ".".join(str(part) for part in item["loc"]),
                    "message": _plain(item["msg"]),
                }
                for item in error.errors(include_url=False)
            ]
        ) from error


def _plain(message: str) -> str:
    return re.sub(r"^Value error, ", "", message)


def default_policy(
    undo_seconds: float = 10,
    thresholds: Thresholds | None = None,
    review_hours: float = 24,
    calendar: str = "",
) -> Policy:
    """The policy as shipped: low risk runs above its threshold; everything else is reviewed by the
    owner group; critical, and irreversible money or destruction, by two of it."""
    two = Requirements(groups=(GroupNeed(group="@owner", count=2),))
    return Policy(
        thresholds=thresholds or shipped_thresholds(),
        baseline=(
            BaselineRow(risks=(Risk.LOW,), outcome="allow"),
            BaselineRow(risks=(Risk.MEDIUM, Risk.HIGH)),
            BaselineRow(risks=(Risk.CRITICAL,), requirements=two),
            BaselineRow(
                effects=(Effect.MONEY, Effect.DESTRUCTIVE), reversible=False, requirements=two
            ),
        ),
        undo_seconds=undo_seconds,
        review_hours=review_hours,
        calendar=calendar,
    )
