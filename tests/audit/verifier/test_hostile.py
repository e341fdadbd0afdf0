"""Files that were never exports, or were damaged: each ends with 1 and a sentence, never with a trace."""

import json
import random
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from audit.bundle.parts import Part, StoredZip
from audit.verifier import verify
from tests.audit.verifier.logbook import Log, repack

BROKEN = "The ZIP is not byte for byte as an export is written"


@pytest.fixture
def small() -> Log:
    log = Log()
    policy = log.document(b'{"rules":[]}')
    for step in range(4):
        log.record(
            facts={"step": step}, disclose={"why": "x"}, policy={"version": 1, "sha256": policy}
        )
    return log


def test_one_byte_changed_anywhere_is_noticed(small: Log, tmp_path: Path, said: Any) -> None:
    path = small.export(tmp_path / "export.zip", since=[3])
    whole = path.read_bytes()
    assert said(path)[0] == 0
    headers = [place for part in (b"PK\1\2", b"PK\3\4") for place in _all(whole, part)[:2]]
    places = {place + offset for place in headers for offset in range(46)}
    random.seed(6962)
    program = range(whole.index(b"#!/usr/bin/env"), whole.index(b"sys.exit(main())"))
    others = [place for place in range(len(whole)) if place not in program]
    places |= {*random.sample(others, 250), *random.sample(program, 10), *others[-22:]}
    for place in sorted(places & set(range(len(whole)))):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        code, text = said(path)
        assert (code, text.startswith("THIS EXPORT DOES NOT HOLD.")) == (1, True), place


def _all(whole: bytes, part: bytes) -> list[int]:
    found, at = [], whole.find(part)
    while at >= 0:
        found.append(at)
        at = whole.find(part, at + 1)
    return found


