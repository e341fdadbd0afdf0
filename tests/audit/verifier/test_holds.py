"""What verify.py says of exports that hold: what is proved, and just as plainly what is not."""

import json
import zipfile
from pathlib import Path
from typing import Any

from tests.audit.verifier.conftest import REQUEST, RUN
from tests.audit.verifier.logbook import ORIGIN, Log, Signer


def test_the_whole_log_is_proved_whole(log: Log, tmp_path: Path, said: Any) -> None:
    code, text = said(log.export(tmp_path / "export.zip"))
    assert code == 0
    assert "Each of the 21 events stands in the log under this checkpoint, byte for byte." in text
    assert "They are the whole log up to the checkpoint: none is left out." in text
    assert "the events say was true when it was written" in text


def test_the_same_export_is_the_same_bytes(log: Log, tmp_path: Path) -> None:
    one = log.export(tmp_path / "one.zip", file_name="export.zip")
    two = log.export(tmp_path / "two.zip", file_name="export.zip")
    assert one.read_bytes() == two.read_bytes()


def test_any_unzip_reads_it(log: Log, tmp_path: Path) -> None:
    with zipfile.ZipFile(log.export(tmp_path / "export.zip", since=[0, 4])) as opened:
        assert opened.testzip() is None
        assert opened.read("events.jsonl") == b"".join(event.body + b"\n" for event in log.events)
        names = opened.namelist()
        assert names[:5] == [
            "MANIFEST.json",
            "MANIFEST.note",
            "checkpoint",
            "events.jsonl",
            "proofs",
        ]
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.compress_type for info in opened.infolist()} == {zipfile.ZIP_STORED}


def test_an_empty_log_holds(tmp_path: Path, said: Any) -> None:
    code, text = said(Log().export(tmp_path / "export.zip"))
    assert code == 0
    assert "Each of the 0 events" in text


def test_a_range_is_proved_whole_between_its_ends(log: Log, tmp_path: Path, said: Any) -> None:
    path = log.export(
        tmp_path / "export.zip",
        chosen=lambda index, event: 5 <= index < 12,
        filters={"since": "2026-11-01T00:00:00.000000Z"},
    )
    code, text = said(path)
    assert code == 0
    assert "whole from place 5 to place 11 of the 21 places of the log" in text
    assert "which places belong to it is the log's own word" in text
    proofs = zipfile.ZipFile(path).read("proofs").decode().splitlines()
    assert len(proofs) < 12


def test_a_story_is_whole_when_it_has_ended(log: Log, tmp_path: Path, said: Any) -> None:
    for stream, last in ((RUN, 8), (REQUEST, 3)):
        code, text = said(
            log.export(
                tmp_path / "export.zip",
                chosen=lambda index, event, stream=stream: event["stream"] == stream,
                by_place=False,
                story=stream,
                filters={"stream": stream},
            )
        )
        assert code == 0
        assert (
            f"{stream} is whole from its first event to number {last}, with which it ended" in text
        )
        assert "What was added to the story after its end" in text


def test_a_story_that_goes_on_is_not_proved_whole(log: Log, tmp_path: Path, said: Any) -> None:
    code, text = said(
        log.export(
            tmp_path / "export.zip",
            chosen=lambda index, event: event["stream"] == "person:7",
            by_place=False,
            story="person:7",
        )
    )
    assert code == 0
    assert "That the story person:7 is whole: it has not ended" in text


def test_a_selection_proves_inclusion_only(log: Log, tmp_path: Path, said: Any) -> None:
    code, text = said(
        log.export(
            tmp_path / "export.zip",
            chosen=lambda index, event: event["type"] == "model.called" and index > 4,
            by_place=False,
            filters={"type": "model.called"},
        )
    )
    assert code == 0
    assert "Each of the 5 events stands in the log" in text
    assert "That nothing is left out: the events were chosen" in text
    assert "of 1 of them not all events are here" in text


