"""Names and values in plain words, in a line. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext

from approvals.layouts import words_of

BRIEF_LENGTH: Final = 90


def plain(name: str) -> str:
    """`issue_refund` as `Issue refund`."""
    return words_of(name.replace("-", " "))


def titles_of_tools(names: Collection[str]) -> dict[str, str]:
    """What the tools are called, by name: the words of the name."""
    return {name: plain(name) for name in names}


def brief(value: Any, length: int = BRIEF_LENGTH) -> str:
    """A value in one short line: the values of an object, or a text cut at a word's length."""
    if isinstance(value, Mapping):
        text = _listed([brief(item, length) for item in value.values() if item not in (None, "")])
    elif isinstance(value, list | tuple):
        text = _listed([brief(item, length) for item in value])
    elif isinstance(value, bool):
        text = gettext("yes") if value else gettext("no")
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _listed(items: Sequence[str]) -> str:
    """The items behind each other; a sentence among them loses its stop, for which the comma stands."""
    return ", ".join([*(item.removesuffix(".") for item in items[:-1]), *items[-1:]])
