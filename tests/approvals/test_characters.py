"""What a reader would not see, or would take for something else, is marked; nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.characters import runs
from approvals.templatetags.interface import reveal


def marked(text: str) -> list[str]:
    return [run.code_point for run in runs(text) if run.note]


@pytest.mark.parametrize(
    "text",
    [
        "Refund €4,200.00 to Acme GmbH",
        "Zwölf Müller, Ångström, naïve façade",
        "Оплата заказа",  # a whole word of one script imitates nothing
        "支払い、返金",
        "first line\n\tsecond line",
        "“quoted” – dashed — and … more",
        "👍 fine",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert marked(text) == []


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("pay\u202eEMCA\u202c", ["U+202E", "U+202C"]),
        ("to\u200bAcme", ["U+200B"]),
        ("soft\u00adhyphen", ["U+00AD"]),
        ("no\u00a0break", ["U+00A0"]),
        ("filler\u3164", ["U+3164"]),
        ("line\u2028separator", ["U+2028"]),
        ("bell\x07", ["U+0007"]),
        ("tag\U000e0041", ["U+E0041"]),
        ("joined\u034f", ["U+034F"]),
        ("\ufefffirst", ["U+FEFF"]),
    ],
)
def test_invisible_and_turning_characters_are_marked(text: str, points: list[str]) -> None:
    assert marked(text) == points


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("billing@аcme.example", ["U+0430"]),
        ("https://acme.exаmple/pay", ["U+0430"]),
        ("write to p\u03b1y@acme.example now", ["U+03B1"]),
        ("müller.example", ["U+00FC"]),
        ("Αcme owes nothing", ["U+0391"]),
        ("ｐaypal", ["U+FF50"]),
    ],
)
def test_letters_that_imitate_others_are_marked(text: str, points: list[str]) -> None:
    assert marked(text) == points


@given(st.text())
def test_no_character_is_lost_or_added(text: str) -> None:
    assert "".join(run.text for run in runs(text)) == text


@given(st.text())
def test_what_is_shown_carries_no_direction_of_its_own_and_no_markup(text: str) -> None:
    shown = str(reveal(text))
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b") & set(shown)
    assert "<script" not in shown


def test_a_marked_character_is_named_for_the_reader() -> None:
    assert 'title="U+202E RIGHT-TO-LEFT OVERRIDE">U+202E<' in str(reveal("\u202e"))
    assert str(reveal("<b>")) == "&lt;b&gt;"
    assert str(reveal({"paid": True, "to": "Acme"})).startswith("{\n")
    assert str(reveal(None)) == "–"
