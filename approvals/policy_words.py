"""A policy in plain words: thresholds as lines of a table, rules as sentences, what changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qsl, urlencode

from django.utils.translation import gettext, ngettext

from approvals.errors import LineUnknown
from approvals.layouts import words_of
from approvals.policies import BaselineRow, Policy, Rule, TimeWindow, When
from approvals.schemas import Requirements
from approvals.thresholds import Thresholds
from approvals.vocabulary import Effect, Expiry, Friction, Risk
from audit import spellings
from audit.wordings import Words

OWNER = "@owner"
RISKS = frozenset(risk.value for risk in Risk)
NAMED_TOGETHER = frozenset(
    map(frozenset, (["risk"], ["agent"], ["tool"], ["agent", "tool"], ["rule"]))
)
"""What a line of the thresholds may name."""
DEFAULT_LINE = "default"
EVERY_DAY = 7
RISK_NAMES = Words({"low": "low", "medium": "medium", "high": "high", "critical": "critical"})
EFFECTS = Words(
    {
        Effect.MONEY: "moves money",
        Effect.PRODUCTION: "changes production",
        Effect.DESTRUCTIVE: "destroys data",
        Effect.EXTERNAL_COMMUNICATION: "writes to people outside",
        Effect.PERSONAL_DATA: "touches personal data",
        Effect.CREDENTIALS: "touches credentials",
    }
)
FRICTIONS = Words(
    {
        Friction.READING: "a minimum reading time",
        Friction.TYPED: "typing what matters",
        Friction.SECOND_FACTOR: "a second factor",
    }
)


@dataclass(frozen=True)
class Names:
    """What people call the things that a policy names by slug; without a title the slug stands as it is."""

    agents: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    calendars: Mapping[str, str] = field(default_factory=dict)

    def agent(self, slug: str) -> str:
        """`Refund desk` for `refund-desk`."""
        return self.agents.get(slug) or slug

    def group(self, slug: str) -> str:
        """A review group by its title."""
        return gettext("the agent's owner group") if slug == OWNER else self.groups.get(slug, slug)

    def calendar(self, slug: str) -> str:
        """A working calendar by its title."""
        return self.calendars.get(slug) or slug


UNNAMED: Final = Names()


@dataclass(frozen=True)
class ThresholdLine:
    """One line of the table, with the names that say which line it is."""

    level: str
    about: str
    share: Decimal
    risk: str = ""
    agent: str = ""
    tool: str = ""
    rule: str = ""

    @property
    def text(self) -> str:
        """The threshold as people write it: `0.80`, `0.8125`."""
        return share_text(self.share)

    @property
    def key(self) -> str:
        """Which line it is: `agent=refund-desk&tool=issue_refund`, `risk=high`, `default`."""
        return line_key(self.names)

    @property
    def names(self) -> dict[str, str]:
        """The names that it counts for, without those that it leaves open."""
        named = {"risk": self.risk, "agent": self.agent, "tool": self.tool, "rule": self.rule}
        return {key: value for key, value in named.items() if value}


def line_key(names: Mapping[str, str]) -> str:
    """The key of the line that counts for these names; `names_of` reads it back."""
    return urlencode(names) or DEFAULT_LINE


def names_of(key: str) -> dict[str, str]:
    """What a line's key names: some of `risk`, `agent`, `tool` and `rule`. Raises `LineUnknown`."""
    if key == DEFAULT_LINE:
        return {}
    names = dict(parse_qsl(key))
    if frozenset(names) not in NAMED_TOGETHER or names.get("risk", Risk.LOW) not in RISKS:
        raise LineUnknown(key)
    return names


def line_title(names: Mapping[str, str], called: Names = UNNAMED) -> str:
    """What a line counts for, in words."""
    match names:
        case {"agent": agent, "tool": tool}:
            return gettext("{tool} by {agent}").format(
                tool=words_of(tool), agent=called.agent(agent)
            )
        case {"tool": tool}:
            return gettext("{tool}, whichever agent").format(tool=words_of(tool))
        case {"agent": agent}:
            return gettext("All tools of {agent}").format(agent=called.agent(agent))
        case {"risk": risk}:
            return gettext("{words} risk").format(words=_begun(RISK_NAMES.get(risk) or risk))
        case {"rule": rule}:
            return gettext("What the rule {rule} allows").format(rule=rule)
    return gettext("Everything else")


