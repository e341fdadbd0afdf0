"""Limits, and what was used of them, in units that people think in and in the reader's language. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext, ngettext

from audit import spellings
from audit.wordings import Words

MICROS: Final = 1_000_000
#: What is counted, as it follows *limit of*.
NAMES: Final = Words(
    {
        "steps": "steps",
        "model_calls": "model calls",
        "tool_calls": "tool calls",
        "tokens": "tokens",
        "cost_micros": "cost",
        "active_seconds": "time at work",
        "errors": "errors in a row",
        "day_cost_micros": "its agent's money for the day",
        "day_tokens": "its agent's tokens for the day",
        "month_cost_micros": "its agent's money for the month",
        "month_tokens": "its agent's tokens for the month",
        "depth": "levels of agents",
        "children": "runs handed to other agents",
    }
)
SENTENCES: Final = Words(
    {
        "steps": "It has taken {used} of {limit} steps.",
        "model_calls": "It has asked its model {used} of {limit} times.",
        "tool_calls": "It has made {used} of {limit} tool calls.",
        "tokens": "It has used {used} of {limit} tokens.",
        "cost_micros": "It has spent {used} of {limit}.",
        "active_seconds": "It has been at work for {used} of {limit}.",
        "day_cost_micros": "All runs of its agent have spent {used} of the {limit} for today (UTC).",
        "day_tokens": "All runs of its agent have used {used} of the {limit} tokens for today (UTC).",
        "month_cost_micros": "All runs of its agent have spent {used} of the {limit} for this month (UTC).",
        "month_tokens": "All runs of its agent have used {used} of the {limit} tokens for this month (UTC).",
        "depth": "It stands at level {used} of agents that hand work on, and {limit} is the deepest.",
        "children": "It has handed {used} of {limit} runs to other agents.",
        "errors": "Nothing but errors came of {used} turns in a row, and {limit} are the most.",
    }
)


def name_of(cap: str) -> str:
    """What a cap counts, in words: `tool calls`, `time at work`."""
    return NAMES.get(cap) or cap.replace("_", " ")


def title_of(cap: str) -> str:
    """The same where it begins a line: `Tool calls`."""
    name = name_of(cap)
    return name[:1].upper() + name[1:]


def amount_of(cap: str, amount: int) -> str:
    """An amount of what a cap counts: `1,200`, `$0.25`, `12 minutes`."""
    if cap.endswith("cost_micros"):
        return money(amount)
    return duration(amount) if cap == "active_seconds" else spellings.number(amount)


def spent(measure: str, amount: int) -> str:
    """What an agent has spent, with its unit: `$0.25`, `1,200 tokens`."""
    if measure == "cost_micros":
        return money(amount)
    return ngettext("{number} token", "{number} tokens", amount).format(
        number=spellings.number(amount)
    )


def money(micros: int) -> str:
    """Millionths of a dollar as `$0.25`, with two places or as many as it takes."""
    places = len(f"{micros % MICROS:06}".rstrip("0"))
    return spellings.dollars(Decimal(micros) / MICROS, max(2, places), max(2, places))


def duration(seconds: int) -> str:
    """Seconds as people say them: `45 seconds`, `1 minute`, `1 hour 5 minutes`."""
    hours, rest = divmod(seconds, 3_600)
    minutes, last = divmod(rest, 60)
    parts = [
        ngettext("{number} hour", "{number} hours", hours).format(number=hours) if hours else "",
        ngettext("{number} minute", "{number} minutes", minutes).format(number=minutes)
        if minutes
        else "",
        ngettext("{number} second", "{number} seconds", last).format(number=last)
        if last or not seconds
        else "",
    ]
    return " ".join(part for part in parts if part)


def sentence(cap: str, used: int, limit: int, needed: int = 0) -> str:
    """Which limit was reached, with what was used of it; `needed` by the call that would pass it."""
    said = SENTENCES.get(cap) or gettext("It has used {used} of {limit} {name}.")
    told = said.format(used=amount_of(cap, used), limit=amount_of(cap, limit), name=name_of(cap))
    if not needed:
        return told
    more = gettext("The next call may take up to {needed} more, which would pass the limit.")
    return f"{told} {more.format(needed=amount_of(cap, needed))}"


def raising(cap: str, reached: Mapping[str, Any]) -> dict[str, Any]:
    """How a form asks by how much a reached cap is raised, beside what programs say in the cap's own unit.

    `scale`: how many of these make one of what people write; `usual` what is proposed.
    """
    used, limit = int(reached["used"]), int(reached["limit"])
    asks: dict[str, Any] = {
        "name": name_of(cap),
        "used": amount_of(cap, used),
        "usual": max(1, used, used + int(reached.get("needed", 0)) - limit),
    }
    if "most" in reached:
        asks["most"] = int(reached["most"])
    if cap == "active_seconds":
        return {**asks, "scale": 60, "unit": "minutes"}
    return {**asks, "scale": MICROS, "unit": "dollars"} if cap.endswith("cost_micros") else asks
