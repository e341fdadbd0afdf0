"""Witnesses: they cosign what continues what they saw, and what they signed can be checked by everybody."""

import base64
import hashlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit import ports
from audit.actors import Actor
from audit.canonical import canonical_bytes
from audit.fsck import Checked, check
from audit.merkle.cosignatures import WitnessKey, cosignature
from audit.merkle.notes import NoteNotValid
from audit.models import Checkpoint, Cosignature, Event, Export, LogKey, WitnessState
from audit.services.after_halt import succeed
from audit.services.ask_witness import ask_witness
from audit.services.seal import seal
from audit.services.write_export import write_export
from audit.streamer import send_all
from audit.streaming.witnesses import Witness, named_witnesses
from audit.verifier import verify
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record, on_machine
from tests.audit.witness import TestWitness, serving

Login = Callable[[Client, User], Client]
pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)
ORIGIN = "approvals.example/log"


@pytest.fixture
def there(recorded: Record, machine: Path) -> Iterator[TestWitness]:
    """A witness that knows the log, which has three events and a checkpoint."""
    recorded()
    seal()
    with serving(TestWitness()) as witness:
        witness.logs[ORIGIN] = [row.key.public for row in LogKey.objects.all()]
        yield witness


@pytest.fixture
def first(there: TestWitness, machine: Path) -> Iterator[Witness]:
    """The witness as the settings name it."""
    named = named_witnesses(canonical_bytes({"first": there.setting}).decode())
    paced = {
        "witness_seconds": 0.01,
        "audit_sink_longest_wait_seconds": 0.000001,
        "audit_sink_alarm_seconds": 0.0,
    }
    with on_machine(machine, witnesses=named, **paced):
        yield named["first"]


def newest() -> Checkpoint:
    found = Checkpoint.objects.newest()
    assert found is not None
    return found


def types_in_log() -> list[str]:
    found = Event.objects.in_stream("log").oldest_first().values_list("type", flat=True)
    return [each for each in found if each.startswith("witness.")]


def test_each_new_checkpoint_is_cosigned_with_the_proof_that_the_log_only_grew(
    there: TestWitness, first: Witness, recorded: Record
) -> None:
    for _ in range(4):
        assert not ask_witness("first", first)
        found = Cosignature.objects.get(checkpoint=newest())
        signed = cosignature(newest().note + found.line, WitnessKey.read(there.key))
        assert signed is not None
        assert signed.seconds == int(found.cosigned_at.timestamp())
        for _ in range(5):
            recorded(stream="policy")
        seal()
    assert [request.partition("\n")[0] for request in there.asked] == [
        "old 0",
        "old 3",
        "old 8",
        "old 13",
    ]
    assert there.asked[0].split("\n")[1] == "", "from nothing, there is nothing to prove"
    assert there.seen[ORIGIN][0] == 18
    send_all()
    assert not ask_witness("first", first)
    assert len(there.asked) == 5, "what is cosigned is not asked for again"
    assert types_in_log() == []


def test_a_witness_that_has_seen_more_than_is_known_here_says_so_and_cosigns(
    there: TestWitness, first: Witness, recorded: Record
) -> None:
    ask_witness("first", first)
    recorded()
    seal()
    WitnessState.objects.update(size=0)
    send_all()
    assert [request.partition("\n")[0] for request in there.asked] == ["old 0", "old 0", "old 3"]
    assert Cosignature.objects.filter(checkpoint=newest()).exists()


