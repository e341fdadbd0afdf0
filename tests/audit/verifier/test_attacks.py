"""Attacks with the database and the signing key in hand, and the sentence that names each of them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from audit.verifier import verify
from tests.audit.verifier.conftest import REQUEST, RUN
from tests.audit.verifier.logbook import Event, Log, Signer, repack

NOT_THE_ROOT = "The events do not lead to the root that the checkpoint signs"


@pytest.fixture
def sealed(log: Log, monkeypatch: pytest.MonkeyPatch) -> Log:
    """The log with the checkpoint of before the attack: the sealer signed, then somebody changed rows."""
    checkpoint, root = log.checkpoint(), log.root()
    monkeypatch.setattr(log, "checkpoint", lambda size: checkpoint)
    monkeypatch.setattr(log, "root", lambda size: root)
    return log


def edited(event: Event, **changes: Any) -> Event:
    return Event(
        orjson.dumps(orjson.loads(event.body) | changes, option=orjson.OPT_SORT_KEYS),
        event.disclosures,
    )


def test_an_edited_row_is_named(sealed: Log, tmp_path: Path, said: Any) -> None:
    sealed.events[3] = edited(sealed.events[3], facts={"step": 9})
    code, text = said(sealed.export(tmp_path / "export.zip"))
    assert code == 1
    assert NOT_THE_ROOT in text
    assert "line 4: one of them was changed after it was written" in text


def test_a_deleted_row_is_named(sealed: Log, tmp_path: Path, said: Any) -> None:
    del sealed.events[3]
    code, text = said(sealed.export(tmp_path / "export.zip"))
    assert code == 1
    assert "another checkpoint than the one that is here" in text
    # The same with a manifest and proofs that claim the sealed size: the count of leaves does not fit.
    sealed.record("policy")
    code, text = said(sealed.export(tmp_path / "export.zip"))
    assert code == 1
    assert NOT_THE_ROOT in text
    assert "what lay between was taken out" in text


def test_rows_in_another_order_are_named(sealed: Log, tmp_path: Path, said: Any) -> None:
    first, second = _two_of(sealed, RUN)
    sealed.events[first], sealed.events[second] = sealed.events[second], sealed.events[first]
    code, text = said(sealed.export(tmp_path / "export.zip"))
    assert code == 1
    assert NOT_THE_ROOT in text


def _two_of(log: Log, stream: str) -> tuple[int, int]:
    found = [
        index
        for index, event in enumerate(log.events)
        if orjson.loads(event.body)["stream"] == stream
    ]
    return found[1], found[2]


def test_rows_in_another_order_are_named_even_with_the_key(
    log: Log, tmp_path: Path, said: Any
) -> None:
    first, second = _two_of(log, RUN)
    log.events[first], log.events[second] = log.events[second], log.events[first]
    code, text = said(log.export(tmp_path / "export.zip"))
    assert code == 1
    assert "what lay between was taken out" in text or "the order was changed" in text


def test_a_selection_in_another_order_is_named_even_with_the_key(
    log: Log, tmp_path: Path, said: Any
) -> None:
    first, second = _two_of(log, RUN)
    log.events[first], log.events[second] = log.events[second], log.events[first]
    path = log.export(
        tmp_path / "export.zip",
        chosen=lambda index, event: index in (first, second),
        by_place=False,
    )
    code, text = said(path)
    assert (code, "the order was changed" in text) == (1, True)


@pytest.mark.parametrize(
    ("event", "ends"),
    [
        ({"type": "request.decided", "facts": {"state": "rejected"}}, True),
        ({"type": "request.decided", "facts": {"state": "answered"}}, True),
        ({"type": "request.decided", "facts": {"state": "approved"}}, False),
        ({"type": "request.decided"}, False),
        ({"type": "request.expired"}, True),
        ({"type": "model.called", "facts": {"state": "rejected"}}, False),
    ],
)
def test_a_story_ends_where_nothing_has_to_follow(event: dict[str, Any], ends: bool) -> None:
    assert verify.ends_story(event) is ends


def test_an_edit_with_the_key_breaks_the_story(log: Log, tmp_path: Path, said: Any) -> None:
    log.events[3] = edited(log.events[3], facts={"step": 9})
    code, text = said(log.export(tmp_path / "export.zip"))
    assert code == 1
    assert "one of them was changed after it was written" in text


def test_a_story_without_its_beginning_breaks_a_whole_log(
    log: Log, tmp_path: Path, said: Any
) -> None:
    del log.events[0]
    code, text = said(log.export(tmp_path / "export.zip"))
    assert code == 1
    assert "those before it are missing although the log is here from its beginning" in text


def test_history_rewritten_with_the_key_is_caught_by_the_state_file(
    log: Log, tmp_path: Path, said: Any
) -> None:
    state = str(tmp_path / "state")
    said(log.export(tmp_path / "one.zip"), "--state", state)
    # The whole log is written anew, every link and signature fits, and one amount is another one.
    rewritten = Log()
    for event in log.events:
        body = orjson.loads(event.body)
        disclosed = body.pop("_sd", None)
        more = {
            key: value
            for key, value in body.items()
            if key not in ("v", "id", "type", "stream", "seq", "prev", "time", "actor")
        }
        if body["type"] == "effect.succeeded":
            more["action"] = {"tool": "issue_refund", "risk": "low"}
        if disclosed:
            more["facts"] = {"why": "same"}
        rewritten.record(body["stream"], body["type"], **more)
    rewritten.record()
    assert said(rewritten.export(tmp_path / "two.zip"))[0] == 0
    for since in ((), (21,)):
        path = rewritten.export(tmp_path / "two.zip", since=since)
        code, text = said(path, "--state", state)
        assert code == 1
        assert "The log is not the one that you checked last: among the first 21 events" in text
    at_the_same_size = rewritten.export(tmp_path / "three.zip", size=21)
    code, text = said(at_the_same_size, "--state", state)
    assert code == 1
    assert "The log is not the one that you checked last" in text


def test_a_tail_that_was_cut_is_caught_by_the_state_file(
    log: Log, tmp_path: Path, said: Any
) -> None:
    state = str(tmp_path / "state")
    said(log.export(tmp_path / "one.zip"), "--state", state)
    code, text = said(log.cut(17).export(tmp_path / "two.zip"), "--state", state)
    assert code == 1
    assert "The log had 21 events when you checked last and has 17 in this export" in text
    assert "its tail was cut, or an old export is shown as a new one" in text


def test_an_old_export_shown_as_new_does_not_answer_the_challenge(
    log: Log, tmp_path: Path, said: Any
) -> None:
    old = log.export(tmp_path / "old.zip", challenge="of last year")
    code, text = said(old, "--challenge", "of today")
    assert code == 1
    assert 'does not answer your challenge: it was made for "of last year"' in text
    assert "2026-11-21T13:00:00" in text
    code, text = said(log.export(tmp_path / "none.zip"), "--challenge", "of today")
    assert (code, "it was made for no challenge" in text) == (1, True)


def test_a_filtered_export_that_claims_to_be_whole_is_refused(
    log: Log, tmp_path: Path, said: Any
) -> None:
    def but_one(index: int, event: dict[str, Any]) -> bool:
        return index != 9

    path = log.export(
        tmp_path / "export.zip",
        chosen=but_one,
        completeness={"kind": "range", "first": 0, "end": 21, "dropped": 0},
    )
    code, text = said(path)
    assert code == 1
    assert "says that it is whole from place 0 to place 20 of the log, and it is not" in text
    assert "missing at 1 places" in text
    for first, end in ((1, 21), (0, 20), (5, 2), (0, 22), (None, None)):
        claim = {"kind": "range", "first": first, "end": end, "dropped": 0}
        code, text = said(log.export(path, chosen=but_one, completeness=claim))
        assert (code, "another range of places than its events have" in text) == (1, True)


def test_what_was_dropped_after_its_time_is_said_and_not_proved(
    log: Log, tmp_path: Path, said: Any
) -> None:
    path = log.export(
        tmp_path / "export.zip",
        chosen=lambda index, event: index >= 3,
        completeness={"kind": "range", "first": 0, "end": 21, "dropped": 3},
    )
    code, text = said(path)
    assert code == 0
    assert "What stood at 3 places of the log" in text
    assert "none is left out" not in text


@pytest.mark.parametrize("left_out", [0, 1])
def test_a_story_with_an_event_left_out_is_refused(
    log: Log, tmp_path: Path, said: Any, left_out: int
) -> None:
    story = [
        index
        for index, event in enumerate(log.events)
        if orjson.loads(event.body)["stream"] == REQUEST
    ]
    kept = [index for index in story if index != story[left_out]]
    path = log.export(
        tmp_path / "export.zip",
        chosen=lambda index, event: index in kept,
        completeness={"kind": "story", "stream": REQUEST, "ended": True},
    )
    code, text = said(path)
    assert code == 1
    assert "says that it is one whole story, and it is not" in text


def test_a_story_that_did_not_end_may_not_be_said_to_have_ended(
    log: Log, tmp_path: Path, said: Any
) -> None:
    story = [
        index
        for index, event in enumerate(log.events)
        if orjson.loads(event.body)["stream"] == REQUEST
    ]
    path = log.export(
        tmp_path / "export.zip",
        chosen=lambda index, event: index in story[:2],
        completeness={"kind": "story", "stream": REQUEST, "ended": True},
    )
    code, text = said(path)
    assert code == 1
    assert "otherwise than its events whether the story ended" in text


def test_a_log_of_another_name_is_not_the_one_that_was_checked(
    log: Log, tmp_path: Path, said: Any
) -> None:
    state = tmp_path / "state"
    said(log.export(tmp_path / "export.zip"), "--state", str(state))
    other = json.loads(state.read_text()) | {"origin": "log.example/other"}
    state.write_text(json.dumps(other))
    code, text = said(tmp_path / "export.zip", "--state", str(state))
    assert code == 1
    assert "your state file is about log.example/other" in text


def test_somebody_elses_key_is_not_the_logs(log: Log, tmp_path: Path, said: Any) -> None:
    forged = Log([Signer(seed=b"9" * 32)])
    forged.record()
    code, text = said(forged.export(tmp_path / "export.zip"), "--key", Signer().verifier)
    assert code == 1
    assert "not signed by a key that you trust" in text


def test_a_signature_made_with_another_key_is_refused(log: Log, tmp_path: Path, said: Any) -> None:
    thief = Signer(seed=b"9" * 32)
    thief.id = log.signers[0].id
    key = log.signers[0].verifier
    log.signers = [thief]
    code, text = said(log.export(tmp_path / "export.zip", keys=[key]))
    assert code == 1
    assert "was not signed by log.example/countersign as it stands" in text


def test_a_disclosure_of_something_else_is_refused(log: Log, tmp_path: Path, said: Any) -> None:
    one, two, *_ = (event for event in log.events if b"signin.succeeded" in event.body)
    one.disclosures, two.disclosures = two.disclosures, one.disclosures
    code, text = said(log.export(tmp_path / "export.zip"))
    assert code == 1
    assert "is not the one that was bound into it" in text


def test_a_disclosure_that_is_left_out_in_silence_is_refused(
    log: Log, tmp_path: Path, said: Any
) -> None:
    next(event for event in log.events if event.disclosures).disclosures.clear()
    path = log.export(tmp_path / "export.zip", patch={"redacted": 0})
    code, text = said(path)
    assert code == 1
    assert "1 disclosures are missing and the manifest says that 0 were erased" in text


def test_a_document_that_is_left_out_in_silence_is_refused(
    log: Log, tmp_path: Path, said: Any
) -> None:
    log.documents.popitem()
    path = log.export(tmp_path / "export.zip", patch={"content": {"absent": 0}})
    code, text = said(path)
    assert code == 1
    assert "1 documents that the events speak of are not here, and the manifest says 0" in text


def test_a_table_that_says_otherwise_names_the_cell(log: Log, tmp_path: Path, said: Any) -> None:
    path = log.export(
        tmp_path / "export.zip",
        forge={
            "events.csv": lambda data: data.replace(
                b'"issue_refund","high"', b'"issue_refund","low"', 1
            )
        },
    )
    code, text = said(path)
    assert code == 1
    assert "in line 4, the cell risk says 'low' and the event 'high'" in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data + b'"more"\r\n', "events.csv has more lines than there are events"),
        (lambda data: data[:-10], "is not written as the event says"),
        (lambda data: b"", "is not written as the event says"),
    ],
)
def test_a_longer_or_shorter_table_is_refused(
    log: Log, tmp_path: Path, said: Any, change: Any, sentence: str
) -> None:
    code, text = said(log.export(tmp_path / "export.zip", forge={"events.csv": change}))
    assert code == 1
    assert sentence in text


def test_a_manifest_that_counts_other_events_or_disclosures_is_refused(
    log: Log, tmp_path: Path, said: Any
) -> None:
    code, text = said(log.export(tmp_path / "export.zip", patch={"events": 20}))
    assert (code, "speaks of another number of events" in text) == (1, True)
    code, text = said(log.export(tmp_path / "export.zip", patch={"disclosures": {"count": 1}}))
    assert (code, "some were left out" in text) == (1, True)


def test_a_document_that_no_event_speaks_of_is_refused(log: Log, tmp_path: Path, said: Any) -> None:
    path = log.export(tmp_path / "export.zip")
    name = "content/" + hashlib.sha256(b"smuggled").hexdigest()

    def with_it(files: dict[str, bytes]) -> dict[str, bytes]:
        found = {**files, name: b"smuggled"}
        return {each: found[each] for each in sorted(found, key=verify.place_of)}  # type: ignore[arg-type]

    def told(manifest: dict[str, Any]) -> None:
        names = sorted([name, *(f"content/{digest[7:]}" for digest in log.documents)])
        listed = hashlib.sha256("".join(f"{each}\n" for each in names).encode())
        manifest["content"] |= {"documents": 3, "sha256": listed.hexdigest()}

    code, text = said(repack(path, log, told, files=with_it))
    assert (code, f"The document {name} is here and no event speaks of it" in text) == (1, True)


def test_a_document_of_other_bytes_than_its_name_says_is_refused(
    log: Log, tmp_path: Path, said: Any
) -> None:
    def other(files: dict[str, bytes]) -> dict[str, bytes]:
        return {
            name: b"other" if name.startswith("content/") else data for name, data in files.items()
        }

    code, text = said(repack(log.export(tmp_path / "export.zip"), log, files=other))
    assert (code, "was changed: its SHA-256 is" in text) == (1, True)


def test_a_manifest_that_was_exchanged_under_its_signature_is_refused(
    log: Log, tmp_path: Path, said: Any
) -> None:
    path = log.export(tmp_path / "export.zip")
    repack(path, log, lambda manifest: manifest.update(challenge="of today"), sign=False)
    code, text = said(path, "--challenge", "of today")
    assert (code, "MANIFEST.json is not the one that was signed" in text) == (1, True)