def test_a_byte_more_or_less_is_noticed(small: Log, tmp_path: Path, said: Any) -> None:
    path = small.export(tmp_path / "export.zip")
    whole = path.read_bytes()
    for changed in (whole + b"\0", whole[:-1], whole[: len(whole) // 2], b"", whole[1:], b"PK\3\4"):
        path.write_bytes(changed)
        assert said(path)[0] == 1


def _zip(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, data in entries.items():
            made.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, compression)
    return path


def test_a_zip_bomb_is_not_unpacked(small: Log, tmp_path: Path, said: Any) -> None:
    bomb = _zip(tmp_path / "bomb.zip", {"MANIFEST.json": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    code, text = said(bomb)
    assert code == 1
    assert "An entry is compressed" in text


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "content/../../evil",
        "content/" + "g" * 64,
        "C:\\evil",
        "events.jsonl/",
        "",
    ],
)
def test_a_name_that_no_export_has_is_refused(
    small: Log, tmp_path: Path, said: Any, name: str
) -> None:
    path = small.export(tmp_path / "export.zip")
    with path.open("wb") as file:
        file.write(verify.local_header(name, 0, 0))
    code, text = said(path)
    assert code == 1
    assert "does not belong into an export" in text


def test_a_name_that_stands_twice_or_at_another_place_is_refused(
    small: Log, tmp_path: Path, said: Any
) -> None:
    header = verify.local_header("MANIFEST.json", 0, 0)
    path = tmp_path / "export.zip"
    for second in (header, verify.local_header("MANIFEST.json", 0, 0)):
        path.write_bytes(header + second)
        code, text = said(path)
        assert (code, "stands twice or at another place" in text) == (1, True)


def test_bytes_between_entries_and_a_directory_of_other_files_are_refused(
    small: Log, tmp_path: Path, said: Any
) -> None:
    path = small.export(tmp_path / "export.zip")
    whole = path.read_bytes()
    at = whole.index(b"PK\3\4", 4)
    path.write_bytes(whole[:at] + b"hidden" + whole[at:])
    assert BROKEN in said(path)[1]
    # Readers that go by the directory would see another file than readers that go by the entries.
    at = whole.index(b"PK\1\2")
    path.write_bytes(whole[:at] + whole[at:].replace(b"events.jsonl", b"events.jsonX"))
    assert BROKEN in said(path)[1]


def test_a_zip_packed_anew_says_why_it_is_refused(small: Log, tmp_path: Path, said: Any) -> None:
    with zipfile.ZipFile(small.export(tmp_path / "export.zip")) as opened:
        entries = {name: opened.read(name) for name in opened.namelist()}
    _code, text = said(_zip(tmp_path / "again.zip", entries, zipfile.ZIP_DEFLATED))
    assert "packed anew by another program" in text


def _without(name: str) -> Any:
    return lambda files: {each: data for each, data in files.items() if each != name}


@pytest.mark.parametrize("name", verify.NEEDED[2:])
def test_a_missing_file_is_named(small: Log, tmp_path: Path, said: Any, name: str) -> None:
    path = repack(small.export(tmp_path / "export.zip"), small, files=_without(name))
    code, text = said(path)
    assert (code, f"The file {name} is missing" in text) == (1, True)


def test_a_file_that_the_manifest_does_not_name_or_names_otherwise_is_refused(
    small: Log, tmp_path: Path, said: Any
) -> None:
    path = small.export(tmp_path / "export.zip", since=[2])
    kept = path.read_bytes()
    repack(path, small, lambda manifest: manifest["files"].pop("README.txt"))
    assert "README.txt stands in the export and not in the manifest" in said(path)[1]
    path.write_bytes(kept)
    repack(path, small, files=_without("disclosures.jsonl"))
    assert "disclosures.jsonl stands in the manifest and not in the export" in said(path)[1]
    path.write_bytes(kept)
    repack(path, small, files=_without("consistency/2"))
    assert "consistency/2 stands in the manifest and not in the export" in said(path)[1]
    path.write_bytes(kept)
    repack(path, small, files=lambda files: files | {"README.txt": b"other"})
    assert "README.txt is not the one that the manifest was written for" in said(path)[1]
    path.write_bytes(kept)
    repack(
        path,
        small,
        files=lambda files: {
            name: data for name, data in files.items() if not name.startswith("content/")
        },
    )
    assert "The documents in content/ are not those that the manifest speaks of" in said(path)[1]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format":NaN}',
        b'{"format":1.5}',
        b'{"format":"a","format":"countersign-export/1"}',
        b'{ "format":"countersign-export/1"}',
        b'{"format":"countersign-export/1"}',
        b'{"format":"\xff"}',
        b'{"format":"\\ud800"}',
        b'{"format":12345678901234567890}',
        b"[" * 100_000,
        b'{"format":"countersign-export/1","files":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_a_manifest_that_is_not_one_is_refused(
    small: Log, tmp_path: Path, said: Any, raw: bytes
) -> None:
    code, text = said(repack(small.export(tmp_path / "export.zip"), small, raw=raw))
    assert code == 1
    assert "MANIFEST.json is not as it is written" in text


def test_a_manifest_without_one_of_its_parts_or_of_another_kind_is_refused(
    small: Log, tmp_path: Path, said: Any
) -> None:
    path = small.export(tmp_path / "export.zip")
    kept = path.read_bytes()
    for key in verify._MANIFEST_KEYS:
        if key == "format":
            continue
        for change in (
            lambda manifest, key=key: manifest.pop(key),
            lambda manifest, key=key: manifest.update({key: True}),
        ):
            path.write_bytes(kept)
            code, text = said(repack(path, small, change))
            assert (code, text.startswith("THIS EXPORT DOES NOT HOLD.")) == (1, True), key


def test_a_file_of_another_kind_is_said_to_be_no_export(tmp_path: Path, said: Any) -> None:
    path = tmp_path / "letter.txt"
    for content in (b"", b"PK", b"Dear auditor,"):
        path.write_bytes(content)
        code, text = said(path)
        assert (code, "This file is not an export: it is no ZIP" in text) == (1, True)


def test_a_manifest_that_would_fill_the_memory_is_not_read(
    small: Log, tmp_path: Path, said: Any
) -> None:
    path = small.export(tmp_path / "export.zip")
    code, text = said(repack(path, small, raw=b" " * (verify.LARGEST_DOCUMENT + 1)))
    assert (code, "MANIFEST.json is larger than such a file may be" in text) == (1, True)


def test_a_later_format_cannot_be_checked(small: Log, tmp_path: Path, said: Any) -> None:
    path = repack(
        small.export(tmp_path / "export.zip"),
        small,
        lambda manifest: manifest.update(format="countersign-export/2"),
    )
    code, text = said(path)
    assert (code, "Use the verify.py of a newer release" in text) == (2, True)


EVENT = b'{"_sd":[],"id":"a","prev":null,"seq":1,"stream":"log","time":"2026-11-21T12:00:00.000000Z","type":"x","v":1}'


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "Expecting value"),
        (b"{}", "no event as the log writes them: 'id'"),
        (b"[]", "no event as the log writes them"),
        (b"1", "no event as the log writes them"),
        (b"NaN", "it holds NaN"),
        (b"[" * 50_000, "recursion"),
        (EVENT.replace(b'"v":1', b'"v":1.0'), "it holds 1.0"),
        (EVENT.replace(b'"v":1', b'"v": 1'), "not in canonical form"),
        (EVENT.replace(b'"id":"a"', b'"id":"a","id":"a"'), "not in canonical form"),
        (EVENT.replace(b'"id":"a"', b'"id":1'), "its id and type are no texts"),
        (EVENT.replace(b'"type":"x"', b'"type":null'), "its id and type are no texts"),
        (EVENT.replace(b'"log"', b"1"), "its story has no name"),
        (EVENT.replace(b'"log"', b'"\xed\xa0\x80"'), "can't decode"),
        (EVENT.replace(b'"seq":1', b'"seq":"1"'), "a number in its story that does not fit"),
        (EVENT.replace(b'"seq":1', b'"seq":true'), "a number in its story that does not fit"),
        (EVENT.replace(b'"seq":1', b'"seq":0'), "a number in its story that does not fit"),
        (EVENT.replace(b'"seq":1', b'"seq":2'), "a number in its story that does not fit"),
        (EVENT.replace(b"null", b'"sha256:00"'), "a number in its story that does not fit"),
        (
            EVENT.replace(b"null", b'"sha256:00"').replace(b'"seq":1', b'"seq":2'),
            "those before it are missing",
        ),
        (EVENT.replace(b"2026-11-21", b"yesterday"), "its time is none"),
        (EVENT.replace(b"2026-11-21", b"0001-01-01").replace(b"12", b"00"), "its time is none"),
        (EVENT.replace(b"[]", b"1"), "does not hold its digests as a list"),
        (EVENT.replace(b"[]", b'["a"]'), "some were left out"),
    ],
)
def test_a_line_that_is_no_event_is_refused_even_with_the_key(
    tmp_path: Path, said: Any, line: bytes, why: str
) -> None:
    log = Log()
    log.record()
    path = log.export(tmp_path / "export.zip")
    log.events[0].body = line

    def with_line(files: dict[str, bytes]) -> dict[str, bytes]:
        table = [[name for name, _ in verify.COLUMNS]]
        with suppress(ValueError, RecursionError):
            event = json.loads(line.decode())
            if isinstance(event, dict):
                table.append(verify.cells_of(event, log.events[0].leaf.hex()))
        changed = {
            "events.jsonl": line + b"\n",
            "events.csv": b"".join(map(verify.csv_line, table)),
            "checkpoint": log.checkpoint().encode(),
        }
        return files | changed

    def fitting(manifest: dict[str, Any]) -> None:
        for name, data in with_line({}).items():
            digest = verify.hashlib.sha256(data).hexdigest()
            manifest["files"][name] = {"bytes": len(data), "sha256": digest}
        manifest["checkpoint"]["root"] = log.root().hex()

    code, text = said(repack(path, log, fitting, files=with_line))
    assert (code, text.startswith("THIS EXPORT DOES NOT HOLD.")) == (1, True)
    assert why in text


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("events.jsonl", lambda data: b"x" * 60_001 + b"\n", "longer than 60000 bytes"),
        ("events.jsonl", lambda data: data[:-1], "has no end"),
        ("events.jsonl", lambda data: data + data, "more events than the proofs"),
        ("events.jsonl", lambda data: data[: data.index(b"\n") + 1], "events were taken out"),
        ("proofs", lambda data: b"", "not those of this checkpoint"),
        ("proofs", lambda data: data.replace(b"size 4", b"size 5"), "not those of this checkpoint"),
        ("proofs", lambda data: data + b"x\n", "not written as proofs are"),
        ("proofs", lambda data: data + b"leaves 0\n", "not written as proofs are"),
        ("proofs", lambda data: data + b"leaves 1\n", "not written as proofs are"),
        ("proofs", lambda data: data + b"node 99 " + b"0" * 64 + b"\n", "where none can stand"),
        ("proofs", lambda data: data + b"node 0 " + b"0" * 64 + b"\n", "do not lead to the root"),
        (
            "proofs",
            lambda data: data.replace(b"leaves 4", b"leaves 9"),
            "than the checkpoint covers",
        ),
        (
            "proofs",
            lambda data: data.replace(b"leaves 4", b"leaves 3"),
            "more events than the proofs",
        ),
        ("proofs", lambda data: data + b"x" * 200, "longer than 100 bytes"),
        ("disclosures.jsonl", lambda data: b"{}\n" + data, "disclosure is missing"),
        (
            "disclosures.jsonl",
            lambda data: data + data[: data.index(b"\n") + 1],
            "not here or stands at",
        ),
        ("disclosures.jsonl", lambda data: data[: data.index(b"\n") + 1] * 2, "put in afterwards"),
        (
            "disclosures.jsonl",
            lambda data: orjson.dumps({"disclosure": "AA", "event": 1}) + b"\n",
            "not as it is written by the log",
        ),
    ],
)
def test_a_forged_file_is_refused_even_with_the_key(
    small: Log, tmp_path: Path, said: Any, name: str, change: Any, sentence: str
) -> None:
    code, text = said(small.export(tmp_path / "export.zip", forge={name: change}))
    assert code == 1
    assert sentence in text


