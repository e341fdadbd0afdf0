"""What sinks are told in the settings, and how batches look to syslog collectors, in files, and in OCSF."""

import base64
import datetime as dt
import os
import re
import ssl
from pathlib import Path
from typing import Any

import orjson
import pytest
import uuid6

from audit.canonical import event_bytes
from audit.facts import FACTS
from audit.merkle.hashing import leaf_hash
from audit.streaming.batches import Batch, Entry
from audit.streaming.delivery import deliver
from audit.streaming.failing import NotDelivered
from audit.streaming.forms import event_text, message
from audit.streaming.ocsf import BASE, VERSION, closing_event, event_of, kind_of
from audit.streaming.sinks import Sink, named_sinks
from countersign.config import ConfigError, load
from countersign.programs import PROJECT
from tests.audit.receivers import certificate, collector

SECRET = base64.b64encode(b"what a receiver shares with us").decode()
TIME = "2026-11-21T10:00:00.123456Z"
RFC5424 = re.compile(
    rb"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>\S+) countersign - (?P<id>[!-~]{1,32}) - (?P<text>\{.*\})",
    re.DOTALL,
)


def body(kind: str, **further: Any) -> bytes:
    return event_bytes(
        {
            "v": 1,
            "id": str(uuid6.uuid7()),
            "type": kind,
            "time": TIME,
            "stream": "person:7",
            "seq": 1,
            "prev": None,
            "actor": {"kind": "person", "id": "7", "auth": "session"},
            **further,
        }
    )


def batch_of(*bodies: bytes | None) -> Batch:
    entries = [
        Entry(index, uuid6.uuid7(), leaf_hash(each or b""), each, "" if each else "retention")
        for index, each in enumerate(bodies)
    ]
    return Batch(
        id="series.0-3",
        first=0,
        until=len(entries),
        origin="approvals.example/log",
        size=9,
        note="approvals.example/log\n9\nroot\n\n— approvals.example/log sig\n",
        signed_at=dt.datetime(2026, 11, 21, 10, 0, 1, tzinfo=dt.UTC),
        proof=("countersign-proofs/1", "size 9", f"leaves {len(entries)}"),
        entries=tuple(entries),
    )


THREE = batch_of(
    body("signin.failed", facts={"method": "password"}), body("signout", x='é "}\n'), None
)


def one(**given: Any) -> Sink:
    return named_sinks(orjson.dumps({"x": given}).decode())["x"]


def test_the_bytes_of_a_body_stand_in_its_text_and_the_text_is_json() -> None:
    for entry in THREE.entries[:2]:
        text = event_text(entry, THREE, "plain")
        assert text.partition(b',"body":')[2][:-1] == entry.body
        assert orjson.loads(text)["index"] == entry.index
    assert len(orjson.loads(message(THREE, "plain"))["data"]["events"]) == 3


def check_collected(messages: list[bytes]) -> None:
    *events, closing = [found for found in map(RFC5424.fullmatch, messages) if found]
    assert len(messages) == 4
    assert len(events) == 3
    assert [each["id"] for each in events] == [b"signin.failed", b"signout", b"gone"]
    # Facility 13, log audit: what was refused is a notice, everything else informational.
    assert [int(each["pri"]) for each in events] == [13 * 8 + 5, 13 * 8 + 6, 13 * 8 + 6]
    assert events[0]["time"] == TIME.encode()
    assert [each["text"] for each in events] == [
        event_text(entry, THREE, "plain") for entry in THREE.entries
    ]
    assert closing["id"] == b"checkpoint"
    said = orjson.loads(closing["text"])["batch"]
    assert (said["checkpoint"], said["proof"]) == (THREE.note, list(THREE.proof))


def test_syslog_over_tcp_counts_octets_and_a_batch_that_was_not_read_is_not_delivered() -> None:
    with collector() as there:
        sink = one(kind="syslog", address=f"tcp://127.0.0.1:{there.port}")
        there.cuts = [16]
        with pytest.raises(NotDelivered, match="It cannot be reached") as failed:
            deliver(sink, THREE)
        assert failed.value.why == "unreachable"
        deliver(sink, THREE)
        check_collected(there.messages())


