"""Values of a journal in a line of words."""

from __future__ import annotations

from agents.wording import brief


def test_a_sentence_among_others_loses_the_stop_that_a_comma_stands_for() -> None:
    given = {"text": "Only tell the customer.", "to": ["the agent.", "Ada Ltd."], "note": None}
    assert brief(given) == "Only tell the customer, the agent, Ada Ltd."
