"""What differs between two policies, a sentence each, down to the field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django.utils.translation import gettext
from pydantic import BaseModel

from approvals.layouts import words_of
from approvals.policies import BaselineRow, Policy, Rule, TimeWindow
from approvals.policy_words import (
    UNNAMED,
    Names,
    baseline_about,
    line_title,
    share_text,
    threshold_lines,
    window_text,
)
from approvals.schemas import Requirements
from approvals.scores import Scores, score_sentence
from approvals.thresholds import Thresholds
from audit import spellings
from audit.wordings import Words

_WORDS: Final = Words(
    {
        "accepts_taint": "also after reading text from outside",
        "agents": "agents",
        "calendar": "calendar of the hours",
        "condition": "condition",
        "editor_may_approve": "an editor may approve alone",
        "effect": "what it does",
        "effects": "effects",
        "escalation": "groups asked next",
        "exclude_owner": "the owner group is left out",
        "execute_by_minutes": "minutes to use the approval",
        "extend_limit_hours": "hours that it can be extended by",
        "first_use": "first use",
        "friction": "asked besides the verdict",
        "friction_seconds": "seconds of that",
        "groups": "who decides",
        "on_expiry": "when nobody decides in time",
        "outcome": "what happens",
        "rate_above": "calls an hour above",
        "reminder": "reminder",
        "requirements": "requirements",
        "reversible": "can be undone",
        "review_hours": "hours to decide",
        "risk_at_least": "risk at least",
        "scope": "belongs to",
        "tainted": "has read text from outside",
        "threshold": "threshold",
        "time_window": "times",
        "title": "title",
        "tools": "tools",
        "undo_seconds": "seconds to take an approval back",
    }
)


def changes(before: Policy, after: Policy, called: Names = UNNAMED) -> list[str]:
    """What differs, a sentence each: thresholds and scores by line, rules and the baseline by field."""
    return [
        *_threshold_changes(before.thresholds, after.thresholds, called),
        *_score_changes(before.scores, after.scores, called),
        *_rule_changes(before, after, called),
        *_baseline_changes(before.baseline, after.baseline, called),
        *_plain_changes(before, after, called),
    ]


def _threshold_changes(before: Thresholds, after: Thresholds, called: Names) -> Iterator[str]:
    old = {line.key: line for line in threshold_lines(before, called)}
    new = {line.key: line for line in threshold_lines(after, called)}
    for key in {**new, **old}:
        then, now = old.get(key), new.get(key)
        if then is None and now is not None:
            yield gettext("{about}: {text} is new.").format(about=now.about, text=now.text)
        elif now is None and then is not None:
            yield gettext("{about}: taken out; it was {text}.").format(
                about=then.about, text=then.text
            )
        elif then is not None and now is not None and then.share != now.share:
            yield gettext("{about}: from {text} to {text2}.").format(
                about=now.about, text=then.text, text2=now.text
            )


def _score_changes(before: Scores, after: Scores, called: Names) -> Iterator[str]:
    old, new = (
        {line_title(names, called): choice for names, choice in scores.lines()}
        for scores in (before, after)
    )
    for about in {**new, **old}:
        then, now = old.get(about), new.get(about)
        if then is None and now is not None:
            yield gettext("{about}: {now}; this is new.").format(
                about=about, now=score_sentence(now)
            )
        elif now is None and then is not None:
            yield gettext("{about}: taken out; it was that {then}.").format(
                about=about, then=score_sentence(then)
            )
        elif then is not None and now is not None and then != now:
            yield gettext("{about}: {now}; before, {then}.").format(
                about=about, now=score_sentence(now), then=score_sentence(then)
            )


def _rule_changes(before: Policy, after: Policy, called: Names) -> Iterator[str]:
    old = {rule.name: rule for rule in before.rules}
    new = {rule.name: rule for rule in after.rules}
    for name in {**new, **old}:
        said = (new.get(name) or old[name]).title or name
        if name not in old:
            yield gettext("New rule: {said}.").format(said=said)
        elif name not in new:
            yield gettext("Rule taken out: {said}.").format(said=said)
        elif old[name] != new[name]:
            yield gettext("Rule “{said}”: {name}.").format(
                said=said, name=_differences(old[name], new[name], called)
            )


def _baseline_changes(
    before: Sequence[BaselineRow], after: Sequence[BaselineRow], called: Names
) -> Iterator[str]:
    """By what the lines are about; where two are about the same, by their order among these."""
    old, new = _by_subject(before), _by_subject(after)
    for key in {**new, **old}:
        about = key[0]
        then, now = old.get(key), new.get(key)
        if then is None and now is not None:
            yield gettext("Baseline, {about}: this line is new.").format(about=_small(about))
        elif now is None and then is not None:
            yield gettext("Baseline, {about}: this line is taken out.").format(about=_small(about))
        elif then is not None and now is not None and then != now:
            yield gettext("Baseline, {about}: {now}.").format(
                about=_small(about), now=_differences(then, now, called)
            )


def _by_subject(rows: Sequence[BaselineRow]) -> dict[tuple[str, int], BaselineRow]:
    found: dict[tuple[str, int], BaselineRow] = {}
    for row in rows:
        about = baseline_about(row)
        found[about, sum(known == about for known, _ in found)] = row
    return found


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _differences(then: Rule | BaselineRow, now: Rule | BaselineRow, called: Names) -> str:
    """Every field that differs with both its values: `who decides from 1 of Finance to 2 of Finance`."""
    old, new = dict(_fields(then)), dict(_fields(now))
    return "; ".join(
        gettext("{name} from {name2} to {name3}").format(
            name=_WORDS[name],
            name2=_named(name, old.get(name), called),
            name3=_named(name, new.get(name), called),
        )
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    )


def _fields(part: BaseModel) -> Iterator[tuple[str, Any]]:
    """The part's fields with those of the parts inside it. Requirements that are left out are the usual."""
    for name, value in part:
        if name in ("when", "requirements"):
            yield from _fields(Requirements() if value is None else value)
        else:
            yield name, value