def share_text(share: Decimal) -> str:
    """At least two decimal places, and no more than it takes: `0.80`; in German `0,80`."""
    text = f"{share:.4f}"
    text = text[:-2] if text.endswith("00") else text.rstrip("0")
    return spellings.decimals(share, len(text.partition(".")[2]))


def _begun(words: str) -> str:
    """Words as they begin a line."""
    return words[:1].upper() + words[1:]


def threshold_lines(thresholds: Thresholds, called: Names = UNNAMED) -> list[ThresholdLine]:
    """Every line, the most specific first: the first that fits an action is the one that counts."""
    return list(_threshold_lines(thresholds, called))


def rule_lines(policy: Policy) -> list[ThresholdLine]:
    """The allow rules with a threshold of their own, which counts instead of the table's."""
    return [
        ThresholdLine("rule", rule.title or rule.name, rule.threshold, rule=rule.name)
        for rule in policy.rules
        if rule.threshold is not None
    ]


def _threshold_lines(thresholds: Thresholds, called: Names) -> Iterator[ThresholdLine]:
    for agent, tools in sorted(thresholds.agent_tools.items()):
        for tool, share in sorted(tools.items()):
            names = {"agent": agent, "tool": tool}
            about = line_title(names, called)
            yield ThresholdLine("agent_tool", about, share, agent=agent, tool=tool)
    for tool, share in sorted(thresholds.tools.items()):
        yield ThresholdLine("tool", line_title({"tool": tool}), share, tool=tool)
    for agent, share in sorted(thresholds.agents.items()):
        about = line_title({"agent": agent}, called)
        yield ThresholdLine("agent", about, share, agent=agent)
    for risk in sorted(thresholds.risks, key=lambda each: each.rank, reverse=True):
        about = line_title({"risk": risk.value})
        yield ThresholdLine("risk", about, thresholds.risks[risk], risk=risk.value)
    yield ThresholdLine("default", line_title({}), thresholds.default)


def _effects(effects: Sequence[Effect]) -> str:
    return spellings.either([EFFECTS[effect] for effect in effects])


def when_sentence(when: When, called: Names = UNNAMED) -> str:
    """What a rule is about but for its condition, which is code: `Refund desk calls Issue refund`."""
    who = spellings.either([called.agent(slug) for slug in when.agents]) or gettext("any agent")
    what = (
        gettext("calls {tools}").format(tools=spellings.either([*map(words_of, when.tools)]))
        if when.tools
        else gettext("calls any tool")
    )
    conditions = [
        gettext("that {effects}").format(effects=_effects(when.effects)) if when.effects else "",
        {True: gettext("that can be undone"), False: gettext("that cannot be undone"), None: ""}[
            when.reversible
        ],
        gettext("of {value} risk or above").format(value=RISK_NAMES[when.risk_at_least.value])
        if when.risk_at_least
        else "",
        {
            True: gettext("after it read text from outside"),
            False: gettext("without having read text from outside"),
            None: "",
        }[when.tainted],
        {
            True: gettext("for the first time with this version"),
            False: gettext("not for the first time"),
            None: "",
        }[when.first_use],
        gettext("more than {rate_above} times an hour").format(rate_above=when.rate_above)
        if when.rate_above is not None
        else "",
        window_text(when.time_window) if when.time_window else "",
    ]
    return " ".join([who, what, *filter(None, conditions)])


def window_text(window: TimeWindow) -> str:
    """`on Saturday between 08:00 and 12:00 (UTC)`."""
    days = (
        ""
        if len(window.days) == EVERY_DAY
        else gettext("on {days} ").format(
            days=spellings.either([spellings.weekday(d) for d in window.days])
        )
    )
    return gettext("{days}between {start} and {until} ({timezone})").format(
        days=days,
        start=f"{window.start:%H:%M}",
        until=f"{window.until:%H:%M}",
        timezone=window.timezone,
    )


