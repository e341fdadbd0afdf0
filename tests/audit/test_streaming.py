"""Streaming out: each sink gets every sealed event, in order, at least once, and can prove it."""

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from standardwebhooks import Webhook as Verifier

from accounts.models import User
from audit import ports
from audit.canonical import canonical_bytes
from audit.merkle.hashing import leaf_hash
from audit.merkle.notes import opened
from audit.models import Checkpoint, Event, Leaf, LogKey, SinkCursor
from audit.schemas import Disclose
from audit.services.seal import seal
from audit.services.stream_out import stream_out
from audit.services.streaming_state import streaming_state
from audit.streamer import Streamer, send_all
from audit.streaming.sinks import Sink, named_sinks
from audit.verifier.verify import Tree
from countersign.health import _streaming
from countersign.programs import PROJECT
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record, on_machine
from tests.audit.receivers import PATIENCE_SECONDS, Got, WebReceiver, web_receiver

Login = Callable[[Client, User], Client]
pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)
SECRET = "whsec_" + base64.b64encode(b"what a receiver shares with us").decode()


@pytest.fixture
def receiver() -> Iterator[WebReceiver]:
    with web_receiver() as made:
        yield made


@pytest.fixture
def settings_of(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., dict[str, Sink]]]:
    """`settings_of(siem={…}, **settings)` declares sinks, small batches and no waits; returns the sinks."""
    monkeypatch.setenv("SIEM_SECRET", SECRET)
    entered = []

    def declare(*, changes: dict[str, Any] | None = None, **sinks: Any) -> dict[str, Sink]:
        found = named_sinks(orjson.dumps(sinks).decode())
        paced = {
            "audit_sink_batch": 3,
            "audit_sink_seconds": 0.01,
            "audit_sink_longest_wait_seconds": 0.000001,
            "audit_sink_alarm_seconds": 60.0,
        }
        context = on_machine(machine, audit_sinks=found, **paced | (changes or {}))
        context.__enter__()
        entered.append(context)
        return found

    yield declare
    for context in reversed(entered):
        context.__exit__(None, None, None)


@pytest.fixture
def sink(receiver: WebReceiver, settings_of: Callable[..., dict[str, Sink]]) -> Sink:
    """A sink that posts to the receiver, in batches of three."""
    return settings_of(siem=webhook(receiver))["siem"]


def webhook(receiver: WebReceiver, **given: Any) -> dict[str, Any]:
    return {"kind": "webhook", "url": receiver.url, "secret": {"env": "SIEM_SECRET"}} | given


def stored() -> list[bytes]:
    """The bodies of all sealed events in the order of the log."""
    bodies = dict(Event.objects.values_list("id", "body"))
    return [
        bytes(bodies[event])
        for event in Leaf.objects.order_by("index").values_list("event", flat=True)
    ]


def proved(got: Got) -> None:
    """Check one message with nothing but itself and the log's key: signature, leaves, proof, checkpoint."""
    Verifier(SECRET).verify(got.content, dict(got.headers))
    data = got.data
    leaves = []
    for event in data["events"]:
        body = canonical_bytes(event["body"])
        assert b',"body":' + body + b"}" in got.content, "the bytes of the body are not as stored"
        leaves.append(leaf_hash(body))
        assert base64.b64decode(event["leaf_hash"]) == leaves[-1]
    assert [event["index"] for event in data["events"]] == list(range(data["first"], data["until"]))
    said = opened(data["checkpoint"], [row.key for row in LogKey.objects.all()])
    assert said.origin == data["log"]
    tree, at = Tree(), iter(leaves)
    assert data["proof"][:2] == ["countersign-proofs/1", f"size {said.size}"]
    for line in data["proof"][2:]:
        kind, *rest = line.split()
        if kind == "leaves":
            for _ in range(int(rest[0])):
                tree.add(0, next(at))
        else:
            tree.add(int(rest[0]), bytes.fromhex(rest[1]))
    assert next(at, None) is None
    assert (tree.size, tree.root()) == (said.size, said.root)


def types_in_log(kind: str) -> list[str]:
    found = Event.objects.in_stream("log").oldest_first().values_list("type", flat=True)
    return [each for each in found if each.startswith(kind)]


def test_a_receiver_gets_every_event_in_the_order_of_the_log_and_can_prove_each_batch(
    sink: Sink, receiver: WebReceiver, recorded: Record
) -> None:
    for number in range(7):
        recorded(stream="policy" if number % 2 else "log")
        if number % 3 == 0:
            seal()
    seal()
    send_all()
    for got in receiver.got:
        proved(got)
    assert [canonical_bytes(event["body"]) for event in receiver.taken()] == stored()[
        : len(receiver.taken())
    ]
    seal()
    send_all()
    assert [event["index"] for event in receiver.taken()] == list(range(len(stored())))
    assert types_in_log("sink.") == ["sink.declared"]
    seal()
    assert not stream_out("siem", sink), "there was nothing left to send"


