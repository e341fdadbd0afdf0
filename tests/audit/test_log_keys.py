"""Keys of the log are rotated and lost, a halt is lifted, and a log is taken over by its successor."""

import shlex
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from accounts.models import User
from audit import outside
from audit.clock import database_now
from audit.fsck import Checked, check
from audit.merkle.notes import NoteNotValid, opened, read_checkpoint, read_note, verified
from audit.models import Checkpoint, Event, Log, LogKey, SinkCursor, TreeState
from audit.services.announce_log import announce_log
from audit.services.checkpoints import checkpoint_at, prove_consistency, prove_event
from audit.services.halt import halt, note_trouble
from audit.services.post_checkpoint import post_checkpoint
from audit.services.seal import Sealed, seal
from audit.services.sealing_state import sealing_state
from audit.signing import KeyTrouble, sign_note
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record, make_key, on_machine
from tests.audit.test_sealing import cut, cut_leaves

pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)

# A signer that keeps its key to itself, as the command that asks a hardware module would.
SIGNER = """
import base64, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
if sys.argv[1] == "public":
    answer = key.public_key().public_bytes_raw()
else:
    answer = key.sign(sys.stdin.buffer.read())
print(base64.b64encode(answer).decode())
"""


@pytest.fixture
def begun(recorded: Record, machine: Path) -> Record:
    """A log that has begun: an event, `log.began` and `log.key_added` under a checkpoint."""
    recorded(stream="policy")
    assert seal() == Sealed(3, 3)
    return recorded


def said(*command: str) -> str:
    out = StringIO()
    call_command(*command, stdout=out, stderr=StringIO())
    return out.getvalue()


def of_the_log() -> list[tuple[str, dict[str, Any]]]:
    """Types and facts of the events that speak of the log itself."""
    events = Event.objects.in_stream("log").oldest_first()
    return [(event.type, orjson.loads(bytes(event.body)).get("facts", {})) for event in events]


def newest_note() -> str:
    newest = Checkpoint.objects.newest()
    assert newest is not None
    return newest.note


def found() -> list[str]:
    return list(check(Checked()))


def test_both_keys_sign_until_the_old_one_is_retired(begun: Record, machine: Path) -> None:
    (old,) = [row.key for row in LogKey.objects.all()]
    added = said("audit_keys", "rotate").strip()
    (new,) = [row.key for row in LogKey.objects.exclude(pk=str(old))]
    assert str(new) == added
    assert sorted(path.stat().st_mode & 0o777 for path in machine.glob("*.pem")) == [0o600] * 2
    seal()
    assert verified(newest_note(), [old, new])[1] == [old, new]
    assert opened(newest_note(), [old]) == opened(newest_note(), [new])
    said("audit_keys", "retire", old.id.hex())
    seal()
    assert [line.key_id for line in read_note(newest_note()).signatures] == [new.id]
    with pytest.raises(NoteNotValid):
        opened(newest_note(), [old])
    assert [(kind, facts.get("key")) for kind, facts in of_the_log()] == [
        ("log.began", None),
        ("log.key_added", str(old)),
        ("log.key_added", str(new)),
        ("log.key_retired", str(old)),
    ]
    assert announce_log() == 0
    assert "retired at 4 events" in said("audit_keys", "list")
    assert found() == []
    # The retired key's file may go.
    (machine / "signing_key.pem").unlink()
    begun(stream="policy")
    assert seal().signed == 6


def test_the_last_key_and_an_unknown_one_are_not_retired(begun: Record) -> None:
    (key,) = [row.key for row in LogKey.objects.all()]
    with pytest.raises(CommandError, match="only key that signs"):
        said("audit_keys", "retire", key.id.hex())
    with pytest.raises(CommandError, match="No key 00000000 signs"):
        said("audit_keys", "retire", "00000000")