def test_a_log_that_was_set_back_is_noticed_by_what_the_witness_has_seen(
    there: TestWitness, first: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: list[str] = []
    monkeypatch.setattr(ports, "_raised_by", [lambda say: alarms.append(": ".join(say()))])
    there.seen[ORIGIN] = 50, bytes(32)
    assert not ask_witness("first", first)
    assert WitnessState.objects.get().problem.startswith(
        "It has cosigned 50 events of the log, which has 3: the tail was cut"
    )
    assert types_in_log() == ["witness.failing"]
    figures = Client().get("/metrics").content.decode()
    assert 'countersign_audit_witness_failing{witness="first"} 1.0' in figures
    assert 'countersign_audit_witness_behind_events{witness="first"} 3.0' in figures
    assert alarms[0].startswith(
        "The witness first does not cosign the audit log: It has cosigned 50"
    )
    assert not Cosignature.objects.exists()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((403, "text/plain", ""), "It knows none of the keys"),
        ((404, "text/plain", ""), "It does not know this log"),
        ((409, "text/plain", "root"), "It has seen another checkpoint of this size"),
        ((409, "text/x.tlog.size", "0\n"), "It has seen another checkpoint of this size"),
        ((409, "text/x.tlog.size", "-1\n"), "It has seen another checkpoint of this size"),
        ((422, "text/plain", ""), "It holds that the log does not continue"),
        ((500, "text/plain", ""), "It answered 500."),
        ((200, "text/plain", ""), "It answered without a cosignature by its key."),
        ((200, "text/plain", "hello"), "What it answered is no valid cosignature"),
        ((200, "text/plain", "— a b\n" * 70), "What it answered is no valid cosignature"),
    ],
)
def test_what_is_no_cosignature_is_said_told_once_and_over_when_it_comes(
    there: TestWitness, first: Witness, answer: tuple[int, str, str], problem: str
) -> None:
    there.answers = [answer, answer]
    assert not ask_witness("first", first)
    assert not ask_witness("first", first)
    assert WitnessState.objects.get().problem.startswith(problem)
    assert not Cosignature.objects.exists()
    assert types_in_log() == ["witness.failing"]
    assert not ask_witness("first", first)
    assert Cosignature.objects.exists()
    assert types_in_log() == ["witness.failing", "witness.recovered"]


def test_a_cosignature_by_somebody_else_or_over_something_else_is_none(
    there: TestWitness, first: Witness
) -> None:
    text = newest().note.partition("\n\n")[0] + "\n"
    stranger = TestWitness()
    other_name = TestWitness(name="witness.example/w2", private=there.private)
    forged = TestWitness(private=stranger.private)
    # Under the key's own name and id, by another key.
    line = forged.cosigned(text).split(" ")[2]
    data = there.key_id + base64.b64decode(line)[4:]
    in_its_name = f"— {there.name} {base64.b64encode(data).decode()}\n"
    for body in (
        stranger.cosigned(text),
        other_name.cosigned(text),
        there.cosigned(text.replace("\n3\n", "\n4\n")),
        in_its_name,
        there.cosigned(text)[:-20] + "\n",
        # Signed well, and of a time that no calendar has.
        there.cosigned(text, 253_402_300_800),
        there.cosigned(text, 2**62),
    ):
        there.answers = [(200, "text/plain", body)]
        assert not ask_witness("first", first)
        assert not Cosignature.objects.exists(), body
    # Lines of keys that nobody here knows are left alone beside the right one.
    there.answers = [
        (200, "text/plain", stranger.cosigned(text) + there.cosigned(text, 1679315147))
    ]
    ask_witness("first", first)
    assert Cosignature.objects.get().cosigned_at.isoformat() == "2023-03-20T12:25:47+00:00"


def test_a_successor_is_a_log_that_the_witness_has_seen_nothing_of(
    there: TestWitness, first: Witness
) -> None:
    ask_witness("first", first)
    begun = succeed(actor=Actor.system("tests"))
    there.logs[begun.origin] = [row.key.public for row in LogKey.objects.filter(log=begun)]
    send_all()
    assert there.asked[-1].partition("\n")[0] == "old 0"
    assert there.seen[begun.origin][0] == newest().size
    assert Cosignature.objects.filter(checkpoint=newest()).exists()


def test_a_history_that_was_written_anew_is_not_cosigned_and_does_not_fit_what_was(
    there: TestWitness, first: Witness, recorded: Record, attacker: Attacker
) -> None:
    ask_witness("first", first)
    assert list(check(Checked())) == []
    # As if the first three events had been others, and everything had been signed anew with the key.
    there.seen[ORIGIN] = 3, bytes(32)
    recorded()
    seal()
    assert not ask_witness("first", first)
    assert WitnessState.objects.get().problem.startswith(
        "It holds that the log does not continue what it has seen"
    )
    assert not Cosignature.objects.filter(checkpoint=newest()).exists()
    attacker.does(
        "UPDATE audit_cosignature SET line = %s",
        there.cosigned(f"{ORIGIN}\n3\n{base64.b64encode(bytes(32)).decode()}\n"),
    )
    assert list(check(Checked())) == [
        "A witness cosigned a checkpoint of 3 events, and not the one that the log has now: the checkpoint or "
        "the cosignature was changed."
    ]


