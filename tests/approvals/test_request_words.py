"""How evidence is laid out for people."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string

from approvals.views.request_words import evidence_of


def laid_out(result: Any) -> tuple[list[Any], list[Any], str]:
    """Facts, tables and text of a result."""
    shown = evidence_of({"tool": "find_it", "step": 2, "trust": "untrusted", "result": result})
    assert (shown["title"], shown["untrusted"]) == ("Find it, step 2", True)
    facts = [(fact["label"], fact.get("lines") or fact["value"]) for fact in shown["facts"]]
    tables = [(table["label"], table["columns"], table["rows"]) for table in shown["tables"]]
    return facts, tables, shown["text"]


def test_what_is_said_in_lines_comes_after_what_is_said_in_a_word() -> None:
    facts, tables, text = laid_out({"text": "Dear shop,\nplease pay.", "paid_on": "2026-11-01"})
    assert facts == [("Paid on", "1 Nov 2026"), ("Text", "Dear shop,\nplease pay.")]
    assert (tables, text) == ([], "")


def test_moments_and_days_are_written_as_pages_do_and_what_is_neither_as_it_is() -> None:
    facts, _, _ = laid_out(
        {
            "as_of": "2026-11-22T10:41:56.040838Z",
            "sent_at": "2026-11-22T10:41:56+02:00",
            "due_on": "2026-11-30",
            "never": "2026-13-40T99:99:99Z",
            "no_day": "2026-02-30",
            "account_id": "20261130",
            "note": None,
        }
    )
    assert facts == [
        ("As of", "22 Nov 2026, 10:41:56 UTC"),
        ("Sent at", "22 Nov 2026, 08:41:56 UTC"),
        ("Due on", "30 Nov 2026"),
        ("Never", "2026-13-40T99:99:99Z"),
        ("No day", "2026-02-30"),
        ("Account ID", "20261130"),
        ("Note", None),
    ]


def test_a_list_of_texts_is_lines_unless_one_of_them_could_look_like_several() -> None:
    rules = ["Within 90 days.", "No more than was paid."]
    assert laid_out({"rules": rules, "window": 90}) == (
        [("Window", 90), ("Rules", rules)],
        [],
        "",
    )
    for text in ("one\n• two", "one\u2028• two", "one\r• two"):
        facts, _, rest = laid_out({"rules": [text]})
        assert (facts, "rules" in rest) == ([], True)


def test_columns_with_rows_are_a_table() -> None:
    rows = [[1, "Acme", "2026-11-01", True], [2, None, None, False]]
    columns = ["id", "full_name", "Since", "count(*) > 0"]
    assert laid_out({"columns": columns, "rows": rows, "truncated": False}) == (
        [("Truncated", "No")],
        [
            (
                "",
                ["ID", "Full name", "Since", "count(*) > 0"],
                [[1, "Acme", "1 Nov 2026", "Yes"], [2, None, None, "No"]],
            )
        ],
        "",
    )


def test_objects_of_the_same_names_are_a_table_and_what_is_neither_stays_json() -> None:
    earlier = [{"paid_on": "2026-10-12", "amount": "14.00"}]
    facts, tables, text = laid_out({"order": "A1", "earlier": earlier, "deep": {"a": {"b": 1}}})
    assert facts == [("Order", "A1")]
    assert tables == [("Earlier", ["Paid on", "Amount"], [["12 Oct 2026", "14.00"]])]
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
    facts = [(name, None) for name in ("Earlier", "Amount", "Note")]
    facts += [("Count", 0), ("Paid", "No")]
    empty = {"earlier": [], "amount": None, "note": "", "count": 0, "paid": False}
    assert laid_out(empty) == (facts, [], "")


def test_a_text_stays_a_text() -> None:
    assert laid_out("Hello.") == ([], [], "Hello.")


def test_lines_of_a_fact_are_a_list_and_a_missing_value_is_told_from_the_word() -> None:
    facts = [
        {"label": "Rules", "lines": ["Within <b>90</b> days.", "No\u202e more."]},
        {"label": "Note", "value": None},
        {"label": "Outcome", "value": "none"},
    ]
    shown = render_to_string("components/key_facts.html", {"facts": facts})
    assert "<li>Within &lt;b&gt;90&lt;/b&gt; days.</li><li>No<span" in shown
    assert shown.count('<span class="third">none</span>') == 1
    assert "<dd>none</dd>" in shown


def test_columns_of_changed_rows_are_named_in_words() -> None:
    cells = [
        {"column": "city_id", "before": "1", "after": "2"},
        {"column": "eMail", "before": "a", "after": "a"},
    ]
    row = {"title": "Customer 1", "what": "changed", "cells": cells}
    shown = render_to_string("components/row_changes.html", {"rows": [row]})
    assert ("<dt>City ID</dt>" in shown, 'aria-label="City ID"' in shown) == (True, True)
    assert "<dt>eMail</dt>" in shown