def test_a_key_that_is_on_no_machine_here_cannot_be_overlooked(
    begun: Record, machine: Path
) -> None:
    said("audit_keys", "rotate")
    next(machine.glob("signing_key-*.pem")).unlink()
    assert seal().signed == 0
    assert "cannot sign" in sealing_state().trouble


def test_there_is_nothing_to_rotate_before_the_log_has_begun(db: None, machine: Path) -> None:
    with pytest.raises(CommandError, match="no sealed log yet"):
        said("audit_keys", "rotate")
    with pytest.raises(CommandError, match="no sealed log yet"):
        said("audit_log", "succeed")


def test_a_command_signs_in_the_place_of_a_file(recorded: Record, machine: Path) -> None:
    script = machine / "signer.py"
    script.write_text(SIGNER)
    command = shlex.join([sys.executable, str(script)])
    recorded(stream="policy")
    (machine / "signing_key.pem").unlink()
    with on_machine(machine, signing_command=command):
        assert seal().signed == 3
        assert found() == []
    script.write_text(SIGNER.replace("range(32)", "range(1, 33)"))
    recorded(stream="policy")
    with on_machine(machine, signing_command=command):
        assert seal().signed == 0
        assert "None of the keys on this machine is that key" in sealing_state().trouble
    for spoilt, words in (
        ("raise SystemExit(3)", "ended with 3"),
        ("print('?')", "gave no answer"),
    ):
        script.write_text(spoilt)
        with on_machine(machine, signing_command=command):
            assert seal().signed == 0
            assert words in sealing_state().trouble


def test_a_key_that_cannot_be_asked_again_is_not_added(begun: Record, machine: Path) -> None:
    script, asked = machine / "signer.py", machine / "asked"
    once = f"import pathlib\nasked = pathlib.Path({str(asked)!r})\nasked.touch(exist_ok=False)\n"
    script.write_text(once + SIGNER)
    command = shlex.join([sys.executable, str(script)])
    with (
        on_machine(machine, signing_command=command),
        pytest.raises(CommandError, match="cannot sign"),
    ):
        said("audit_keys", "rotate")
    assert asked.exists()
    assert LogKey.objects.count() == 1


def test_the_same_key_is_not_added_twice(begun: Record, machine: Path) -> None:
    script = machine / "signer.py"
    script.write_text(SIGNER)
    with on_machine(machine, signing_command=shlex.join([sys.executable, str(script)])):
        said("audit_keys", "rotate")
        with pytest.raises(CommandError, match="is a key of this log already"):
            said("audit_keys", "rotate")
    assert LogKey.objects.count() == 2


def test_a_key_is_retired_once_and_the_last_one_never(begun: Record) -> None:
    (old,) = [row.key for row in LogKey.objects.all()]
    said("audit_keys", "rotate")
    said("audit_keys", "retire", old.id.hex())
    retired_at = LogKey.objects.get(pk=str(old)).retired_at
    with pytest.raises(CommandError, match=f"No key {old.id.hex()} signs"):
        said("audit_keys", "retire", old.id.hex())
    assert LogKey.objects.get(pk=str(old)).retired_at == retired_at
    (last,) = [row.key for row in LogKey.objects.filter(retired_at=None)]
    with pytest.raises(CommandError, match="the only key that signs"):
        said("audit_keys", "retire", last.id.hex())


def test_a_key_of_the_log_before_is_not_one_that_signs(begun: Record) -> None:
    (old,) = [row.key for row in LogKey.objects.all()]
    said("audit_log", "succeed")
    said("audit_keys", "rotate")
    with pytest.raises(CommandError, match=f"No key {old.id.hex()} signs"):
        said("audit_keys", "retire", old.id.hex())


def test_a_manifest_is_signed_by_the_keys_of_the_log_and_a_checkpoint_is_not(begun: Record) -> None:
    keys = [row.key for row in LogKey.objects.all()]
    text = "an export\nof three events\n"
    assert verified(sign_note(text), keys) == (text, keys)
    with pytest.raises(NoteNotValid, match="Only the sealer signs checkpoints"):
        sign_note(read_note(newest_note()).text.replace("\n3\n", "\n4\n"))


