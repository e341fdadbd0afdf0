"""What a reader would not see, or would take for something else, is marked; nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.characters import MOST_COMBINED, is_plain, runs, spelled
from approvals.templatetags.interface import reveal
from tests.approvals.hostile import HOSTILE, UNSEEN


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
        "e\u0301te\u0301, ก็ดี, בְּרֵאשִׁ֖ית",  # letters with as many marks as scripts need
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert marked(text) == []


@pytest.mark.parametrize(
    "around", ["{}", "pay{}now", "a@{}b.de", "{}.com", "http://{}/", "{0}{0}{0}{0}{0}{0}"]
)
def test_what_is_plain_at_a_glance_is_plain_looked_at_one_by_one(around: str) -> None:
    for point in range(0x3000):
        text = around.format(chr(point))
        if is_plain(text):
            # What hides at the end has each character looked at; the blank keeps it out of the last word.
            assert marked(f"{text} \u200b") == ["U+200B"], hex(point)


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


def test_marks_piled_on_a_letter_are_drawn_beside_it() -> None:
    pile = "Z" + "\u0301" * 40 + "z"
    assert marked(pile) == [f"U+0301 ×{40 - MOST_COMBINED}"]
    assert "\u0301" * (MOST_COMBINED + 1) not in str(reveal(pile))


@pytest.mark.parametrize("text", ["\u0332under", "a \u0338b", "\n\u0301"])
def test_a_mark_without_a_letter_does_not_reach_what_stands_before_it(text: str) -> None:
    assert len(marked(text)) == 1


def test_thousands_of_invisible_characters_are_one_mark() -> None:
    assert str(reveal("a" + "\u200b" * 30_000 + "b")).count("<span") == 1
    assert "U+200B ×30000" in str(reveal("\u200b" * 30_000))
    turning = str(reveal("\u202e\u202c" * 10_000))
    assert turning.count("<span") == 1
    assert turning.count("U+202E</span>") + turning.count("U+202E ") >= 10_000


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_unseen_is_left_where_text_is_shown_or_spelled(name: str) -> None:
    for shown in (str(reveal(HOSTILE[name])), spelled(HOSTILE[name])):
        assert not set(UNSEEN) & set(shown)
        assert not any("\U000e0000" <= letter <= "\U000e007f" for letter in shown)
    assert not {"<script", "<img", "<svg", "<style"} & {
        part for part in ("<script", "<img", "<svg", "<style") if part in str(reveal(HOSTILE[name]))
    }


def test_text_without_pictures_names_its_marks_in_brackets() -> None:
    assert spelled("a\u202eb") == "a[U+202E]b"
    assert spelled("p\u0430y@x.com") == "p\u0430[U+0430]y@x.com"
    assert spelled("plain") == "plain"