def test_one_that_names_another_size_each_time_is_not_asked_again_and_again(
    there: TestWitness, first: Witness
) -> None:
    there.answers = [(409, "text/x.tlog.size", f"{number % 3}\n") for number in range(1, 20)]
    send_all()
    assert len(there.asked) == 3


def test_what_witnesses_signed_is_only_added_to(there: TestWitness, first: Witness) -> None:
    ask_witness("first", first)
    for change in (Cosignature.objects.all().delete, lambda: Cosignature.objects.update(line="x")):
        with pytest.raises(DatabaseError):
            change()
        connection.rollback()
    assert Cosignature.objects.count() == 1


def test_auditors_see_who_cosigned_and_tools_get_the_cosignatures_with_the_checkpoint(
    client: Client, login: Login, auditor: User, there: TestWitness, first: Witness
) -> None:
    login(client, auditor)
    assert "Not asked yet" in client.get("/audit/log/").content.decode()
    ask_witness("first", first)
    page = client.get("/audit/log/").content.decode()
    assert there.key in page.replace("&#x2B;", "+").replace("&#43;", "+")
    assert f"— {there.name} " in page
    note = client.get("/api/v1/audit/tlog/checkpoint").content.decode()
    assert note == newest().note + Cosignature.objects.get().line


def exported(folder: Path) -> Path:
    """An evidence export of everything, as a worker writes it."""
    made = Export.objects.create(
        asked_by="7", format="bundle", until=timezone.now(), created_at=timezone.now()
    )
    with on_machine(folder, data_dir=folder, export_seal_wait_seconds=0.0):
        write_export(made.pk)
        made.refresh_from_db()
        assert made.state == "finished", made.problem
        (found,) = folder.rglob(made.file_name)
    return found


def test_an_export_holds_the_newest_cosigned_checkpoint_and_the_verifier_checks_it(
    there: TestWitness,
    first: Witness,
    recorded: Record,
    machine: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ask_witness("first", first)
    for _ in range(4):
        recorded()
    seal()
    path = exported(machine)
    with zipfile.ZipFile(path) as bundle:
        assert {"cosigned", "consistency/3"} <= set(bundle.namelist())
    assert verify.check_file(str(path), [], None, None, [there.key]) == 0
    assert (
        "The witness witness.example/w1 saw the first 3 events of this log"
        in capsys.readouterr().out
    )
    assert verify.check_file(str(path), [], None, None) == 0
    assert "give the key of one that you trust with --witness" in capsys.readouterr().out
    assert verify.check_file(str(path), [], None, None, [TestWitness().key]) == 2
    assert "has no cosignature by" in capsys.readouterr().out


@pytest.mark.django_db(transaction=False)
def test_the_example_of_the_specification_has_the_key_id_that_it_says() -> None:
    """A key id is over name, type 4 and key, not as that of a log."""
    public = bytes(range(32))
    key = WitnessKey("witness.example.com/w1", public)
    named = hashlib.sha256(b"witness.example.com/w1\n\x04" + public).digest()[:4]
    assert key.id == named
    assert WitnessKey.read(str(key)) == key
    for wrong in ("x", "x+00000000+AA==", str(key).replace("+", "+0", 1)):
        with pytest.raises(NoteNotValid):
            WitnessKey.read(wrong)


@pytest.mark.django_db(transaction=False)
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("[]", "is a JSON object of names and witnesses"),
        ({"url": "ftp://h"}, "url: is no web address"),
        ({"key": "w+00000000+AA=="}, "key: The key is not one that makes Ed25519 cosignatures"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_witness_that_cannot_be_used_is_refused_with_a_sentence(
    given: Any, sentence: str
) -> None:
    whole = {"url": "https://h/p", "key": TestWitness().key}
    text = given if isinstance(given, str) else canonical_bytes({"w": whole | given}).decode()
    with pytest.raises(ValueError, match=sentence):
        named_witnesses(text)
