"""How numbers, money and moments are written in the reader's language, by the Unicode CLDR (Babel).

Lists are full of them: English, which Python writes by itself, takes the short way.
"""

from collections.abc import Sequence
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Final

from babel import Locale
from babel.numbers import NumberPattern, format_decimal, parse_pattern
from django.utils.translation import get_language, gettext, pgettext

ENGLISH: Final = "en"


def language() -> str:
    """The reader's language without its region; English where nobody reads."""
    return (get_language() or ENGLISH).partition("-")[0]


def number(value: int) -> str:
    """A whole number with its thousands apart: `1,200,000`; in German `1.200.000`."""
    here = language()
    return f"{value:,}" if here == ENGLISH else str(format_decimal(value, locale=_locale(here)))


def decimals(value: float | Decimal, places: int) -> str:
    """A number with exactly so many places: `0.61`; in German `0,61`."""
    here = language()
    if here == ENGLISH:
        return f"{value:,.{places}f}"
    return str(_places(places).apply(value, _locale(here)))


def dollars(amount: Decimal, least: int = 2, most: int = 2) -> str:
    """An amount with `least` to `most` places: `$1,234.50`; in German `1.234,50 $`."""
    here = language()
    if here == ENGLISH and least == most:
        return f"${amount:,.{most}f}"
    pattern = _money(here, least, most)
    return str(pattern.apply(amount, _locale(here), currency="USD", currency_digits=False))


def both(words: Sequence[str]) -> str:
    """The words as a list that is read: `a, b and c`."""
    return _listed(words, gettext("and"))


def either(words: Sequence[str]) -> str:
    """As a list of which one is meant: `a, b or c`."""
    return _listed(words, gettext("or"))


def _listed(words: Sequence[str], joint: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"


def weekday(number: int) -> str:
    """`Monday` for 0; in German `Montag`."""
    return str(_locale(language()).days["format"]["wide"][number])


def time_of_day(at: datetime) -> str:
    """`14:03`."""
    if language() == ENGLISH:
        return f"{at:%H:%M}"
    return pgettext("time of day", "{hour}:{minute}").format(
        hour=f"{at.hour:02}", minute=f"{at.minute:02}"
    )


def day_and_time(at: datetime) -> str:
    """`19 Nov 14:03`; in German `19. Nov. 14:03`."""
    if language() == ENGLISH:
        return f"{at.day} {at:%b %H:%M}"
    return pgettext("date", "{day} {month} {time}").format(
        day=at.day, month=month(at), time=time_of_day(at)
    )


def day_and_month(at: date) -> str:
    """`19 Nov`; in German `19. Nov.`."""
    if language() == ENGLISH:
        return f"{at.day} {at:%b}"
    return pgettext("date", "{day} {month}").format(day=at.day, month=month(at))


def day(at: date) -> str:
    """`19 Nov 2025`; in German `19. Nov. 2025`."""
    if language() == ENGLISH:
        return f"{at.day} {at:%b %Y}"
    return pgettext("date", "{day} {month} {year}").format(
        day=at.day, month=month(at), year=at.year
    )


def day_and_minute(at: datetime) -> str:
    """`19 Nov 2025, 14:03 UTC`, for where nothing beside it says when: in mails."""
    return f"{day(at)}, {time_of_day(at)} {at:%Z}"


def whole_moment(at: datetime, places: int = 0) -> str:
    """`19 Nov 2025, 14:03:09 UTC`; with so many decimal places of the second, `14:03:09.120`."""
    fraction = f"{_point(language())}{at.microsecond:06}"[: places + 1] if places else ""
    return f"{day(at)}, {time_of_day(at)}:{at.second:02}{fraction} {at:%Z}"


def month(at: date) -> str:
    """`Nov`; in German `Nov.`."""
    return _months(language())[at.month]


@cache
def _months(here: str) -> dict[int, str]:
    return dict(_locale(here).months["format"]["abbreviated"])


@cache
def _point(here: str) -> str:
    return str(_locale(here).number_symbols["latn"]["decimal"])


@cache
def _locale(here: str) -> Locale:
    return Locale.parse(here)


@cache
def _places(places: int) -> NumberPattern:
    pattern: NumberPattern = parse_pattern("#,##0" + ("." + "0" * places if places else ""))
    return pattern


@cache
def _money(here: str, least: int, most: int) -> NumberPattern:
    pattern: NumberPattern = copy(_locale(here).currency_formats["standard"])
    pattern.frac_prec = (least, most)
    return pattern