def test_a_disclosure_that_is_none_is_refused_even_with_the_key(tmp_path: Path, said: Any) -> None:
    log = Log()
    for encoded in ("!", "AAAA", "W10", "WzEsMiwzXQ"):
        log.events.clear()
        log._heads.clear()
        log.record(_sd=[verify.disclosure_digest(encoded)])
        path = log.export(
            tmp_path / "export.zip",
            forge={
                "disclosures.jsonl": lambda data, encoded=encoded: (
                    orjson.dumps(
                        {"disclosure": encoded, "event": "00000000-0000-0000-0000-000000000001"}
                    )
                    + b"\n"
                )
            },
        )
        code, text = said(path)
        assert (code, "cannot be read" in text) == (1, True)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"no note",
        b"\xff",
        b"text\n\n",
        b"text\n\n- name AAAA\n",
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— name !!!!\n".encode(),
        "te\rxt\n\n— name AAAAAAAA\n".encode(),
        "text\n\n— name AAAAAAAA\n".encode(),
    ],
)
def test_a_note_that_is_none_is_refused(small: Log, tmp_path: Path, said: Any, note: bytes) -> None:
    path = small.export(tmp_path / "export.zip")
    with zipfile.ZipFile(path) as opened:
        found = {name: opened.read(name) for name in opened.namelist()}
    found["MANIFEST.note"] = note
    with path.open("wb") as file:
        zipped = StoredZip(file)
        for number, (name, data) in enumerate(found.items()):
            zipped.add(name, Part.of(tmp_path / f"part{number}", data))
        zipped.finish()
    assert said(path)[0] == 1


