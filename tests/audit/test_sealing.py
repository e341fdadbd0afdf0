"""Sealing: what has committed gets its place once, and only a log that fits is signed."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import uuid6
from django.db import OperationalError, connection, connections, transaction
from django.test import Client

from accounts.models import User
from audit import outside
from audit.actors import Actor
from audit.fsck import Checked, check
from audit.merkle.notes import opened, read_note
from audit.merkle.proofs import Leaves, root
from audit.models import Checkpoint, Event, Leaf, Log, LogKey, Pending, Tile, TreeState
from audit.protection import missing_protection
from audit.recorder import record
from audit.sealed_tree import State
from audit.sealer import Sealer
from audit.services import seal as sealing
from audit.services.halt import halt
from audit.services.seal import Sealed, seal
from audit.services.sealing_state import sealing_state
from countersign.health import _sealing
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record, make_key, on_machine

pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)


@pytest.fixture
def story(recorded: Record, machine: Path) -> list[Event]:
    """Five events of one stream."""
    return [recorded(stream="policy") for _ in range(5)]


def found() -> list[str]:
    return list(check(Checked()))


def of_the_log() -> list[str]:
    """The types of the events that speak of the log itself."""
    return list(Event.objects.in_stream("log").oldest_first().values_list("type", flat=True))


def test_events_are_sealed_in_their_order_and_signed(story: list[Event]) -> None:
    assert seal() == Sealed(events=7, signed=7)
    leaves = list(Leaf.objects.order_by("index"))
    assert [leaf.event for leaf in leaves][:5] == [event.id for event in story]
    assert [leaf.index for leaf in leaves] == list(range(7))
    assert not Pending.objects.exists()
    (checkpoint,) = Checkpoint.objects.all()
    (key,) = LogKey.objects.all()
    said = opened(checkpoint.note, [key.key])
    assert said.origin == "approvals.example/log"
    assert said.root == root(Leaves([bytes(leaf.leaf_hash) for leaf in leaves]), 7)
    assert outside.read() == checkpoint.note
    assert of_the_log() == ["log.began", "log.key_added"]
    assert found() == []


def test_nothing_new_is_signed_where_nothing_grew(story: list[Event]) -> None:
    seal()
    before = outside.path().stat().st_mtime_ns
    assert seal() == Sealed()
    assert Checkpoint.objects.count() == 1
    assert outside.path().stat().st_mtime_ns == before


def test_an_empty_log_is_not_begun(machine: Path) -> None:
    assert seal() == Sealed()
    assert not Log.objects.exists()
    assert outside.read() is None


def test_an_event_that_commits_late_is_sealed_later(story: list[Event], superuser_url: str) -> None:
    seal()
    connection.close()
    with psycopg.connect(superuser_url) as slow:
        slow.execute("INSERT INTO audit_stream (name) VALUES ('person:9')")
        slow.execute(
            "INSERT INTO audit_event (body) VALUES (%s)", [_first_of("person:9", story[0])]
        )
        with transaction.atomic():
            record(type="signout", actor=Actor.person(7, "session"), stream="person:7")
        assert seal().events == 1
    assert seal().events == 1
    last = Leaf.objects.order_by("-index")[:2]
    streams = [Event.objects.get(pk=leaf.event).stream for leaf in last]
    assert streams == ["person:9", "person:7"]
    assert last[0].event_inserted_at < last[1].event_inserted_at


def _first_of(stream: str, like: Event) -> bytes:
    body = orjson.loads(bytes(like.body)) | {"stream": stream, "id": str(uuid6.uuid7())}
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def test_a_clock_that_runs_backwards_changes_no_order(
    story: list[Event], attacker: Attacker
) -> None:
    for number, event in enumerate(story):
        for table, column in (("audit_event", "id"), ("audit_pending", "event")):
            attacker.does(
                f"UPDATE {table} SET inserted_at = inserted_at - %s * interval '1 second' "
                f"WHERE {column} = %s",
                number,
                event.id,
            )
    seal()
    sealed = Leaf.objects.order_by("index").values_list("event", flat=True)[:5]
    assert list(sealed) == [event.id for event in story]
    assert found() == []


def test_many_events_fill_tiles_in_several_batches(machine: Path, superuser_url: str) -> None:
    _many(600)
    with on_machine(machine, sealing_batch=256):
        assert seal() == Sealed(events=602, signed=602)
    assert sorted(Tile.objects.values_list("level", "n")) == [(0, 0), (0, 1), (0, 2), (1, 0)]
    numbers = dict(Event.objects.in_stream("person:7").values_list("id", "seq"))
    leaves = Leaf.objects.order_by("index").values_list("event", flat=True)
    sealed = [numbers[event] for event in leaves if event in numbers]
    assert sealed == list(range(1, 601))
    _many(500)
    seal()
    assert found() == []
    assert Checkpoint.objects.count() == 2


def _many(number: int) -> None:
    with transaction.atomic():
        for _ in range(number):
            record(type="signout", actor=Actor.person(7, "session"), stream="person:7")


def test_the_application_only_reads_what_is_sealed(story: list[Event]) -> None:
    seal()
    for table in ("leaf", "tile", "treestate", "checkpoint", "log", "logkey"):
        for statement in ("DELETE FROM", "UPDATE", "INSERT INTO"):
            rest = {"UPDATE": " SET log_id = 1", "INSERT INTO": " DEFAULT VALUES"}.get(
                statement, ""
            )
            with pytest.raises(Exception, match=r"permission denied|does not exist"):
                _ran("default", f"{statement} audit_{table}{rest}")


BY_HAND = [
    "UPDATE audit_leaf SET index = index + 10",
    "DELETE FROM audit_leaf",
    "TRUNCATE audit_leaf",
    "UPDATE audit_tile SET data = substr(data, 1, 32)",
    "DELETE FROM audit_tile",
    "UPDATE audit_treestate SET size = size - 1",
    "UPDATE audit_treestate SET root = sha256('')",
    "DELETE FROM audit_treestate",
    "UPDATE audit_checkpoint SET note = ''",
    "DELETE FROM audit_checkpoint",
    "UPDATE audit_log SET origin = 'another'",
    "UPDATE audit_logkey SET verifier = 'another'",
    "DELETE FROM audit_logkey",
]


@pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"])
def test_not_even_the_owner_changes_what_is_sealed(story: list[Event]) -> None:
    seal()
    for statement in BY_HAND:
        with pytest.raises(Exception, match="append-only"):
            _ran("owner", statement)
    assert found() == []


def _ran(alias: str, statement: str) -> None:
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(statement)


def meanwhile(deed: Callable[[], object]) -> None:
    """Do it in another thread, over connections of its own, and wait until it is done."""

    def do() -> None:
        try:
            deed()
        finally:
            connections.close_all()

    thread = threading.Thread(target=do)
    thread.start()
    thread.join()


def test_what_another_sealer_signs_meanwhile_accuses_nobody(
    story: list[Event], recorded: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal()
    recorded(stream="policy")
    looked = sealing.looked

    def looked_and_was_overtaken() -> State:
        monkeypatch.setattr(sealing, "looked", looked)
        state = looked()
        meanwhile(seal)
        return state

    monkeypatch.setattr(sealing, "looked", looked_and_was_overtaken)
    seal()
    assert sealing_state().signed == 8
    assert not sealing_state().halted


def test_what_is_sealed_while_the_check_runs_accuses_nobody(
    story: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    seal()

    def protected_and_was_overtaken() -> list[str]:
        missing = missing_protection()
        meanwhile(lambda: (_many(3), seal()))
        return missing

    monkeypatch.setattr("audit.fsck.missing_protection", protected_and_was_overtaken)
    assert found() == []
    assert sealing_state().signed == 10


def test_the_scheduler_seals_in_a_thread_of_its_own(
    story: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = iter([OperationalError("the server is away"), RuntimeError("whatever it is")])

    def seal_or_fail() -> Sealed:
        for error in failing:
            raise error
        return seal()

    monkeypatch.setattr("audit.sealer.seal", seal_or_fail)
    ends = time.monotonic() + 30
    with on_machine(outside.path().parent, sealing_seconds=0.01), Sealer():
        while sealing_state().signed < 7:
            assert time.monotonic() < ends, "nothing was sealed"
            time.sleep(0.01)


# -- a database that was set back --------------------------------------------------------------------


def cut(attacker: Attacker, size: int) -> None:
    """Bring leaves, tiles, state and checkpoints back to an earlier size, as a restored backup does."""
    cut_leaves(attacker, size)
    attacker.does("DELETE FROM audit_checkpoint WHERE size > %s", size)


def cut_leaves(attacker: Attacker, size: int) -> None:
    """The same, and the checkpoints over what was cut stay."""
    leaves = [bytes(leaf.leaf_hash) for leaf in Leaf.objects.order_by("index")[:size]]
    attacker.does("DELETE FROM audit_leaf WHERE index >= %s", size)
    attacker.does("UPDATE audit_tile SET data = %s", b"".join(leaves))
    attacker.does(
        "UPDATE audit_treestate SET size = %s, root = %s", size, root(Leaves(leaves), size)
    )


def test_a_database_that_was_set_back_halts_sealing(
    story: list[Event],
    recorded: Record,
    attacker: Attacker,
    mailoutbox: Any,
    admin: User,
    auditor: User,
) -> None:
    seal()
    recorded(stream="policy")
    seal()
    cut(attacker, 7)
    assert seal() == Sealed()
    complaint = sealing_state().complaint
    assert (
        "The database holds 7 sealed events and the checkpoint kept outside of it says 8"
        in complaint
    )
    assert of_the_log()[-1] == "log.halted"
    assert [(mail.subject, mail.to) for mail in mailoutbox] == [
        ("Sealing of the audit log has halted", [admin.email])
    ]
    assert "countersign_audit_sealing_halted 1" in Client().get("/metrics").content.decode()
    assert complaint in _sealing()
    recorded(stream="policy")
    assert seal() == Sealed()
    assert TreeState.objects.get().size == 7
    assert of_the_log().count("log.halted") == 1
    assert len(mailoutbox) == 1


def test_a_database_that_was_set_back_and_written_on_halts_sealing(
    story: list[Event], recorded: Record, attacker: Attacker
) -> None:
    seal()
    for _ in range(3):
        recorded(stream="policy")
    seal()
    note = outside.read()
    cut(attacker, 7)
    # Without the check before it would be placed over what was cut: the outside file is away for a while.
    outside.write(Checkpoint.objects.get(size=7).note)
    for _ in range(5):
        recorded(stream="person:7")
    seal()
    assert TreeState.objects.get().size == 12
    assert note is not None
    outside.write(note)
    assert seal() == Sealed()
    assert "do not begin with the 10 of the checkpoint" in sealing_state().complaint


def test_what_is_set_back_while_a_pass_is_underway_gets_no_further_leaf(
    story: list[Event], recorded: Record, attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal()
    recorded(stream="policy")
    seal()
    recorded(stream="policy")
    place_all = sealing._place_all

    def attacked_before() -> int:
        cut(attacker, 7)
        return place_all()

    monkeypatch.setattr(sealing, "_place_all", attacked_before)
    assert seal() == Sealed()
    assert TreeState.objects.get().size == 7
    assert "the tail was cut" in sealing_state().complaint


@pytest.mark.parametrize("step", ["_place_all", "_sign"])
def test_what_another_sealer_halts_while_a_pass_is_underway_is_not_gone_on_with(
    story: list[Event], recorded: Record, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    seal()
    recorded(stream="policy")
    go_on = getattr(sealing, step)

    def halted_before() -> int:
        halt("Somebody else found something.", why="behind")
        return int(go_on())

    monkeypatch.setattr(sealing, step, halted_before)
    assert seal().signed == 0
    assert Checkpoint.objects.newest().size == 7  # type: ignore[union-attr]
    assert TreeState.objects.get().size == (7 if step == "_place_all" else 8)


@pytest.mark.parametrize("step", ["_begin", "_place_all", "_sign"])
def test_what_another_sealer_has_done_meanwhile_is_not_done_twice(
    story: list[Event], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    go_on = getattr(sealing, step)

    def overtaken() -> object:
        monkeypatch.setattr(sealing, step, go_on)
        meanwhile(seal)
        return go_on()

    monkeypatch.setattr(sealing, step, overtaken)
    seal()
    assert Log.objects.count() == 1
    assert Checkpoint.objects.count() == 1
    assert Leaf.objects.count() == 7
    assert trouble() == ""


def test_a_tree_whose_tiles_were_changed_is_not_signed(
    story: list[Event], recorded: Record, attacker: Attacker
) -> None:
    seal()
    attacker.does("UPDATE audit_tile SET data = decode(repeat('00', 224), 'hex')")
    recorded(stream="policy")
    assert seal() == Sealed()
    assert Checkpoint.objects.count() == 1
    assert "do not begin with the 7" in sealing_state().complaint


def test_a_lost_state_row_is_said(story: list[Event], attacker: Attacker) -> None:
    seal()
    attacker.does("DELETE FROM audit_treestate")
    assert seal() == Sealed()
    assert "was deleted" in sealing_state().complaint
    assert "was deleted" in found()[0]


def test_another_sealer_at_work_is_left_to_it(story: list[Event], superuser_url: str) -> None:
    seal()
    with psycopg.connect(superuser_url) as other:
        other.execute("SELECT FROM audit_treestate FOR UPDATE")
        with transaction.atomic():
            record(type="signout", actor=Actor.person(7, "session"), stream="person:7")
        assert seal() == Sealed()
    assert seal().events == 1


def test_an_event_that_is_put_back_into_what_waits_is_not_sealed_twice(
    story: list[Event], attacker: Attacker
) -> None:
    seal()
    attacker.does(
        "INSERT INTO audit_pending (event, inserted_at, leaf_hash) "
        "SELECT event, event_inserted_at, leaf_hash FROM audit_leaf WHERE index = 2"
    )
    assert seal() == Sealed()
    assert "is in the log already" in trouble()
    assert "is leaf 2 already: it was put back" in found()[-1]


# -- keys and files that are not as they must be -------------------------------------------------------


def trouble() -> str:
    return TreeState.objects.get().trouble


def test_a_key_that_cannot_be_used_keeps_events_waiting(story: list[Event], machine: Path) -> None:
    key, aside = machine / "signing_key.pem", machine / "aside"
    key.rename(aside)
    spoilt: list[tuple[Callable[[], object], str]] = [
        (lambda: None, "There is no signing key"),
        (lambda: (key.write_bytes(aside.read_bytes()), key.chmod(0o644)), "chmod it to 0600"),
        (lambda: (key.chmod(0o600), key.write_text("none")), "is not a private key in PEM"),
        (lambda: (key.unlink(), key.mkdir(mode=0o700)), "cannot be read (Is a directory)"),
    ]
    for spoil, words in spoilt:
        spoil()
        assert seal() == Sealed()
        assert words in trouble()
    assert not Leaf.objects.exists()
    key.rmdir()
    aside.rename(key)
    assert seal().signed == 7
    assert trouble() == ""
    assert found() == []


def test_another_key_in_the_place_of_the_logs_signs_nothing(
    story: list[Event], recorded: Record, machine: Path
) -> None:
    seal()
    note = outside.read()
    make_key(machine)
    recorded(stream="policy")
    assert seal().signed == 0
    assert "cannot sign. None of the keys on this machine is that key." in trouble()
    assert outside.read() == note


def test_a_checkpoint_that_cannot_be_kept_outside_is_not_published(
    story: list[Event], machine: Path
) -> None:
    (machine / "blocked").write_text("a file where a folder must be")
    with on_machine(machine, checkpoint_path=str(machine / "blocked" / "checkpoint")):
        assert seal().signed == 0
        assert "cannot be" in trouble()
    assert not Checkpoint.objects.exists()
    assert seal().signed == 7


def test_a_machine_without_a_checkpoint_does_not_seal_a_log_that_has_one(
    story: list[Event], recorded: Record, machine: Path
) -> None:
    seal()
    outside.path().unlink()
    recorded(stream="policy")
    assert seal() == Sealed()
    assert "No checkpoint is kept" in trouble()
    assert Pending.objects.count() == 1


def test_an_emptied_database_is_not_begun_anew_beside_an_old_checkpoint(
    story: list[Event], machine: Path
) -> None:
    outside.write("approvals.example/log\n9\n...")
    assert seal() == Sealed()
    assert "The database holds no sealed log" in trouble()
    assert not Log.objects.exists()


def test_a_checkpoint_that_was_scribbled_on_accuses_nobody(
    story: list[Event], recorded: Record, machine: Path
) -> None:
    seal()
    recorded(stream="policy")
    for scribble in ("nothing", read_note(outside.read() or "").text.replace("\n7\n", "\n9\n")):
        outside.write(scribble)
        assert seal() == Sealed()
        assert "is not valid" in trouble()
        assert not TreeState.objects.get().halted_because
