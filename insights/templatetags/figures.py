"""How figures are written, and where they lead."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from audit import spellings
from audit.markup import joined, markup
from insights.charts import Column
from insights.report import Number, Part
from insights.vocabulary import band_words
from insights.words import FEWEST, percent, share

register = template.Library()


@register.simple_tag
def figure(number: int, url: str = "", name: str = "") -> SafeString:
    """A number, as a link to its rows where there are any. `name` says to screen readers what it counts."""
    text = spellings.number(number)
    if not (number and url):
        return markup("{}", text)
    told = markup('<span class="visually-hidden">: {}</span>', name) if name else ""
    return markup('<a class="figure" href="{}">{}{}</a>', url, text, told)


@register.simple_tag
def cells(numbers: Iterable[Number]) -> SafeString:
    """The cells of a line of numbers, as `figure` writes each: a year has hundreds of them."""
    # Only the spelling of numbers, and addresses that are escaped here.
    return mark_safe("".join([_cell(each.number, each.url) for each in numbers]))  # noqa: S308


def _cell(number: int, url: str) -> str:
    text = spellings.number(number)
    if number and url:
        text = f'<a class="figure" href="{escape(url)}">{text}</a>'
    return f'<td class="number">{text}</td>'


@register.simple_tag
def blocks(column: Column) -> SafeString:
    """The blocks of a chart's column, one on the other."""
    x, width = plain(column.x), plain(column.width)
    return joined(
        "",
        '<rect class="tone-{}" x="{}%" y="{}" width="{}%" height="{}"/>',
        ((each.tone, x, plain(each.y), width, plain(each.height)) for each in column.blocks),
    )


@register.filter
def part(value: Part | None) -> str:
    """`12 of 40 (30 %)`; a dash for a part of nothing."""
    return (share(value.number, value.of) if value else "") or "–"


@register.filter
def beside(value: Part) -> str:
    """What stands beside the number of a part: `of 40 · 30 %`, or nothing beside a part of nothing."""
    if not value.of:
        return ""
    whole = gettext("of {of}").format(of=spellings.number(value.of))
    return whole if value.of < FEWEST else f"{whole} · {percent(value.number, value.of)}"


@register.filter
def points(value: float | None) -> str:
    """A change of a share in points: `+12 points`; a dash where it is not known."""
    if value is None:
        return "–"
    return gettext("{points} points").format(points=f"{round(100 * value):+d}".replace("-", "−"))


@register.filter
def percentage(value: Part) -> str:
    """`30 %`; a dash for a part of nothing."""
    return percent(value.number, value.of) if value.of else "–"


register.filter("band", band_words)


@register.filter
def plain(value: float) -> str:
    """A place in a drawing: with a point, whatever the reader's language."""
    return f"{value:g}"