def requirements_sentence(needs: Requirements, called: Names = UNNAMED) -> str:
    """Who decides: `one of Finance and two of the owner group`."""
    parts = [
        gettext("{count} of the agent's owner group").format(count=_number(need.count))
        if need.group == OWNER
        else gettext("{count} of {titles}").format(
            count=_number(need.count), titles=called.group(need.group)
        )
        for need in needs.groups
    ]
    time = time_to_decide(needs.review_hours, needs.calendar, called)
    extras = [
        gettext("never the owner group") if needs.exclude_owner else "",
        gettext("asks for {friction}").format(friction=FRICTIONS[needs.friction])
        if needs.friction in FRICTIONS
        else "",
        gettext("is shown to {groups} too when nobody decides in time").format(
            groups=gettext(" and then to ").join(map(called.group, needs.escalation))
        )
        if needs.on_expiry == Expiry.ESCALATE
        else "",
        gettext("within {time}").format(time=time) if time else "",
    ]
    return ", ".join([spellings.both(parts), *filter(None, extras)])


def time_to_decide(hours: float | None, calendar: str | None, called: Names = UNNAMED) -> str:
    """`24 hours of the calendar “Office hours”`; empty where nothing is said, None: not said."""
    if hours is None and calendar is None:
        return ""
    length = (
        ngettext("{hours} hour", "{hours} hours", 1 if hours == 1 else 2).format(hours=f"{hours:g}")
        if hours is not None
        else gettext("the usual hours")
    )
    if calendar is None:
        return length
    return (
        gettext("{length} of the calendar “{calendar}”").format(
            length=length, calendar=called.calendar(calendar)
        )
        if calendar
        else gettext("{length} around the clock").format(length=length)
    )


def _number(count: int) -> str:
    words = (
        gettext("no one"),
        gettext("one"),
        gettext("two"),
        gettext("three"),
        gettext("four"),
        gettext("five"),
    )
    return words[count] if count < len(words) else str(count)


def rule_outcome(rule: Rule, called: Names) -> str:
    """What the rule does: `runs by itself at a confidence of 0.80 or more`."""
    if rule.effect == "deny":
        return gettext("never runs")
    if rule.effect == "review":
        needs = rule.requirements or Requirements()
        return gettext("waits for {titles}").format(titles=requirements_sentence(needs, called))
    sure = (
        gettext("at a confidence of {threshold} or more").format(
            threshold=share_text(rule.threshold)
        )
        if rule.threshold is not None
        else gettext("at the confidence that the thresholds ask for")
    )
    taint = gettext(", also after reading text from outside") if rule.accepts_taint else ""
    return gettext("runs by itself {sure}{taint}").format(sure=sure, taint=taint)


_MISSES: Final = Words(
    {
        "scope": "It belongs to another group's agents.",
        "delegation": "Its group may not allow: the policy does not delegate to it.",
        "agents": "It is about other agents.",
        "tools": "It is about other tools.",
        "effects": "It is about other effects.",
        "reversible": "It asks whether the action can be undone, and this one differs.",
        "risk_at_least": "The risk is lower than it asks.",
        "tainted": "It asks whether the run has read text from outside, and this one differs.",
        "first_use": "It asks whether this is the first use, and this one differs.",
        "rate_above": "The tool is not called that often.",
        "time_window": "It holds at other times.",
        "condition": "Its condition does not hold for these arguments.",
    }
)


def miss_sentence(miss: str) -> str:
    """Why a rule does not speak of an action."""
    return _MISSES[miss]


def baseline_about(row: BaselineRow) -> str:
    """Which actions a line of the baseline is about."""
    risks = [risk.value for risk in sorted(row.risks, key=lambda each: Risk(each).rank)]
    about = (
        gettext("{words} risk").format(
            words=_begun(spellings.either([RISK_NAMES[risk] for risk in risks]))
        )
        if risks
        else gettext("Any action")
    )
    if row.effects:
        about += gettext(" that {effects}").format(effects=_effects(row.effects))
    endings = {
        True: gettext(" and can be undone"),
        False: gettext(" and cannot be undone"),
        None: "",
    }
    return about + endings[row.reversible]


def baseline_outcome(row: BaselineRow, called: Names) -> str:
    """What happens to them where no rule speaks."""
    if row.outcome == "allow":
        return gettext("Runs by itself above the threshold")
    return gettext("Waits for {titles}").format(
        titles=requirements_sentence(row.requirements, called)
    )
