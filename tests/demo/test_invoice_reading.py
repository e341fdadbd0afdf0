"""The practice model as a reader of invoices: the fields of every kind of text, and how sure it says it is."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from agents.builtin import offered_answer
from demo.invoice_texts import SENT
from demo.payouts import InvoiceFields
from demo.practice.conversation import read_conversation
from demo.practice.moves import ABSTAIN, Move
from demo.practice.script import next_move
from demo.practice.wire import arguments_for
from demo.services.stock_payables import further

OFFER = offered_answer("read", InvoiceFields)["function"]


def answer(text: str) -> Move:
    """The practice model's answer about this text."""
    messages = [
        {"role": "system", "content": "You read invoices."},
        {"role": "user", "content": "Read the invoice under content."},
        {"role": "user", "content": json.dumps({"content": text})},
    ]
    return next_move(read_conversation(messages), [OFFER["name"]])


def fields(text: str) -> dict[str, Any]:
    """What it answers, as the decision point takes it."""
    given = arguments_for(OFFER["parameters"], answer(text))
    assert given.pop("rationale")
    given.pop("confidence")
    return InvoiceFields.model_validate(given).model_dump()


@pytest.mark.parametrize(
    ("place", "order", "reference", "amount"),
    [
        (0, "PO-7001", "L-20618", "1280.00"),
        (1, "PO-7002", "RW-4471", "12400.00"),
        (2, "PO-7003", "B-77", "960.00"),
        (3, "PO-7004", "NK-9012", "2150.00"),
        (4, "PO-7005", "SC-3301", "1440.00"),
        (5, "PO-7006", "L-20655", "780.00"),
        (6, "PO-7007", "NK-9044", "410.00"),
        (7, "", "SC-3360", "325.00"),
    ],
)
def test_the_texts_of_the_examples_are_read(
    place: int, order: str, reference: str, amount: str
) -> None:
    read = fields(SENT[place].text)
    assert (read["order"], read["reference"], read["amount"]) == (order, reference, Decimal(amount))


def test_every_further_invoice_is_read_without_a_doubt() -> None:
    for place, sent in enumerate(further()):
        read = fields(sent.text)
        assert read["order"] == f"PO-{7_001 + len(SENT) + place}"
        assert (read["amount"], read["account"]) == (sent.order_total, sent.vendor.account)
        assert answer(sent.text).confidence == 0.95


def test_each_doubt_lowers_the_confidence_and_is_named() -> None:
    clear, unclear, injected, unordered = (answer(SENT[place].text) for place in (0, 2, 6, 7))
    assert (clear.confidence, clear.rationale) == (0.95, "Everything stands in its place.")
    assert unclear.confidence == 0.40
    assert "“I think”" in unclear.rationale
    assert "€930.00, €960.00" in unclear.rationale
    assert injected.confidence == 0.55
    assert "several accounts" in injected.rationale
    assert unordered.confidence == 0.85


def test_an_amount_that_is_not_there_is_not_made_up() -> None:
    assert fields("Please pay soon. PO-7001.")["amount"] is None


def test_the_same_text_is_read_the_same_again() -> None:
    assert answer(SENT[2].text) == answer(SENT[2].text)


def test_without_a_text_it_abstains() -> None:
    talk = read_conversation([{"role": "user", "content": "Answer."}])
    assert next_move(talk, ["answer"]).tool == ABSTAIN