@pytest.mark.parametrize("answer", [500, 429, 404, 302, 410])
def test_what_was_not_taken_comes_again_with_the_same_id_and_the_same_bytes(
    sink: Sink, receiver: WebReceiver, recorded: Record, answer: int
) -> None:
    recorded()
    seal()
    receiver.answers = [answer]
    receiver.further = {"location": receiver.url, "retry-after": "100"}
    assert not stream_out("siem", sink)
    recorded()
    seal()
    send_all()
    first, again, *later = receiver.got
    assert (first.id, first.content) == (again.id, again.content)
    proved(again)
    assert first.id not in {got.id for got in later}
    assert [event["index"] for event in receiver.taken()] == list(range(len(receiver.taken())))


def test_a_receiver_that_does_not_answer_gets_the_batch_again(
    receiver: WebReceiver, recorded: Record, settings_of: Callable[..., dict[str, Sink]]
) -> None:
    sink = settings_of(siem=webhook(receiver), changes={"audit_sink_timeout_seconds": 0.3})["siem"]
    recorded()
    seal()
    receiver.answers = ["hang"]
    assert not stream_out("siem", sink)
    assert SinkCursor.objects.get().problem == "It did not take a batch within 0.3 seconds."
    send_all()
    assert receiver.got[0].id == receiver.got[1].id
    assert [event["index"] for event in receiver.taken()] == list(range(len(receiver.taken())))


def test_while_one_sends_nobody_else_does_and_the_log_is_not_locked(
    sink: Sink, receiver: WebReceiver, recorded: Record, superuser_url: str
) -> None:
    recorded()
    seal()
    receiver.answers = ["hang"]

    def send() -> None:
        stream_out("siem", sink)
        connection.close()

    sender = threading.Thread(target=send)
    sender.start()
    assert receiver.hanging.wait(PATIENCE_SECONDS)
    assert not stream_out("siem", sink)
    # Nor does anybody wait who writes events or makes a partition for them.
    with psycopg.connect(superuser_url) as other:
        other.execute("LOCK TABLE audit_event IN ACCESS EXCLUSIVE MODE NOWAIT")
        other.rollback()
    receiver.let_go.set()
    sender.join(PATIENCE_SECONDS)
    assert len(receiver.got) == 1
    send_all()
    assert len({got.id for got in receiver.got}) == len(receiver.got)