def test_erased_disclosures_are_counted_and_break_nothing(
    log: Log, tmp_path: Path, said: Any
) -> None:
    for event in log.events[:8]:
        event.disclosures = event.disclosures[:0]
    code, text = said(log.export(tmp_path / "export.zip"))
    assert code == 0
    assert "disclosures are the ones that were bound into their events; " in text
    erased = json.loads(zipfile.ZipFile(tmp_path / "export.zip").read("MANIFEST.json"))["redacted"]
    assert erased > 0
    assert f"{erased} more were erased" in text


def test_left_out_disclosures_are_said(log: Log, tmp_path: Path, said: Any) -> None:
    path = log.export(tmp_path / "export.zip", with_disclosures=False)
    code, text = said(path)
    assert code == 0
    assert "personal data and free text: they were not asked for" in text
    with zipfile.ZipFile(path) as opened:
        assert "disclosures.jsonl" not in opened.namelist()
        assert b"192.0.2" not in path.read_bytes()


def test_documents_are_named_and_missing_ones_are_said(log: Log, tmp_path: Path, said: Any) -> None:
    code, text = said(log.export(tmp_path / "export.zip"))
    assert "The 2 documents in content/ are the ones that the events speak of" in text
    log.documents.popitem()
    code, text = said(log.export(tmp_path / "export.zip"))
    assert code == 0
    assert "What 1 more digests stand for" in text


def test_a_challenge_shows_that_an_export_is_new(log: Log, tmp_path: Path, said: Any) -> None:
    path = log.export(tmp_path / "export.zip", challenge="seven herons")
    code, text = said(path, "--challenge", "seven herons")
    assert code == 0
    assert 'made after you gave the challenge "seven herons"' in text
    assert "That this export is new" in said(path)[1]


def test_a_key_from_elsewhere_or_from_the_last_check_is_held_to(
    log: Log, tmp_path: Path, said: Any
) -> None:
    path, state = log.export(tmp_path / "export.zip"), str(tmp_path / "state")
    assert "nobody but the export says so" in said(path)[1]
    assert "nobody but the export says so" not in said(path, "--key", Signer().verifier)[1]
    said(path, "--state", state)
    assert "nobody but the export says so" not in said(path, "--state", state)[1]


def test_a_second_check_proves_that_nothing_before_was_changed(
    log: Log, tmp_path: Path, said: Any
) -> None:
    state = str(tmp_path / "state")
    assert said(log.export(tmp_path / "one.zip"), "--state", state)[0] == 0
    for _ in range(6):
        log.record()
    later = log.export(
        tmp_path / "two.zip", chosen=lambda index, _: index > 23, by_place=False, since=[21]
    )
    code, text = said(later, "--state", state)
    assert code == 0
    assert "Nothing that the log held when you checked last (21 events) has been changed" in text
    assert json.loads(Path(state).read_text())["size"] == 27
    code, text = said(later, "--state", state)
    assert (code, "last (27 events)" in text) == (0, True)


def test_a_whole_log_needs_no_proof_of_consistency(log: Log, tmp_path: Path, said: Any) -> None:
    state = str(tmp_path / "state")
    said(log.export(tmp_path / "one.zip"), "--state", state)
    log.record()
    code, text = said(log.export(tmp_path / "two.zip"), "--state", state)
    assert code == 0
    assert "last (21 events) has been changed or taken away" in text


def test_without_a_proof_from_the_last_check_it_says_what_to_ask_for(
    log: Log, tmp_path: Path, said: Any
) -> None:
    state = str(tmp_path / "state")
    said(log.export(tmp_path / "one.zip"), "--state", state)
    kept = Path(state).read_text()
    for _ in range(6):
        log.record()
    later = log.export(tmp_path / "two.zip", chosen=lambda index, _: index > 25, by_place=False)
    code, text = said(later, "--state", state)
    assert code == 2
    assert "Ask for an export with since_size=21" in text
    assert Path(state).read_text() == kept