def test_there_is_nobody_to_sign_before_the_log_has_begun(db: None, machine: Path) -> None:
    with pytest.raises(KeyTrouble, match="no key that signs"):
        sign_note("an export\n")


def test_a_lost_key_is_followed_by_a_successor_that_names_the_old_log(
    begun: Record, machine: Path
) -> None:
    last = newest_note()
    (machine / "signing_key.pem").unlink()
    make_key(machine)
    begun(stream="policy")
    assert seal().signed == 0
    assert "The log approvals.example/log/" in said("audit_log", "succeed")
    first, second = Log.objects.order_by("id")
    assert second.former == last
    assert second.origin.startswith("approvals.example/log/")
    newest = Checkpoint.objects.newest()
    assert newest is not None
    assert opened(newest.note, [row.key for row in second.keys.all()]).origin == second.origin
    assert outside.read() == newest.note
    types = dict(of_the_log())
    assert types["log.succeeded"]["former"] == first.origin
    assert types["log.succeeded"]["former_size"] == 3
    begun(stream="policy")
    assert seal().signed == newest.size + 1
    assert found() == []
    assert Log.objects.count() == 2


def test_a_halt_is_lifted_once_all_fits_again(begun: Record, attacker: Attacker) -> None:
    begun(stream="policy")
    seal()
    with pytest.raises(CommandError, match="Sealing has not halted"):
        said("audit_log", "acknowledge")
    attacker.does("CREATE TABLE backup AS TABLE audit_treestate")
    attacker.does("UPDATE audit_treestate SET size = 3")
    seal()
    with pytest.raises(CommandError, match="Sealing of the audit log has halted"):
        said("audit_log", "status")
    with pytest.raises(CommandError, match="It still does not fit"):
        said("audit_log", "acknowledge")
    attacker.does("UPDATE audit_treestate SET size = backup.size FROM backup")
    assert seal() == Sealed()
    assert "sealing goes on" in said("audit_log", "acknowledge")
    assert seal().signed == 6
    assert [kind for kind, _ in of_the_log()][-2:] == ["log.halted", "log.resumed"]
    assert "6 events sealed, 6 of them under a checkpoint, 0 waiting" in said("audit_log", "status")


def halts() -> int:
    return [kind for kind, _ in of_the_log()].count("log.halted")


def test_each_halt_is_recorded_once(begun: Record, attacker: Attacker) -> None:
    begun(stream="policy")
    seal()
    sizes = [TreeState.objects.get().size]
    for number in (1, 2):
        attacker.does("UPDATE audit_treestate SET size = 3")
        for _ in range(3):
            assert seal() == Sealed()
        assert halts() == number
        attacker.does("UPDATE audit_treestate SET size = %s", sizes[-1])
        assert halts() == number
        said("audit_log", "acknowledge")
        seal()
        sizes.append(TreeState.objects.get().size)
    assert sizes == sorted(set(sizes))
    assert found() == []


def test_trouble_that_lasts_is_told_once(begun: Record, caplog: pytest.LogCaptureFixture) -> None:
    for sentence in ("The disk is full.", "The disk is full.", "The key is gone."):
        note_trouble(sentence)
    told = [each for each in caplog.messages if "sealing_waits" in each]
    assert ["full" in each for each in told] == [True, False]