def test_a_consistency_proof_that_is_none_is_refused(small: Log, tmp_path: Path, said: Any) -> None:
    for wrong in (b"", b"x", verify.CONSISTENCY.encode() + b"\nold 2\nnew 4\nxy\n"):
        code, text = said(small.export(tmp_path / "export.zip", consistency={2: wrong}))
        assert (code, "consistency/2" in text) == (1, True)
    path = small.export(tmp_path / "export.zip", patch={"consistency": [3]})
    assert "a proof of consistency that is not here" in said(path)[1]


def test_what_is_printed_holds_no_control_characters(small: Log, tmp_path: Path, said: Any) -> None:
    path = small.export(
        tmp_path / "export.zip", filters={"agent": "\x1b[31mred\x07", "type": "ü"}, by_place=False
    )
    _, text = said(path, "--challenge", "\x1b[2J")
    assert not set(text) - set(map(chr, range(32, 127))) - {"\n"}


def test_an_export_of_more_than_four_gigabytes_has_long_headers() -> None:
    size = 5 * 2**32
    local = verify.local_header("events.jsonl", size, 1)
    central = verify.central_header("events.csv", size, 1, size)
    end = verify.end_of_zip(70_000, size, 4_000)
    assert local[18:26] == b"\xff" * 8
    assert local.endswith(verify._LONG.pack(1, 16, size, size))
    assert central.endswith(3 * size.to_bytes(8, "little"))
    assert end[:4] == b"PK\6\6"
    assert end[-22:-18] == b"PK\5\6"