def _named(name: str, value: Any, called: Names) -> str:
    """A field's value, with agents, tools, groups and calendars as people call them."""
    match name, value:
        case "agents", [_, *_]:
            return spellings.both([called.agent(slug) for slug in value])
        case "tools", [_, *_]:
            return spellings.both([words_of(tool) for tool in value])
        case "groups", [_, *_]:
            return spellings.both(
                [
                    gettext("{count} of {group}").format(
                        count=need.count, group=called.group(need.group)
                    )
                    for need in value
                ]
            )
        case "escalation", [_, *_]:
            return spellings.both([called.group(slug) for slug in value])
        case "scope", "global":
            return gettext("the whole policy")
        case "scope", str():
            return called.group(value.removeprefix("group:"))
        case "calendar", str():
            return called.calendar(value) if value else _value(value)
    return _value(value)


def _value(value: Any) -> str:
    """A field's value as a person reads it."""
    match value:
        case None | "" | ():
            return gettext("not set")
        case bool():
            return gettext("yes") if value else gettext("no")
        case tuple():
            return spellings.both([_value(each) for each in value])
        case TimeWindow():
            return window_text(value)
        case StrEnum():
            return value.replace("_", " ")
        case Decimal():
            return share_text(value)
        case float() | int():
            return f"{value:g}"
    return f"“{value}”" if " " in str(value) else str(value)


def _plain_changes(before: Policy, after: Policy, called: Names) -> Iterator[str]:
    values: Sequence[tuple[str, Any, Any]] = (
        (gettext("Hours that a sticky approval may last"), before.sticky_hours, after.sticky_hours),
        (gettext("Seconds to take an approval back"), before.undo_seconds, after.undo_seconds),
        (gettext("Hours to decide"), before.review_hours, after.review_hours),
        (
            gettext("Calendar of these hours"),
            _calendar(before.calendar, called),
            _calendar(after.calendar, called),
        ),
        (
            gettext("Groups that may allow by rules of their own"),
            _groups(before, called),
            _groups(after, called),
        ),
    )
    for label, then, now in values:
        if then != now:
            yield gettext("{label}: from {then} to {now}.").format(
                label=label, then=_plain(then), now=_plain(now)
            )


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return (
        spellings.both(list(value)) or gettext("none") if isinstance(value, tuple) else f"{value:g}"
    )


def _groups(policy: Policy, called: Names) -> tuple[str, ...]:
    return tuple(called.group(slug) for slug in policy.delegates)


def _calendar(slug: str, called: Names) -> str:
    return called.calendar(slug) if slug else gettext("none (around the clock)")
