"""Numbers, money and moments as readers of English and of German write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from agents.templatetags.run_words import cost, span, thousands
from approvals.templatetags.interface import as_text, basis_points, dollars, duration, percent
from audit import spellings
from audit.wordings import Words

AT = datetime(2025, 11, 19, 14, 3, 9, 120_999, tzinfo=UTC)
ENGLISH = [
    "1,200,000",
    "0.61",
    "$1,234.50",
    "$0.0123",
    "19 Nov 14:03",
    "19 Nov",
    "19 Nov 2025",
    "19 Nov 2025, 14:03:09.120 UTC",
]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (None, ENGLISH),
        ("en-gb", ENGLISH),
        (
            "de",
            [
                "1.200.000",
                "0,61",
                "1.234,50\xa0$",
                "0,0123\xa0$",
                "19. Nov. 14:03",
                "19. Nov.",
                "19. Nov. 2025",
                "19. Nov. 2025, 14:03:09,120 UTC",
            ],
        ),
    ],
)
def test_each_language_writes_them_its_own_way(language: str | None, said: list[str]) -> None:
    with translation.override(language):
        assert [
            spellings.number(1_200_000),
            spellings.decimals(0.61, 2),
            spellings.dollars(Decimal("1234.5")),
            spellings.dollars(Decimal("0.0123"), 2, 4),
            spellings.day_and_time(AT),
            spellings.day_and_month(AT),
            spellings.day(AT),
            spellings.whole_moment(AT, 3),
        ] == said


def test_the_filters_of_pages_follow_the_reader() -> None:
    with translation.override("de"):
        assert thousands(12_345) == "12.345"
        assert dollars(1_234_500_000) == "1.234,50\xa0$"
        assert cost(12_300) == "0,0123\xa0$"
        assert basis_points(6_100) == "0,61"
        assert duration(timedelta(hours=2, minutes=5)) == "2 Std. 5 Min."
        assert span(3.24) == "3,2 s"
        assert as_text(True) == "ja"


def test_what_is_drawn_keeps_its_point() -> None:
    with translation.override("de"):
        assert percent(0.614) == "61.4"


def test_a_table_speaks_when_it_is_looked_up_and_keeps_its_words() -> None:
    table = Words({"yes": "yes", "none": ""})
    choices = table.choices()
    with translation.override("de"):
        assert (table["yes"], table.get("none"), str(choices[0][1])) == ("ja", "", "Ja")
    assert (table["yes"], str(choices[0][1])) == ("yes", "Yes")
    assert table.get("other", "unknown") == "unknown"
