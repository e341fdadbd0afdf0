"""Subjects as people read them."""

import pytest

from audit.sentences import people_in, sentence
from audit.subject_words import subject_in_words

RUN = "01a1fae6-52ea-7d20-9c84-529a0f2dd01c"
KEEPER = {"kind": "person", "id": "5", "auth": "session"}
NAMES = {"5": "Kim", "7": "Ada"}


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("person:7", "Ada"),
        ("person:8", "person 8"),
        (f"run:{RUN}", "the run …0f2dd01c"),
        ("agent:refund-desk", "the agent refund-desk"),
        ("visitor", "visitors without an account"),
        ("everything", "everything"),
    ],
)
def test_a_subject_is_called_by_what_it_is(subject: str, words: str) -> None:
    assert subject_in_words(subject, NAMES) == words


def test_erasures_and_holds_are_told_with_names_and_without_ids() -> None:
    proposed = {
        "type": "redaction.proposed",
        "actor": KEEPER,
        "facts": {"subject": "person:7"},
        "outcome": {"decision": "propose", "reason_code": "asked"},
    }
    held = {
        "type": "hold.set",
        "actor": KEEPER,
        "facts": {"scope": "person", "target": "7"},
    }
    assert people_in(proposed) == people_in(held) == {"5", "7"}
    told = sentence(proposed, NAMES)
    assert told == "Kim proposed to erase what the log keeps apart about Ada: on request."
    assert sentence(held, NAMES) == "Kim set a legal hold on Ada."
    held["facts"] = {"scope": "run", "target": RUN}
    assert sentence(held, NAMES) == "Kim set a legal hold on the run …0f2dd01c."