def test_the_message_in_the_docs_is_as_long_as_it_says_and_what_it_holds_is_its_leaf() -> None:
    page = (PROJECT / "docs" / "streaming.md").read_bytes()
    (shown,) = re.findall(rb"\n(\d+) (<110>1 [^\n]+)\n", page)
    assert int(shown[0]) == len(shown[1])
    found = RFC5424.fullmatch(shown[1])
    assert found is not None
    event = orjson.loads(found["text"])
    assert base64.b64decode(event["leaf_hash"]) == leaf_hash(event_bytes(event["body"]))


@pytest.fixture
def receivers_context(tmp_path: Path) -> tuple[Path, Path, ssl.SSLContext]:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, key, context


def test_syslog_over_tls_is_given_to_whom_the_settings_trust_and_to_nobody_else(
    receivers_context: tuple[Path, Path, ssl.SSLContext],
) -> None:
    cert, key, context = receivers_context
    with collector(context) as there:
        address = f"tls://127.0.0.1:{there.port}"
        with pytest.raises(NotDelivered, match="Its certificate is not trusted") as failed:
            deliver(one(kind="syslog", address=address), THREE)
        assert failed.value.why == "certificate"
        assert there.connections == []
        there.cuts = [16]
        with pytest.raises(NotDelivered):
            deliver(one(kind="syslog", address=address, ca_file=str(cert)), THREE)
        deliver(one(kind="syslog", address=address, ca_file=str(cert)), THREE)
        check_collected(there.messages())
        # A collector that asks for a certificate takes nothing without one.
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cert)
        there.connections.clear()
        with pytest.raises(NotDelivered):
            deliver(one(kind="syslog", address=address, ca_file=str(cert)), THREE)
        assert there.connections == []
        known = one(
            kind="syslog",
            address=address,
            ca_file=str(cert),
            cert_file=str(cert),
            key_file=str(key),
        )
        deliver(known, THREE)
        check_collected(there.messages())


