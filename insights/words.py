"""How figures are said: problems of calls, and moments and shares as texts. Pure."""

from __future__ import annotations

import re
from typing import Final

from django.utils.translation import gettext

from audit import spellings
from audit.wordings import Words

#: Of fewer, a percentage would say more than is known.
FEWEST: Final = 20
PROBLEMS: Final = Words(
    {
        "unknown_tool": "There is no such tool",
        "arguments_invalid": "Arguments did not fit",
        "arguments_not_json": "Arguments were not JSON",
        "arguments_not_object": "Arguments were no object",
        "arguments_too_large": "Arguments were too large",
        "too_many_calls": "Too many calls at once",
        "timed_out": "Took too long",
        "refused_by_tool": "Refused by the tool",
        "retryable": "Failed for the moment",
        "failed": "Failed",
        "child_failed": "The other agent failed",
        "child_abstained": "The other agent did not know",
        "child_stopped": "The other agent was stopped",
    }
)
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,79}")


def problem_words(code: str) -> str | None:
    """A problem of a call in words; None for what is no code."""
    if not _CODE.fullmatch(code):
        return None
    return PROBLEMS[code] if code in PROBLEMS else code.replace("_", " ").capitalize()


def share(number: int, of: int) -> str:
    """`12 of 40 (30 %)`, `3 of 4`, and nothing for a share of nothing."""
    if not of:
        return ""
    counted = gettext("{number} of {of}").format(
        number=spellings.number(number), of=spellings.number(of)
    )
    return counted if of < FEWEST else f"{counted} ({percent(number, of)})"


def percent(number: int, of: int) -> str:
    """`30 %`; of a small share one place: `0.4 %`."""
    value = 100 * number / of
    return f"{spellings.decimals(value, 1 if 0 < value < 10 else 0)} %"
