"""Suites as files: hostile ones are refused with what to change, and what is written is read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import Refusal
from evaluations.checks import problems_of
from evaluations.matching import fits
from evaluations.observed import CallMade, Observed
from evaluations.schemas import Case, Expectations, Suite
from evaluations.suite_files import (
    MOST_BYTES,
    MOST_VALUES,
    read_case,
    read_suite,
    read_suite_file,
    write_case,
    write_suite,
)

GOOD = """suite: small
agent: teller
cases:
  - name: one
    input: Pay.
    expect:
      outcome: done
"""
LAUGHS = "a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "line 1: anchors (&) and aliases (*) are not read"),
        ("a: *a\n", "anchors"),
        ("<<: {a: 1}\n", "line 1: merge keys"),
        ("a: !!python/object/apply:os.system [id]\n", "line 1: tags (!) are not read"),
        ("a: !include x\n", "tags"),
        ("[" * 50_000, "nested deeper than 40"),
        ("a: [" + "1, " * (MOST_VALUES + 1) + "1]\n", "more than 50,000 values"),
        ("a: " + "x" * MOST_BYTES, "larger than 1000000 bytes"),
        ("a: 1\nb: 2\na: 3\n", "line 3: a stands here twice"),
        ("? [a]\n: 1\n", "a name has to be a plain text"),
        ("- a\n", "is no mapping"),
        ("", "is no mapping"),
        ("a: [1\n", "line 2"),
        ("a: \x07\n", "is no YAML"),
        ('a: "\\0"\n', "NUL"),
        ('"a\\0": 1\n', "NUL"),
        ('a: "\\ud800"\n', ""),
        ("a: 1\n---\nb: 2\n", "line 2"),
        (GOOD + "owner: me\n", "line 8, owner: is not known here"),
        (GOOD.replace("outcome: done", "outcome: won"), "line 7, cases.0.expect.outcome"),
        (GOOD.replace("outcome: done", "steps: many"), "line 7, cases.0.expect.steps"),
        (GOOD.replace("    expect:\n      outcome: done\n", ""), "cases.0.expect: is missing"),
        (GOOD.replace("input: Pay.", "input: 7"), "line 5, cases.0.input"),
        (GOOD.replace("name: one", "name: yes\n    name: no"), "name stands here twice"),
        (GOOD.replace("teller", "No Slug"), "line 2, agent"),
        (GOOD + GOOD.partition("cases:\n")[2], "two cases are called one"),
        (GOOD.replace("outcome: done", "answer: {a: {matches: '(?=x)'}}"), "no look-around"),
        (GOOD.replace("outcome: done", "answer: {a: {within: 1}}"), "says nothing to compare with"),
        (GOOD.replace("outcome: done", "answer: {a: {near: 1}}"), "cases.0.expect.answer.a.near"),
        (GOOD.replace("outcome: done", "answer_schema: {$ref: 'http://x'}"), "$ref is not read"),
        (GOOD.replace("outcome: done", "answer_schema: {type: 7}"), "is no JSON Schema"),
        (GOOD.replace("outcome: done", "steps: {at_least: 3, at_most: 2}"), "at_least is above"),
        (
            GOOD.replace(
                "input: Pay.", "input: Pay.\n    tools: {pay: [{result: 1, error: {message: x}}]}"
            ),
            "give one of result, error and simulated",
        ),
        (
            GOOD.replace("input: Pay.", "input: Pay.\n    people: [{on: pay, decide: answer}]"),
            "pay takes approve, edit, reject, send_back, wait; not answer",
        ),
        (
            GOOD.replace("input: Pay.", "input: Pay.\n    people: [{on: pay, decide: edit}]"),
            "decide: edit needs arguments",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(text: str, said: str, db: None) -> None:
    with pytest.raises(Refusal) as refusal:
        read_suite(text.encode("utf-8", "surrogatepass"), source="small.yaml")
    assert refusal.value.detail.startswith("small.yaml")
    assert said in refusal.value.detail


def test_a_file_that_is_not_there_or_is_no_text_is_refused(tmp_path: Path, db: None) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(Refusal, match=str(path)):
            read_suite_file(path)
    with pytest.raises(Refusal, match="is no UTF-8 text"):
        read_suite(b"a: \xff", source="x")


#: What YAML writes as it is or escapes; "<<" as a name is refused.
TEXT = st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs"), include_characters="\n\t"))
NAME = TEXT.filter(lambda text: text not in ("", "<<"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=8,
)


@given(result=JSON, words=NAME)
def test_what_is_written_is_read_again(result: Any, words: str) -> None:
    document = {
        "name": "one",
        "input": {"text": words},
        "tools": {"pay": [{"when": {"why": words}, "result": result}]},
        "expect": {"answer": {"a": words}, "calls": {"in_order": ["pay"]}},
    }
    case = Case.model_validate(document)
    assert read_case(write_case(case), source="it") == case
    suite = Suite(suite="small", agent="teller", cases=[case])
    assert read_suite(write_suite(suite).encode(), source="it") == suite


@pytest.mark.parametrize(
    ("expected", "found", "there", "holds"),
    [
        (38.5, "38.50", True, True),
        (38.5, 38.51, True, False),
        ("38.5", "38.50", True, False),
        (1, True, True, False),
        (True, True, True, True),
        ([1, 2], ["1", "2"], True, True),
        ([1, 2], [1], True, False),
        (None, None, False, False),
        ({"number": 10, "within": 0.5}, "10.4", True, True),
        ({"number": 10, "within": 0.5}, "10.6", True, False),
        ({"number": 10}, "ten", True, False),
        ({"at_least": 3, "at_most": 5}, 4, True, True),
        ({"at_least": 3, "at_most": 5}, 6, True, False),
        ({"matches": "^ORD-\\d+$"}, "ORD-12", True, True),
        ({"matches": "^ORD-\\d+$"}, 12, True, False),
        ({"contains": "SORRY"}, "We are sorry.", True, True),
        ({"contains": "a"}, ["b", "a"], True, True),
        ({"one_of": ["paid", 3]}, "3", True, True),
        ({"equals": {"a": 1}}, {"a": "1"}, True, True),
        ({"equals": {"a": 1}}, {"a": 1, "b": 2}, True, False),
        ({"present": True}, 0, True, True),
        ({"present": False}, 0, True, False),
        ({"present": False}, None, False, True),
    ],
)
def test_values_are_compared(expected: Any, found: Any, there: bool, holds: bool) -> None:
    read = Expectations.model_validate({"answer": {"x": expected}}).answer["x"]
    assert fits(read, found, there) is holds


def test_a_hostile_pattern_takes_no_longer_than_others() -> None:
    # Going back in the text, this would take longer than anybody lives.
    read = Expectations.model_validate({"answer": {"x": {"matches": "^(a+)+$"}}}).answer["x"]
    assert not fits(read, "a" * 19_000 + "b", True)


def test_false_claims_and_unusable_replies_are_held_against_a_run() -> None:
    seen = Observed(
        outcome="done",
        answer={"a": {"b": [{"c": 1}]}},
        calls=(CallMade(3, "pay", {"amount": "5.00"}, "review", ("risk",), "refused", "rejected"),),
        errors=("no_tool_call",),
        claims=("It says that it paid. No such call was made in this run.",),
    )

    def codes(**expect: Any) -> list[str]:
        return [each.code for each in problems_of(Expectations.model_validate(expect), seen)]

    assert codes() == ["false_claims"], "none are expected, also where nothing is said of them"
    assert codes(false_claims=1) == []
    fine = {"false_claims": 1}
    assert codes(**fine, correctable_errors=0) == ["correctable_errors"]
    assert codes(**fine, answer={"a.b.0.c": 1, "a.b.1": {"present": False}}) == []
    assert codes(**fine, answer={"a.b.0.d": 1}) == ["answer"]
    call = {"tool": "pay", "gate": "review", "ended": "refused", "reasons": ["risk"]}
    assert codes(**fine, calls={"exactly": [call]}) == []
    assert codes(**fine, calls={"include": [{**call, "reasons": ["taint"]}]}) == ["call_not_like"]
    assert codes(**fine, calls={"exactly": [call, call]}) == ["call_missing"]