def test_a_file_gets_whole_lines_and_what_a_dead_process_left_half_written_comes_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.jsonl"
    sink = one(kind="file", path=str(path))
    deliver(sink, THREE)
    first = path.read_bytes()
    assert [orjson.loads(line).get("index") for line in first.splitlines()] == [0, 1, 2, None]
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(first + first[: len(first) // 2 + 5])
    whole = path.read_bytes().rpartition(b"\n")[0] + b"\n"
    deliver(sink, THREE)
    assert path.read_bytes() == whole + first


@pytest.mark.parametrize("where", ["/dev/full", "{folder}/none/audit.jsonl"])
def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, where: str) -> None:
    with pytest.raises(NotDelivered, match="cannot be written") as failed:
        deliver(one(kind="file", path=where.format(folder=tmp_path)), THREE)
    assert failed.value.why == "disk"


def test_a_disk_that_is_full_in_the_middle_of_a_batch_leaves_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    sink = one(kind="file", path=str(path))
    deliver(sink, THREE)
    first, write = path.read_bytes(), os.pwrite

    def half(descriptor: int, data: bytes, at: int) -> int:
        if at > len(first):
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: len(data) // 2], at)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(NotDelivered, match="No space left on device"):
        deliver(sink, THREE)
    assert path.read_bytes() == first


REQUIRED = {
    "category_uid",
    "class_uid",
    "activity_id",
    "type_uid",
    "severity_id",
    "time",
    "metadata",
}
# What OCSF 1.3.0 asks of each class beside these, and the activities that it knows.
OF_CLASS: dict[int, tuple[set[str], set[int]]] = {
    3001: ({"user"}, {1, 3, 10, 11, 99}),
    3002: ({"user", "service"}, {1, 2, 99}),
    3006: ({"group"}, {3, 4, 6}),
    6003: ({"actor", "api", "src_endpoint"}, {1, 2, 3, 4, 99}),
}


def test_every_type_of_event_has_a_class_of_ocsf_with_all_that_it_requires() -> None:
    classes = set()
    for kind in FACTS:
        made = body(kind, facts={"person": "8", "group": "finance"}, request=str(uuid6.uuid7()))
        (entry,) = batch_of(made).entries
        event = event_of(entry, THREE)
        asked, activities = OF_CLASS[event["class_uid"]]
        assert event.keys() >= REQUIRED | asked, kind
        assert event["activity_id"] in activities, kind
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["category_uid"] == event["class_uid"] // 1000
        assert event["metadata"]["version"] == VERSION
        assert event["metadata"]["product"]["name"]
        assert event["raw_data"].encode() == made
        assert event["time"] == 1_795_255_200_123
        assert "{" not in event["message"]
        classes.add(event["class_uid"])
    assert classes == OF_CLASS.keys()


def test_an_event_of_a_run_names_its_trace_in_ocsf() -> None:
    run = uuid6.uuid7()
    of_run = body(
        "run.started", agent={"slug": "refund-desk", "version": None, "run": str(run)}, facts={}
    )
    batch = batch_of(of_run, body("signout", facts={}))
    named, nameless = (event_of(entry, batch)["metadata"] for entry in batch.entries)
    assert named["correlation_uid"] == run.hex
    assert "correlation_uid" not in nameless


def test_a_failed_sign_in_in_ocsf() -> None:
    event = event_of(THREE.entries[0], THREE)
    assert (event["type_uid"], event["status_id"], event["user"]["uid"]) == (300201, 2, "7")
    assert event["unmapped"] == {
        "log": "approvals.example/log",
        "index": 0,
        "leaf_hash": base64.b64encode(THREE.entries[0].leaf_hash).decode(),
        "checkpoint_size": 9,
    }


def test_what_is_kept_no_longer_and_checkpoints_are_base_events() -> None:
    for event in (event_of(THREE.entries[2], THREE), closing_event(THREE)):
        assert event.keys() >= REQUIRED
        assert (event["class_uid"], event["type_uid"]) == (BASE.class_uid, 99)
    assert closing_event(THREE)["unmapped"]["checkpoint"] == THREE.note
    assert kind_of("policy.published").class_uid == 6003


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("[]", "is a JSON object of names and sinks"),
        ({"Siem": {}}, "names 'Siem'; use small letters"),
        ({"x": {"kind": "carrier pigeon"}}, "'x' cannot be used: Input tag"),
        ({"x": {"kind": "webhook", "secret": {"env": "GOOD"}}}, "url: Field required"),
        ({"url": "ftp://h/x"}, "url: is no web address"),
        ({"url": "https://u:p@h/x"}, "holds more than an address"),
        ({"url": "https://h/x?token=1"}, "holds more than an address"),
        ({"secret": {}}, "name a variable (env) or a file, and not both"),
        ({"secret": {"env": "NOT_SET"}}, "NOT_SET, which is to hold it, is not set"),
        ({"secret": {"env": "COUNTERSIGN_COIN_SECRET"}}, "begins with COUNTERSIGN_"),
        ({"secret": {"env": "SHORT"}}, "is not 24 to 64 bytes long"),
        ({"secret": {"file": "secrets/x"}}, "with its whole path"),
        ({"headers": {"Webhook-Id": {"env": "GOOD"}}}, "no name of a header that may be given"),
        ({"headers": {"A b": {"env": "GOOD"}}}, "no name of a header that may be given"),
        ({"format": "cef"}, "Input should be 'plain' or 'ocsf'"),
        ({"x": {"kind": "syslog", "address": "udp://h"}}, "write tls://HOST:6514"),
        ({"x": {"kind": "syslog", "address": "tls://h:99999"}}, "the port is no number"),
        ({"x": {"kind": "syslog", "address": "tcp://h", "ca_file": "/x"}}, "belong to tls://"),
        ({"x": {"kind": "syslog", "address": "tls://h", "key_file": "/x"}}, "needs cert_file"),
        ({"x": {"kind": "file", "path": "audit.jsonl"}}, "with its whole path"),
    ],
)
def test_a_sink_that_cannot_be_used_ends_the_start_with_a_sentence(
    given: Any, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOD", SECRET)
    monkeypatch.setenv("SHORT", "c2hvcnQ=")
    whole = {"kind": "webhook", "url": "https://h/x", "secret": {"env": "GOOD"}}
    if isinstance(given, dict) and not {"x", "Siem"} & given.keys():
        given = {"x": whole | given}
    monkeypatch.setenv(
        "COUNTERSIGN_AUDIT_SINKS", given if isinstance(given, str) else orjson.dumps(given).decode()
    )
    with pytest.raises(ConfigError) as failed:
        load()
    assert str(failed.value).startswith("COUNTERSIGN_AUDIT_SINKS ")
    assert sentence in str(failed.value)
    assert SECRET not in str(failed.value)
