"""Evidence exports from the database: what is in them, and that a stranger's check agrees."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.test import override_settings

from accounts.callers import Caller
from accounts.errors import PermissionMissing
from accounts.models import User
from accounts.services.set_roles import set_roles
from audit import document_ports, export_file
from audit.actors import Actor
from audit.bundle import parquet, sealed
from audit.bundle import write as bundle
from audit.canonical import canonical_bytes, sha256_hex
from audit.completeness_words import in_words
from audit.document_ports import Reference
from audit.filters import EventFilter
from audit.models import Checkpoint, Event, Export, Leaf
from audit.schemas import ActionRef, AgentRef, Disclose, Outcome, PolicyRef
from audit.services.ask_export import NotThatFar, UnusableChallenge, ask_export
from audit.services.download_export import (
    ExportBeforeErasure,
    ExportNotFinished,
    download_export,
)
from audit.services.draw_sample import draw_sample
from audit.services.seal import seal
from audit.services.tidy_exports import tidy_exports
from audit.services.write_export import write_export
from audit.verifier import verify
from tests.audit.conftest import Attacker, Record
from tests.audit.keeping import erase
from tests.harness.people import person

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "sealer"]),
    pytest.mark.usefixtures("machine", "no_waiting"),
]

SHOWN = canonical_bytes({"amount": 4000, "to": "Ada"})
POLICY = canonical_bytes({"rules": []})


@pytest.fixture
def no_waiting(settings: Any, machine: Path) -> Iterator[None]:
    """What is not sealed is not waited for."""
    config = settings.COUNTERSIGN.model_copy(update={"export_seal_wait_seconds": 0})
    with override_settings(COUNTERSIGN=config):
        yield


class Kept:
    """An app with documents: one that everybody may read, one that only some may."""

    def documents(self, references: Any, *, sensitive: bool) -> dict[str, bytes]:
        self.asked: list[Reference] = list(references)
        found = {sha256_hex(POLICY): POLICY}
        if sensitive:
            found[sha256_hex(SHOWN)] = SHOWN
        return found


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Kept:
    app = Kept()
    monkeypatch.setattr(document_ports, "_documents", [app])
    return app


@pytest.fixture
def story(recorded: Record, some_run: UUID, some_request: UUID, app: Kept) -> list[Event]:
    """A request from its opening to its effect, among other events; nothing is sealed yet."""
    about: dict[str, Any] = {
        "run": some_run,
        "agent": AgentRef("refund-desk"),
        "action": ActionRef("issue_refund", "high", 6100),
        "policy": PolicyRef(version=1, sha256=sha256_hex(POLICY), rule="refunds"),
    }
    own = {"stream": f"request:{some_request}", "request": some_request}
    kept = Disclose("shown_sha256", sha256_hex(SHOWN), f"request:{some_request}")
    return [
        recorded(type="signin.succeeded", stream="person:7"),
        recorded(type="request.opened", **own, **about, disclosures=[kept]),
        recorded(type="run.parked", stream=f"run:{some_run}", **about),
        recorded(
            type="request.decided",
            **own,
            **about,
            outcome=Outcome("approve"),
            facts={"state": "approved"},
            disclosures=[Disclose("reason", "=cmd|' /C calc'!A0", "person:7"), kept],
        ),
        recorded(type="effect.succeeded", **own, **about),
        recorded(type="signout", stream="person:7"),
    ]


Exported = Callable[..., tuple[Export, Path]]


@pytest.fixture
def exported(auditor: User) -> Exported:
    """`exported(challenge=…, **filters)` seals, asks for an evidence export, and writes it."""

    def export(
        *, who: User = auditor, seal_first: bool = True, wishes: Any = None, **filters: Any
    ) -> tuple[Export, Path]:
        if seal_first:
            seal()
        asked = ask_export(
            chosen=EventFilter(**filters),
            file_format="bundle",
            caller=Caller.of_session(who),
            **(wishes or {}),
        )
        write_export(asked.id)
        asked.refresh_from_db()
        assert asked.state == "finished", asked.problem
        return asked, export_file.path_of(asked)

    return export


def read(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as opened:
        return opened.read(name)


def manifest_of(path: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(read(path, "MANIFEST.json"))
    return manifest


def test_the_whole_log_is_exported_and_holds(
    story: list[Event], exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    export, path = exported()
    assert verify.main([str(path)]) == 0
    said = capsys.readouterr().out
    assert "They are the whole log up to the checkpoint: none is left out." in said
    order = {leaf.event: leaf.index for leaf in Leaf.objects.all()}
    lines = read(path, "events.jsonl").splitlines()
    assert [order[UUID(orjson.loads(line)["id"])] for line in lines] == list(range(len(order)))
    assert {bytes(event.body) for event in story} <= set(lines)
    assert export.completeness == {
        "kind": "range",
        "first": 0,
        "end": export.size,
        "dropped": 0,
        "missing": 0,
    }
    assert export.events == export.size == Checkpoint.objects.newest().size  # type: ignore[union-attr]
    assert export.sha256 == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert path.stat().st_mode & 0o777 == 0o600
    path.parent.chmod(0o2750)
    _, shared = exported()
    assert shared.stat().st_mode & 0o777 == 0o640, "its group may read the folder"
    assert [each.name for each in path.parent.iterdir() if str(export.id) in each.name] == [
        path.name
    ]


def test_a_batch_is_as_good_as_many(
    story: list[Event], exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read(exported()[1], "events.jsonl")
    for size in (1, 2, 5):
        monkeypatch.setattr(sealed, "PLACES_A_BATCH", size)
        _, path = exported(seal_first=False)
        assert read(path, "events.jsonl") == whole
        assert verify.main([str(path)]) == 0


def test_a_request_is_exported_as_one_whole_story(
    story: list[Event], exported: Exported, some_request: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    export, path = exported(request=some_request)
    assert export.completeness == {
        "kind": "story",
        "stream": f"request:{some_request}",
        "ended": True,
    }
    assert verify.main([str(path)]) == 0
    assert "is whole from its first event to number 3, with which it ended" in (
        capsys.readouterr().out
    )


def test_a_filter_proves_inclusion_only(
    story: list[Event], exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    export, path = exported(type="request.*")
    assert (export.events, export.completeness) == (2, {"kind": "selection"})
    assert verify.main([str(path)]) == 0
    assert "That nothing is left out: the events were chosen" in capsys.readouterr().out


def test_a_time_is_exported_as_a_whole_range_of_places(
    story: list[Event], exported: Exported
) -> None:
    seal()
    export, path = exported(since=story[1].inserted_at, until=story[4].inserted_at)
    places = {leaf.event: leaf.index for leaf in Leaf.objects.all()}
    expected = {"first": places[story[1].id], "end": places[story[3].id] + 1}
    assert export.completeness == {"kind": "range", **expected, "dropped": 0, "missing": 0}
    assert verify.main([str(path)]) == 0
    empty, path = exported(until=story[0].inserted_at.replace(year=2000))
    assert (empty.events, verify.main([str(path)])) == (0, 0)


def test_disclosures_and_documents_come_along_for_those_who_may_read_them(
    story: list[Event],
    exported: Exported,
    auditor: User,
    app: Kept,
) -> None:
    export, path = exported()
    manifest = manifest_of(path)
    assert manifest["disclosures"] == {"included": True, "count": export.disclosures}
    assert b"calc" in b"".join(
        verify.base64.urlsafe_b64decode(json.loads(line)["disclosure"] + "==")
        for line in read(path, "disclosures.jsonl").splitlines()
    )
    assert read(path, f"content/{sha256_hex(POLICY)[7:]}") == POLICY
    # What only some may read is left out, and said.
    assert (manifest["content"]["documents"], manifest["content"]["absent"]) == (1, 1)
    assert {each.name for each in app.asked} == {"policy", "shown_sha256"}

    _, path = exported(who=person("sensitive", "auditor", "sensitive-reader"))
    assert read(path, f"content/{sha256_hex(SHOWN)[7:]}") == SHOWN
    assert verify.main([str(path)]) == 0


def test_personal_data_can_be_left_out(
    story: list[Event], exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    export, path = exported(wishes={"disclosures": False})
    assert (export.with_disclosures, export.disclosures) == (False, 0)
    names = zipfile.ZipFile(path).namelist()
    assert "disclosures.jsonl" not in names
    assert not [name for name in names if name.startswith("content/")]
    assert verify.main([str(path)]) == 0
    assert "may not read them, or did not ask for them" in capsys.readouterr().out


def test_who_may_export_and_not_read_gets_no_personal_data(
    story: list[Event], exported: Exported, outsider: User
) -> None:
    from django.contrib.auth.models import Permission

    outsider.user_permissions.add(Permission.objects.get(codename="export_audit"))
    export, path = exported(who=User.objects.get(pk=outsider.pk))
    assert not export.with_disclosures
    assert "disclosures.jsonl" not in zipfile.ZipFile(path).namelist()


def test_what_one_may_not_read_is_not_handed_out_because_somebody_else_asked_for_it(
    story: list[Event], exported: Exported, auditor: User
) -> None:
    allowed = person("sensitive", "auditor", "sensitive-reader")
    export, path = exported(who=allowed)
    assert SHOWN in path.read_bytes()
    with pytest.raises(PermissionMissing, match="read sensitive"):
        download_export(export.id, caller=Caller.of_session(auditor))
    download_export(export.id, caller=Caller.of_session(allowed))
    # Nor once the one who asked may not any more.
    set_roles(person=allowed, roles=["auditor"], caller=Actor.system("test"))
    with pytest.raises(PermissionMissing, match="read sensitive"):
        download_export(export.id, caller=Caller.of_session(User.objects.get(pk=allowed.pk)))
    assert Event.objects.filter(type="export.downloaded").count() == 1


def test_a_document_that_does_not_have_its_digest_is_not_handed_out(
    story: list[Event], exported: Exported, app: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        app, "documents", lambda references, sensitive: {sha256_hex(POLICY): b"another"}
    )
    _, path = exported()
    assert manifest_of(path)["content"]["documents"] == 0
    assert verify.main([str(path)]) == 0


def test_what_was_erased_is_counted_and_the_rest_holds(
    story: list[Event], exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    erase("person:7")
    _, path = exported()
    assert manifest_of(path)["redacted"] == 1
    assert verify.main([str(path)]) == 0
    assert "1 more were erased" in capsys.readouterr().out


def test_what_was_erased_is_not_handed_out_in_an_older_export(
    story: list[Event], exported: Exported, auditor: User
) -> None:
    (older, path), (without, _) = exported(), exported(wishes={"disclosures": False})
    erase("person:7")
    newer, _ = exported()
    auditors = Caller.of_session(auditor)
    with pytest.raises(ExportBeforeErasure, match="Ask for it again"):
        download_export(older.id, caller=auditors)
    assert tidy_exports() == 1
    assert not path.exists()
    with pytest.raises(ExportNotFinished, match="something was erased from the log since"):
        download_export(older.id, caller=auditors)
    for other in (without, newer):
        download_export(other.id, caller=auditors)


def test_a_second_export_proves_that_the_first_one_still_stands(
    story: list[Event],
    exported: Exported,
    recorded: Record,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = str(tmp_path / "state")
    first, path = exported()
    assert verify.main([str(path), "--state", state]) == 0
    for _ in range(5):
        recorded()
    _, path = exported(type="request.*")
    assert manifest_of(path)["consistency"] == [first.size]
    capsys.readouterr()
    assert verify.main([str(path), "--state", state]) == 0
    assert f"you checked last ({first.size} events)" in capsys.readouterr().out


def test_somebody_elses_check_is_proved_when_they_say_its_size(
    story: list[Event], exported: Exported, recorded: Record
) -> None:
    seal()
    size = Leaf.objects.count()
    recorded()
    _, path = exported(type="request.*", wishes={"since_size": size})
    assert manifest_of(path)["consistency"] == [size]
    with pytest.raises(NotThatFar, match="the log was cut"):
        exported(wishes={"since_size": 10_000})


def test_a_challenge_stands_in_the_manifest_and_not_in_the_event(
    story: list[Event], exported: Exported
) -> None:
    _, path = exported(wishes={"challenge": "seven herons"})
    assert manifest_of(path)["challenge"] == "seven herons"
    assert verify.main([str(path), "--challenge", "seven herons"]) == 0
    asked = Event.objects.get(type="export.asked")
    assert b"herons" not in bytes(asked.body)
    for wrong in ("", "x" * 201, "two\nlines", "\ud800"):
        with pytest.raises(UnusableChallenge):
            exported(wishes={"challenge": wrong})


def test_what_is_not_sealed_yet_is_counted_and_left_out(
    story: list[Event], exported: Exported, recorded: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    seal()
    recorded()
    recorded(type="signout", stream="person:7")
    export, path = exported(seal_first=False, type="signout")
    assert (export.events, export.not_sealed) == (1, 1)
    assert verify.main([str(path)]) == 0
    assert "1 events that were not sealed yet" in capsys.readouterr().out


def test_it_waits_for_the_sealer(
    story: list[Event], auditor: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    asked = ask_export(
        chosen=EventFilter(), file_format="bundle", caller=Caller.of_session(auditor)
    )
    # Instead of the pause: what the sealer would have done meanwhile.
    monkeypatch.setattr(bundle.time, "sleep", lambda seconds: seal())
    config = settings.COUNTERSIGN.model_copy(update={"export_seal_wait_seconds": 60})
    with override_settings(COUNTERSIGN=config):
        write_export(asked.id)
    asked.refresh_from_db()
    assert (asked.state, asked.not_sealed) == ("finished", 0)
    assert asked.events >= len(story)


def test_a_log_that_nobody_seals_says_so(story: list[Event], auditor: User) -> None:
    asked = ask_export(
        chosen=EventFilter(), file_format="bundle", caller=Caller.of_session(auditor)
    )
    write_export(asked.id)
    asked.refresh_from_db()
    assert (asked.state, asked.sha256) == ("failed", "")
    assert "Nothing of the log is sealed yet" in asked.problem


def test_a_key_that_is_gone_is_said(story: list[Event], auditor: User, machine: Path) -> None:
    seal()
    (machine / "signing_key.pem").unlink()
    asked = ask_export(
        chosen=EventFilter(), file_format="bundle", caller=Caller.of_session(auditor)
    )
    write_export(asked.id)
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert "signing key" in asked.problem


def test_asking_and_downloading_say_what_was_handed_out(
    story: list[Event], exported: Exported, auditor: User
) -> None:
    export, _ = exported(wishes={"challenge": "x"})
    asked = orjson.loads(bytes(Event.objects.get(type="export.asked").body))
    assert asked["facts"] == {
        "export": str(export.id),
        "format": "bundle",
        "filtered_by": [],
        "with_disclosures": True,
        "with_sensitive": False,
    }
    download_export(export.id, caller=Caller.of_session(auditor))
    downloaded = orjson.loads(bytes(Event.objects.get(type="export.downloaded").body))
    assert downloaded["facts"]["size"] == export.size
    assert downloaded["facts"]["disclosures"] == export.disclosures


def test_parquet_says_what_the_events_say_where_it_is_made(
    story: list[Event], exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "is_installed", lambda: False)
    _, path = exported()
    assert manifest_of(path)["parquet"]["included"] is False
    assert "pyarrow" in manifest_of(path)["parquet"]["why"]
    assert verify.main([str(path)]) == 0


def test_a_row_that_was_edited_before_the_export_is_named(
    story: list[Event], exported: Exported, attacker: Attacker, capsys: pytest.CaptureFixture[str]
) -> None:
    seal()
    attacker.does(
        "UPDATE audit_event SET body = convert_to(replace(convert_from(body, 'UTF8'), "
        "'\"high\"', '\"low\"'), 'UTF8') WHERE type = 'request.opened'"
    )
    _, path = exported(seal_first=False)
    assert verify.main([str(path)]) == 1
    said = capsys.readouterr().out
    assert "The events do not lead to the root that the checkpoint signs" in said
    assert "one of them was changed after it was written" in said


def test_a_row_that_was_deleted_before_the_export_is_missed(
    story: list[Event], exported: Exported, attacker: Attacker, capsys: pytest.CaptureFixture[str]
) -> None:
    seal()
    attacker.does("DELETE FROM audit_event WHERE type = 'request.decided'")
    export, path = exported(seal_first=False)
    assert verify.main([str(path)]) == 1
    assert "events are missing at 1 places" in capsys.readouterr().out
    assert "events are missing at 1 places" in in_words(export.completeness, size=export.size)
    # With its leaf, and the later ones moved up into the gap.
    attacker.does(
        "DELETE FROM audit_leaf WHERE event NOT IN (SELECT id FROM audit_event)",
    )
    _, path = exported(seal_first=False)
    assert verify.main([str(path)]) == 1
    assert "events are missing at 1 places" in capsys.readouterr().out


def test_what_was_dropped_with_its_month_is_told_from_what_was_deleted(
    story: list[Event], exported: Exported, attacker: Attacker, capsys: pytest.CaptureFixture[str]
) -> None:
    seal()
    attacker.does("DELETE FROM audit_event WHERE id = %s", story[0].id)
    attacker.does(
        "INSERT INTO audit_retired (partition, since, until, events, leaves_sha256) "
        "VALUES ('audit_event_then', %s, %s, 1, '')",
        story[0].inserted_at,
        story[1].inserted_at,
    )
    export, path = exported(seal_first=False)
    assert export.completeness["dropped"] == 1
    assert "Whole but for 1 events" in in_words(export.completeness, size=export.size)
    assert verify.main([str(path)]) == 0
    assert "What stood at 1 places of the log" in capsys.readouterr().out


def test_rows_in_another_order_are_noticed(
    story: list[Event], exported: Exported, attacker: Attacker, capsys: pytest.CaptureFixture[str]
) -> None:
    seal()
    attacker.does(
        "UPDATE audit_leaf SET index = CASE index WHEN 1 THEN 1003 WHEN 3 THEN 1001 END "
        "WHERE index IN (1, 3)"
    )
    attacker.does("UPDATE audit_leaf SET index = index - 1000 WHERE index > 1000")
    _, path = exported(seal_first=False)
    assert verify.main([str(path)]) == 1
    assert "The events do not lead to the root" in capsys.readouterr().out


def test_a_long_disclosure_is_exported(recorded: Record, exported: Exported) -> None:
    recorded(disclosures=[Disclose("why", "x" * 1_000_000, "person:7")])
    _, path = exported()
    assert verify.main([str(path)]) == 0


def test_a_sample_is_exported_with_the_seed_it_was_drawn_by(
    story: list[Event],
    exported: Exported,
    auditor: User,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sample = draw_sample(
        chosen=EventFilter(type="request.*"),
        seed="2026-Q1",
        size=2,
        caller=Caller.of_session(auditor),
    )
    _, path = exported(sample=str(sample.pk))
    said = manifest_of(path)["filter"]
    assert (said["sample"], said["sample_seed"]) == (str(sample.pk), "2026-Q1")
    assert (said["sample_size"], said["sample_population"]) == ("2", str(sample.population))
    assert said["sample_population_type"] == "request.*"
    ids = {json.loads(line)["id"] for line in read(path, "events.jsonl").splitlines()}
    assert ids == {str(event) for event in sample.chosen}
    assert len(ids) == 2
    assert verify.main([str(path)]) == 0
    assert "sample_seed" in capsys.readouterr().out