def test_a_failure_that_lasts_is_told_once_and_its_own_events_bring_no_more_of_them(
    receiver: WebReceiver,
    recorded: Record,
    settings_of: Callable[..., dict[str, Sink]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr(ports, "_raised_by", [lambda say: alarms.append(": ".join(say()))])
    sink = settings_of(siem=webhook(receiver), changes={"audit_sink_alarm_seconds": 0.0})["siem"]
    recorded()
    seal()
    receiver.answers = [503, 503, 503]
    for _ in range(3):
        assert not stream_out("siem", sink)
        seal()
    assert types_in_log("sink.") == ["sink.declared", "sink.failing"]
    assert [each.partition("\n")[0] for each in alarms] == [
        "Audit events do not reach the sink siem: It answered 503."
    ]
    for _ in range(3):
        send_all()
        seal()
    assert types_in_log("sink.") == ["sink.declared", "sink.failing", "sink.recovered"]
    assert not stream_out("siem", sink)
    assert [event["index"] for event in receiver.taken()] == list(range(len(stored())))


def test_a_failure_that_is_over_soon_is_no_event(
    sink: Sink, receiver: WebReceiver, recorded: Record
) -> None:
    recorded()
    seal()
    receiver.answers = [500]
    assert not stream_out("siem", sink)
    send_all()
    assert types_in_log("sink.") == ["sink.declared"]


def test_the_next_attempt_waits_longer_each_time_and_as_long_as_asked_for(
    receiver: WebReceiver, recorded: Record, settings_of: Callable[..., dict[str, Sink]]
) -> None:
    sink = settings_of(
        siem=webhook(receiver),
        changes={"audit_sink_longest_wait_seconds": 1000.0, "audit_sink_seconds": 100.0},
    )["siem"]
    recorded()
    seal()
    receiver.answers = [500] * 3
    waits = []
    for asked in ("0", "0", "900"):
        receiver.further = {"retry-after": asked}
        assert not stream_out("siem", sink)
        cursor = SinkCursor.objects.get()
        assert cursor.retry_at is not None
        assert cursor.failing_since is not None
        waits.append((cursor.retry_at - cursor.failing_since).total_seconds())
        assert not stream_out("siem", sink), "it waits"
        SinkCursor.objects.update(retry_at=None)
    assert len(receiver.got) == 3
    assert 50 <= waits[0] <= 101
    assert 100 <= waits[1] <= 203
    assert waits[2] >= 900


def test_what_events_keep_apart_is_not_sent(
    sink: Sink, receiver: WebReceiver, recorded: Record
) -> None:
    recorded(disclosures=[Disclose("reason", "Jane Doe asked for it", "person:7")])
    seal()
    send_all()
    assert receiver.got
    assert not any(b"Jane Doe" in got.content for got in receiver.got)


def test_both_secrets_sign_while_one_takes_the_place_of_another_and_headers_come_along(
    receiver: WebReceiver,
    recorded: Record,
    settings_of: Callable[..., dict[str, Sink]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = "whsec_" + base64.b64encode(b"what takes the place of the other").decode()
    secrets, token = tmp_path / "secrets", tmp_path / "token"
    secrets.write_text(f"{SECRET}\n{other}\n")
    token.write_text("Splunk 0000-1111\n")
    given = webhook(
        receiver, secret={"file": str(secrets)}, headers={"Authorization": {"file": str(token)}}
    )
    settings_of(siem=given)
    recorded()
    seal()
    send_all()
    (got, *_) = receiver.got
    for each in (SECRET, other):
        Verifier(each).verify(got.content, dict(got.headers))
    assert got.headers["authorization"] == "Splunk 0000-1111"
    secrets.unlink()
    token.unlink()
    recorded()
    seal()
    send_all()
    assert SinkCursor.objects.get().problem.startswith(f"{token} cannot be read")
    assert SECRET not in caplog.text


def test_a_new_sink_begins_at_the_beginning_or_with_what_comes_next(
    receiver: WebReceiver, recorded: Record, settings_of: Callable[..., dict[str, Sink]]
) -> None:
    recorded()
    seal()
    size = Checkpoint.objects.newest().size  # type: ignore[union-attr]
    settings_of(siem=webhook(receiver, start="now"))
    send_all()
    assert receiver.got == []
    seal()
    send_all()
    assert [event["index"] for event in receiver.taken()] == [size]
    proved(receiver.got[0])


def test_a_sink_that_is_moved_gets_what_it_had_under_other_ids(
    sink: Sink, receiver: WebReceiver, recorded: Record
) -> None:
    recorded()
    seal()
    send_all()
    before = list(receiver.got)
    call_command("audit_sinks", "move", "siem", "0", stdout=(said := StringIO()))
    assert said.getvalue() == "The sink siem gets the event at 0 next.\n"
    send_all()
    again = receiver.got[len(before) :]
    assert [got.data["events"] for got in again] == [got.data["events"] for got in before]
    assert not {got.id for got in again} & {got.id for got in before}
    assert types_in_log("sink.") == ["sink.declared", "sink.moved"]
    with pytest.raises(CommandError, match="name a place from 0 to 3"):
        call_command("audit_sinks", "move", "siem", "4")
    with pytest.raises(CommandError, match="No scheduler has taken up a sink other yet"):
        call_command("audit_sinks", "move", "other", "0")


def test_a_leaf_that_was_deleted_stops_the_stream_and_says_so(
    sink: Sink, receiver: WebReceiver, recorded: Record, attacker: Attacker
) -> None:
    recorded()
    seal()
    attacker.does("DELETE FROM audit_leaf WHERE index = 1")
    send_all()
    assert receiver.got == []
    assert SinkCursor.objects.get().problem.startswith("The log lacks a leaf from 0 on")


def test_a_tile_that_was_deleted_is_said_and_nothing_is_sent_without_its_proof(
    sink: Sink, receiver: WebReceiver, recorded: Record, attacker: Attacker
) -> None:
    for _ in range(5):
        recorded()
    seal()
    attacker.does("DELETE FROM audit_tile")
    send_all()
    assert receiver.got == []
    assert SinkCursor.objects.get().problem.startswith("Tile 0 of level 0 is missing or too short.")


def test_an_event_that_was_deleted_after_it_was_sealed_is_sent_as_missing(
    sink: Sink, receiver: WebReceiver, recorded: Record, attacker: Attacker
) -> None:
    event = recorded()
    seal()
    attacker.does("DELETE FROM audit_event WHERE id = %s", event.pk)
    send_all()
    (gone,) = [each for each in receiver.taken() if each["body"] is None]
    assert gone == {
        "index": 0,
        "leaf_hash": base64.b64encode(bytes(event.leaf_hash)).decode(),
        "event": str(event.pk),
        "gone": "missing",
        "body": None,
    }


def test_operators_auditors_and_probes_see_how_far_each_sink_is(
    client: Client,
    login: Login,
    auditor: User,
    receiver: WebReceiver,
    recorded: Record,
    settings_of: Callable[..., dict[str, Sink]],
) -> None:
    sinks = settings_of(siem=webhook(receiver), changes={"audit_sink_alarm_seconds": 0.0})
    recorded()
    seal()
    assert _streaming() == [
        "No scheduler has taken up the sink siem yet: has it the same settings? 3 events wait."
    ]
    receiver.answers = [500]
    stream_out("siem", sinks["siem"])
    (sentence,) = _streaming()
    assert sentence.startswith("Audit events have not reached the sink siem for ")
    assert sentence.endswith("It answered 500. 3 events wait.")
    assert (
        'countersign_audit_sink_behind_events{sink="siem"} 3.0'
        in Client().get("/metrics").content.decode()
    )
    with pytest.raises(CommandError, match="It answered 500"):
        call_command("audit_sinks", "status", stdout=(said := StringIO()))
    assert f"siem (webhook, 127.0.0.1:{receiver.port}): 0 events sent, 3 wait." in said.getvalue()
    login(client, auditor)
    page = client.get("/audit/log/").content.decode()
    assert "Failing: It answered 500." in page
    for _ in range(3):
        send_all()
        seal()
    assert _streaming() == []
    assert "Last sent" in client.get("/audit/log/").content.decode()
    settings_of()
    assert [(state.name, state.sink, state.complaint) for state in streaming_state()] == [
        ("siem", None, "")
    ]
    assert "Not in the settings any more" in client.get("/audit/log/").content.decode()


def test_each_sink_has_a_thread_so_that_a_slow_one_keeps_no_other_waiting(
    receiver: WebReceiver,
    recorded: Record,
    settings_of: Callable[..., dict[str, Sink]],
    tmp_path: Path,
) -> None:
    archive = tmp_path / "audit.jsonl"
    settings_of(siem=webhook(receiver), archive={"kind": "file", "path": str(archive)})
    recorded()
    seal()
    receiver.answers = ["hang"]
    with Streamer():
        assert receiver.hanging.wait(PATIENCE_SECONDS)
        until(lambda: archive.exists() and archive.read_bytes().endswith(b"}\n"))
        receiver.let_go.set()
    assert len(receiver.got) >= 1


def until(what: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(PATIENCE_SECONDS * 100):
        if what():
            return
        waiting.wait(0.01)
    pytest.fail("It did not come to it.")


def test_a_receiver_that_is_not_there_is_said_in_words_without_what_was_sent(
    receiver: WebReceiver, recorded: Record, settings_of: Callable[..., dict[str, Sink]]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sink = settings_of(siem=webhook(receiver, url=f"http://127.0.0.1:{port}/x"))["siem"]
    recorded()
    seal()
    assert not stream_out("siem", sink)
    assert SinkCursor.objects.get().problem == "It cannot be reached (ConnectError)."


def test_the_receiver_in_the_docs_takes_what_is_sent_once(
    sink: Sink, receiver: WebReceiver, recorded: Record
) -> None:
    page = (PROJECT / "docs" / "streaming.md").read_text()
    example: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], example)
    recorded(type="signout", stream="person:7")
    seal()
    receiver.answers = [500]
    assert not stream_out("siem", sink)
    send_all()
    for got in receiver.got:
        example["take"](SECRET, dict(got.headers), got.content)
    assert [each["index"] for each in example["taken"].values()] == [0, 1, 2]


def test_the_command_prints_what_a_file_gets_and_begins_where_it_is_told(
    settings_of: Callable[..., dict[str, Sink]],
    recorded: Record,
    tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    settings_of()
    for _ in range(4):
        recorded()
    seal()
    call_command("audit_stream")
    every = [orjson.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [each["index"] for each in every if "index" in each] == list(range(6))
    assert [
        (each["batch"]["first"], each["batch"]["until"]) for each in every if "batch" in each
    ] == [
        (0, 3),
        (3, 6),
    ]
    call_command("audit_stream", "--from", "4", "--format", "ocsf")
    rest = [orjson.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [each["metadata"]["sequence"] for each in rest] == [4, 5, 6]
    assert [each["class_uid"] for each in rest] == [6003, 6003, 0]
