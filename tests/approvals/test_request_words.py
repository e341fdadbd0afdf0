"""How evidence is laid out for people."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.views.request_words import evidence_of


def laid_out(result: Any) -> tuple[list[Any], list[Any], str]:
    """Facts, tables and text of a result."""
    shown = evidence_of({"tool": "find_it", "step": 2, "trust": "untrusted", "result": result})
    assert (shown["title"], shown["untrusted"]) == ("Find it, step 2", True)
    facts = [(fact["label"], fact["value"]) for fact in shown["facts"]]
    tables = [(table["label"], table["columns"], table["rows"]) for table in shown["tables"]]
    return facts, tables, shown["text"]


def test_what_is_said_in_lines_comes_after_what_is_said_in_a_word() -> None:
    facts, tables, text = laid_out({"text": "Dear shop,\nplease pay.", "paid_on": "2026-11-01"})
    assert facts == [("Paid on", "2026-11-01"), ("Text", "Dear shop,\nplease pay.")]
    assert (tables, text) == ([], "")


def test_a_moment_is_said_to_the_second_and_what_is_no_moment_as_it_is() -> None:
    facts, _, _ = laid_out(
        {
            "as_of": "2026-11-22T10:41:56.040838Z",
            "sent_at": "2026-11-22T10:41:56+02:00",
            "never": "2026-13-40T99:99:99Z",
            "note": None,
        }
    )
    assert facts == [
        ("As of", "2026-11-22 10:41:56 UTC"),
        ("Sent at", "2026-11-22 08:41:56 UTC"),
        ("Never", "2026-13-40T99:99:99Z"),
        ("Note", "none"),
    ]


def test_a_list_of_texts_is_lines_unless_one_of_them_could_look_like_several() -> None:
    rules = ["Within 90 days.", "No more than was paid."]
    lines = "• Within 90 days.\n• No more than was paid."
    assert laid_out({"window": 90, "rules": rules}) == (
        [("Window", 90), ("Rules", lines)],
        [],
        "",
    )
    for text in ("one\n• two", "one\u2028• two", "one\r• two"):
        facts, _, rest = laid_out({"rules": [text]})
        assert (facts, "rules" in rest) == ([], True)


def test_columns_with_rows_are_a_table() -> None:
    grid = {"columns": ["id", "name"], "rows": [[1, "Acme"], [2, None]], "truncated": False}
    assert laid_out(grid) == (
        [("Truncated", False)],
        [("", ["id", "name"], [[1, "Acme"], [2, None]])],
        "",
    )


def test_objects_of_the_same_names_are_a_table_and_what_is_neither_stays_json() -> None:
    earlier = [{"paid_on": "2026-10-12", "amount": "14.00"}]
    facts, tables, text = laid_out({"order": "A1", "earlier": earlier, "deep": {"a": {"b": 1}}})
    assert facts == [("Order", "A1")]
    assert tables == [("Earlier", ["Paid on", "Amount"], [["2026-10-12", "14.00"]])]
    assert '"deep"' in text
    assert "earlier" not in text


@pytest.mark.parametrize(
    "result",
    [
        {"columns": ["id"], "rows": [[1, 2]]},
        {"columns": ["id"], "rows": [[{"a": 1}]]},
        {"rows": [{"a": 1}, {"b": 2}]},
        [1, 2],
    ],
)
def test_what_fits_no_table_is_shown_whole(result: Any) -> None:
    facts, tables, text = laid_out(result)
    assert (facts, tables) == ([], [])
    assert text


def test_what_is_empty_is_said_to_be() -> None:
    facts = [(name, "none") for name in ("Earlier", "Amount", "Note")]
    facts += [("Count", 0), ("Paid", False)]
    empty = {"earlier": [], "amount": None, "note": "", "count": 0, "paid": False}
    assert laid_out(empty) == (facts, [], "")


def test_a_text_stays_a_text() -> None:
    assert laid_out("Hello.") == ([], [], "Hello.")