def test_each_process_says_itself_what_keeps_it_from_sealing(
    begun: Record, attacker: Attacker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def times_told(event: str = "sealing_waits") -> int:
        return sum(event in each for each in caplog.messages)

    sentence = "No checkpoint is kept on this machine."
    attacker.does(
        "UPDATE audit_treestate SET trouble = %s", sentence
    )  # as a process before this one noted it
    note_trouble(sentence)
    assert times_told() == 1

    attacker.does(
        "UPDATE audit_treestate SET trouble = ''"
    )  # another machine's scheduler has sealed meanwhile
    note_trouble(sentence)
    assert times_told() == 1

    begun(stream="policy")
    assert seal().signed
    assert times_told("sealing_goes_on") == 1
    # Beside another machine's scheduler that still waits, and notes so for all to see.
    attacker.does("UPDATE audit_treestate SET trouble = %s", sentence)
    begun(stream="policy")
    assert seal().signed
    assert times_told("sealing_goes_on") == 1

    note_trouble(sentence)
    assert times_told() == 2


def test_of_two_sealers_that_halt_at_once_one_says_so(begun: Record) -> None:
    assert halt("It was set back.", why="behind")
    assert not halt("It was set back.", why="behind")
    assert halts() == 1


def test_what_keeps_the_halt_from_being_recorded_does_not_keep_the_log_from_halting(
    begun: Record, attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise OperationalError("the server is away")

    begun(stream="policy")
    seal()
    attacker.does("UPDATE audit_treestate SET size = 3")
    with monkeypatch.context() as broken:
        broken.setattr("audit.services.halt.record", away)
        seal()
    assert "has halted" in sealing_state().complaint
    assert halts() == 0


def test_a_sealer_that_dies_while_it_halts_is_made_good_by_the_next_one(
    begun: Record, attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(stream="policy")
    seal()
    attacker.does("UPDATE audit_treestate SET size = 3")
    with monkeypatch.context() as dying:
        dying.setattr("audit.services.halt.record", _die)
        with pytest.raises(SystemExit):
            seal()
    assert sealing_state().complaint == ""
    seal()
    assert "has halted" in sealing_state().complaint
    assert halts() == 1


def _die(**_: object) -> None:
    raise SystemExit


def test_a_log_that_was_set_back_for_good_gets_a_successor(
    begun: Record, attacker: Attacker, machine: Path
) -> None:
    begun(stream="policy")
    seal()
    lost = newest_note()
    cut(attacker, 3)
    begun(stream="policy")
    assert seal() == Sealed()
    said("audit_log", "succeed")
    second = Log.objects.latest("id")
    assert second.former == lost
    assert second.first_size == 3
    assert not TreeState.objects.get().halted_because
    begun(stream="policy")
    assert seal().events == 1
    assert dict(of_the_log())["log.succeeded"]["former_size"] == 4


def test_a_successor_goes_its_own_way_where_checkpoints_of_what_was_lost_are_still_there(
    begun: Record, attacker: Attacker, machine: Path, auditor: User
) -> None:
    for _ in range(7):
        begun(stream="policy")
        seal()
    lost = read_checkpoint(read_note(newest_note()).text)
    SinkCursor.objects.create(name="siem", next=8, until=8, declared_at=database_now())
    SinkCursor.objects.create(
        name="lake", next=2, until=4, size=lost.size, declared_at=database_now()
    )
    cut_leaves(attacker, 3)
    seal()
    said("audit_log", "succeed")
    second = Log.objects.latest("id")
    newest = Checkpoint.objects.newest()
    assert newest is not None
    assert (newest.log, newest.size < lost.size) == (second, True)
    assert sealing_state().signed == newest.size
    # Sinks get what the successor has, and nothing of it is left out.
    assert dict(SinkCursor.objects.values_list("name", "next")) == {"siem": 3, "lake": 2}
    assert not any(cursor.is_under_way for cursor in SinkCursor.objects.all())
    assert [kind for kind, _ in of_the_log()].count("sink.moved") == 2
    event = Event.objects.of_type("log.succeeded").get()
    seal()
    assert prove_event(event.id, viewer=auditor).checkpoint.log == second
    while sealing_state().signed <= lost.size:
        begun(stream="policy")
        assert seal().signed
    # A size that was signed before is signed again, by the successor.
    assert Checkpoint.objects.filter(size=lost.size).count() == 2
    assert checkpoint_at(lost.size).log == second
    assert prove_consistency(newest.size, lost.size).second.log == second
    checked = Checked()
    # What was cut is all that does not fit.
    assert len([each for each in check(checked) if "is neither in the log" not in each]) == 0
    (note,) = checked.log.notes
    assert f"had signed {lost.size} events and its successor began with fewer: 7 of its" in note


def test_a_successor_that_was_interrupted_is_gone_on_with(
    begun: Record, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(outside, "write", _full)
        with pytest.raises(CommandError, match="The disk is full"):
            said("audit_log", "succeed")
    assert seal().signed == 0
    assert "is of the log approvals.example/log and the database's" in sealing_state().trouble
    # It has signed nothing yet that a machine without a checkpoint could take up.
    kept = outside.read()
    outside.path().unlink()
    with pytest.raises(CommandError, match="no checkpoint that could be taken up"):
        said("audit_log", "adopt")
    assert kept is not None
    outside.write(kept)
    said("audit_log", "succeed")
    assert Log.objects.count() == 2
    assert [kind for kind, _ in of_the_log()].count("log.succeeded") == 1
    begun(stream="policy")
    assert seal().events == 1


def _full(_note: str) -> None:
    raise outside.OutsideTrouble("The disk is full.")


def test_a_further_machine_takes_up_the_log(begun: Record, machine: Path) -> None:
    with pytest.raises(CommandError, match="keeps a checkpoint of this log already"):
        said("audit_log", "adopt")
    with on_machine(machine, checkpoint_path=str(machine / "second" / "checkpoint")):
        begun(stream="policy")
        assert seal() == Sealed()
        assert "This machine keeps the checkpoint of 3 events now" in said("audit_log", "adopt")
        assert seal().signed == 5
    assert of_the_log()[-1][0] == "log.adopted"
    # The first machine's checkpoint is older, and consistent with what the log has become.
    begun(stream="policy")
    assert seal().signed == 6


def test_a_log_that_does_not_fit_is_not_taken_up(
    begun: Record, machine: Path, attacker: Attacker
) -> None:
    attacker.does("UPDATE audit_tile SET data = decode(repeat('00', 96), 'hex')")
    with on_machine(machine, checkpoint_path=str(machine / "second")):
        with pytest.raises(CommandError, match="The log is not taken up"):
            said("audit_log", "adopt")
        attacker.does("DELETE FROM audit_checkpoint")
        with pytest.raises(CommandError, match="no checkpoint that could be taken up"):
            said("audit_log", "adopt")


class Receiver(BaseHTTPRequestHandler):
    """Somebody else's address that keeps what it is sent."""

    got: ClassVar[list[str]] = []
    status: ClassVar[int] = 204
    location: ClassVar[str] = ""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(f"GET {self.path}")
        self.send_response(204)
        self.end_headers()

    def do_POST(self) -> None:
        self.asked.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.status == 204:
            self.got.append(body.decode())
        self.send_response(self.status)
        if self.location:
            self.send_header("Location", self.location)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Nothing is said."""


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/checkpoints"
        server.shutdown()
        thread.join()


def test_a_redirect_of_the_receiver_is_not_followed(
    begun: Record, machine: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Receiver, "status", 302)
    monkeypatch.setattr(Receiver, "location", f"{address}/elsewhere")
    monkeypatch.setattr(Receiver, "asked", [])
    with on_machine(machine, checkpoint_url=address):
        assert not post_checkpoint()
    assert Receiver.asked == ["POST /checkpoints"]


def test_the_newest_checkpoint_is_posted_to_an_address_once(
    begun: Record, machine: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = newest_note()
    assert not post_checkpoint()
    with on_machine(machine, checkpoint_url=address):
        assert post_checkpoint()
        assert not post_checkpoint()
        begun(stream="policy")
        seal()
        monkeypatch.setattr(Receiver, "status", 503)
        assert not post_checkpoint()
        monkeypatch.setattr(Receiver, "status", 204)
        assert post_checkpoint()
    assert Receiver.got == [first, newest_note()]
