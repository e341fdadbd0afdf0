"""What witnesses signed, checked offline: the export continues it, or does not hold."""

from pathlib import Path
from typing import Any

import pytest

from tests.audit.verifier.logbook import Log, Signer
from tests.audit.witness import TestWitness

SEEN_AT = 1_795_255_200
# No calendar has that day: the year 10,000 has begun.
PAST_THE_LAST_DAY = 253_402_300_800


def cosigned(note: str, witness: TestWitness) -> str:
    return note + witness.cosigned(note.partition("\n\n")[0] + "\n", SEEN_AT)


@pytest.fixture
def witness() -> TestWitness:
    return TestWitness()


def test_the_log_continues_what_a_trusted_witness_has_seen(
    log: Log, said: Any, tmp_path: Path, witness: TestWitness
) -> None:
    for size, since in ((12, [12]), (21, [])):
        path = log.export(
            tmp_path / "e.zip", since=since, cosigned=cosigned(log.checkpoint(size), witness)
        )
        code, text = said(path, "--witness", witness.key)
        assert code == 0, text
        assert (
            f"The witness witness.example/w1 saw the first {size} events of this log at 2026-11-21T10:00:00Z"
            in text
        )
        code, text = said(path)
        assert code == 0
        assert "What witnesses signed: give the key of one that you trust with --witness." in text


def test_a_history_that_was_rewritten_and_signed_anew_does_not_continue_it(
    log: Log, said: Any, tmp_path: Path, witness: TestWitness
) -> None:
    seen = cosigned(log.checkpoint(12), witness)
    other = Log(log.signers)
    for number in range(21):
        other.record("person:8", facts={"n": number})
    code, text = said(
        other.export(tmp_path / "e.zip", since=[12], cosigned=seen), "--witness", witness.key
    )
    assert code == 1
    assert "does not begin with the 12 events that were cosigned" in text


@pytest.mark.parametrize("with_key", [True, False])
def test_a_cosigned_checkpoint_that_does_not_fit_is_named(
    log: Log, said: Any, tmp_path: Path, witness: TestWitness, with_key: bool
) -> None:
    options = ("--witness", witness.key) if with_key else ()
    there = log.checkpoint(12)
    elsewhere = there.replace("log.example/countersign\n12", "log.example/other\n12", 1)
    stranger = Log([Signer(seed=b"2" * 32)])
    stranger.events = log.events
    for note, since, sentence in (
        (there, [], "The proof that the log continues the cosigned checkpoint is missing."),
        (log.checkpoint(12).replace("\n12\n", "\n13\n", 1), [12], "was not signed by"),
        (elsewhere, [12], "was not signed by"),
        (stranger.checkpoint(12), [12], "is not signed by a key that you trust"),
        ("nothing\n", [12], "is not a signed note"),
    ):
        made = cosigned(note, witness) if "\n\n" in note else note
        code, text = said(log.export(tmp_path / "e.zip", since=since, cosigned=made), *options)
        assert code == 1, (note, text)
        assert sentence in text
    later = log.checkpoint(21)
    shorter = log.export(tmp_path / "e.zip", size=20, cosigned=cosigned(later, witness))
    code, text = said(shorter, *options)
    assert (code, "is not one of this log before this export" in text) == (1, True)


def test_a_witness_that_was_asked_for_and_is_not_there_or_signed_something_else(
    log: Log, said: Any, tmp_path: Path, witness: TestWitness
) -> None:
    code, text = said(log.export(tmp_path / "e.zip"), "--witness", witness.key)
    assert (code, "holds no checkpoint that a witness cosigned" in text) == (2, True)
    path = log.export(tmp_path / "e.zip", cosigned=cosigned(log.checkpoint(), TestWitness()))
    code, text = said(path, "--witness", witness.key)
    assert (code, "has no cosignature by" in text) == (2, True)
    note = log.checkpoint()
    signed = note.partition("\n\n")[0] + "\n"
    for text_signed, moment in (("another text\n", SEEN_AT), (signed, PAST_THE_LAST_DAY)):
        wrong = note + witness.cosigned(text_signed, moment)
        code, text = said(log.export(tmp_path / "e.zip", cosigned=wrong), "--witness", witness.key)
        assert (code, "was not cosigned by witness.example/w1 as it stands" in text) == (1, True)
    code, text = said(log.export(tmp_path / "e.zip"), "--witness", log.signers[0].verifier)
    assert (code, "is not an Ed25519 verifier key of a witness" in text) == (2, True)
