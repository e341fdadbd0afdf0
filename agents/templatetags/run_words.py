"""How the runs and agents pages write numbers and raw data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from agents.wording import plain
from approvals.layouts import Layout, lay_out
from approvals.templatetags.interface import dollars, duration, reveal
from audit import spellings

register = template.Library()

MOST_LAID_OUT: Final = 50_000
_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})
#: Text in which nothing can hide: printable ASCII with line breaks.
_PLAIN: Final = re.compile(r"[\n\t\x20-\x7e]*")


@register.filter
def thousands(value: int) -> str:
    """A count with a comma at each thousand: `12,345`."""
    return spellings.number(value)


@register.filter
def named(name: str) -> str:
    """A tool's name as the timeline has it: `issue_refund` as `Issue refund`."""
    return plain(name)


@register.filter
def times(count: int) -> str:
    """How often: `once`, `twice`, `5 times`."""
    if count in {1, 2}:
        return gettext("once") if count == 1 else gettext("twice")
    return gettext("{count} times").format(count=count)


@register.filter
def span(value: float | None) -> str:
    """A span in seconds; below one second in milliseconds: `40 ms`, `3.2 s`, `2 h 5 min`."""
    if value is not None and value < 1:
        return f"{round(value * 1000)} ms"
    return duration(value)


@register.filter
def cost(micros: int | None, unpriced: int = 0) -> str:
    """A cost in millionths: `$0.0123`; what nobody said a price of is named and not taken for nothing."""
    if micros is None or (unpriced and not micros):
        return gettext("no price")
    amount = dollars(micros)
    return gettext("{amount} and more").format(amount=amount) if unpriced else amount


@register.filter
def short_digest(digest: str) -> str:
    """The first twelve digits of `sha256:…`, enough to tell versions apart."""
    return digest.removeprefix("sha256:")[:12]


@register.filter
def in_words(arguments: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Arguments, each with `label` and `value`, by the words of their names; what is empty is None."""
    return [
        {
            "label": plain(each["label"]),
            "value": None if each["value"] in _EMPTY else each["value"],
        }
        for each in arguments
    ]


@register.filter
def laid_out(value: Any) -> Layout | None:
    """A result as fields and tables; None for a text, and for one of so many characters that only `raw` is quick."""
    if not isinstance(value, dict) or len(json.dumps(value, ensure_ascii=False)) > MOST_LAID_OUT:
        return None
    return lay_out(value)


@register.filter
def raw(value: Any) -> SafeString:
    """Journalled data as indented JSON, with invisible and look-alike characters marked."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    # Marking looks at each character, and a conversation has very many of them.
    return escape(text) if _PLAIN.fullmatch(text) else reveal(text)