def test_keys_change_hands_while_both_sign(log: Log, tmp_path: Path, said: Any) -> None:
    state, new = str(tmp_path / "state"), Signer(seed=b"2" * 32)
    said(log.export(tmp_path / "export.zip"), "--state", state)
    old = log.signers[0]
    log.signers = [old, new]
    assert said(log.export(tmp_path / "export.zip"), "--state", state)[0] == 0
    log.signers = [new]
    assert said(log.export(tmp_path / "export.zip"), "--state", state)[0] == 0
    log.signers = [old]
    code, text = said(log.export(tmp_path / "export.zip"), "--state", state)
    assert code == 1
    assert "not signed by a key that you trust" in text


def test_a_witness_may_sign_too(log: Log, tmp_path: Path, said: Any) -> None:
    log.signers.append(Signer("witness.example", b"3" * 32))
    own, witness = (signer.verifier for signer in log.signers)
    path = log.export(tmp_path / "export.zip", keys=[own, witness])
    for options in ((), ("--key", own), ("--key", witness, "--key", own)):
        code, text = said(path, *options)
        assert (code, f"are signed by {own}" in text) == (0, True)
    # It vouches beside the log, and not in its place.
    code, text = said(path, "--key", witness)
    assert (code, "not signed by a key that you trust" in text) == (1, True)


def test_a_mistyped_key_and_a_foreign_state_file_are_refused(
    log: Log, tmp_path: Path, said: Any
) -> None:
    path = log.export(tmp_path / "export.zip")
    key = Signer().verifier
    for wrong in ("nonsense", key.replace("+", "", 1), "x" + key, key[:-4] + "AAAA"):
        assert said(path, "--key", wrong)[0] == 2
    state = tmp_path / "state"
    for text in ("", "{}", "[]", '{"format":"countersign-verify-state/1","size":1}'):
        state.write_text(text)
        code, printed = said(path, "--state", str(state))
        assert (code, "not one that this program wrote" in printed) == (2, True)
    state.unlink()
    assert said(path, "--state", str(state))[0] == 0
    kept = json.loads(state.read_text())
    for wrong_part in ({"format": "another/1"}, {"size": "21"}, {"size": True}, {"root": "x"}):
        state.write_text(json.dumps(kept | wrong_part))
        code, printed = said(path, "--state", str(state))
        assert (code, "not one that this program wrote" in printed) == (2, True)
    assert said(path, "--state", str(tmp_path))[0] == 2
    assert said(path, "--state", str(tmp_path / "no" / "folder"))[0] == 2


def test_events_that_were_not_sealed_yet_are_said(log: Log, tmp_path: Path, said: Any) -> None:
    _, text = said(log.export(tmp_path / "export.zip", not_sealed=3))
    assert "3 events that were not sealed yet" in text


def test_the_origin_is_printed(log: Log, tmp_path: Path, said: Any) -> None:
    assert (
        f"The checkpoint of the log {ORIGIN}, with 21 events in it"
        in said(log.export(tmp_path / "export.zip"))[1]
    )


def test_a_formula_in_an_event_is_defused_in_the_table_and_holds(tmp_path: Path, said: Any) -> None:
    log = Log()
    log.record(
        actor={"kind": "person", "id": "=HYPERLINK(1)", "auth": "'quoted'"}, facts={"why": '"='}
    )
    path = log.export(tmp_path / "export.zip")
    assert said(path)[0] == 0
    table = zipfile.ZipFile(path).read("events.csv")
    assert b"\"'=HYPERLINK(1)\",\"''quoted'\"" in table


def test_an_event_that_says_an_earlier_time_is_named(tmp_path: Path, said: Any) -> None:
    log = Log()
    for time in ("12:00:00", "12:40:00", "11:41:00", "11:39:59", "09:00:00", "12:41:00"):
        log.record(time=f"2026-11-21T{time}.000000Z")
    code, text = said(log.export(tmp_path / "export.zip"))
    assert code == 0
    assert (
        "When 2 of the events were written: the one in line 4 says 2026-11-21T11:39:59.000000Z, and stands after "
        "one of 2026-11-21T12:40:00.000000Z." in text
    )
    log = Log()
    log.record(time="yesterday")
    code, text = said(log.export(tmp_path / "export.zip"))
    assert (code, "its time is none" in text) == (1, True)
