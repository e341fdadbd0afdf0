"""Exports whose worker is killed, whose disk is full, that are too many or too old."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.test import override_settings
from redis import Redis

from accounts.callers import Caller
from accounts.models import User
from audit import export_file, fault_points
from audit.bundle import sealed
from audit.filters import EventFilter
from audit.models import Event, Export
from audit.services.ask_export import TooManyExports, ask_export
from audit.services.download_export import ExportNotFinished, download_export
from audit.services.seal import seal
from audit.services.tidy_exports import tidy_exports
from audit.services.write_export import resume_exports, write_export
from audit.verifier import verify
from tests.audit.conftest import Record

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "sealer"]),
    pytest.mark.usefixtures("machine"),
]
Ask = Callable[..., Export]
SETTINGS = {"export_seal_wait_seconds": 0.0, "export_lease_seconds": 1000.0}


def with_settings(**changes: Any) -> Any:
    from django.conf import settings

    return override_settings(COUNTERSIGN=settings.COUNTERSIGN.model_copy(update=changes))


@pytest.fixture(autouse=True)
def patient(machine: Path) -> Iterator[None]:
    with with_settings(**SETTINGS):
        yield


@pytest.fixture
def asked(recorded: Record, auditor: User, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`asked(format)` asks for an export of three events, written one at a time; they are sealed."""
    for _ in range(3):
        recorded()
    monkeypatch.setattr(export_file, "ROWS_A_BATCH", 1)
    monkeypatch.setattr(sealed, "PLACES_A_BATCH", 1)
    seal()

    def ask(file_format: Any = "jsonl", who: User = auditor) -> Export:
        with transaction.atomic():
            return ask_export(
                chosen=EventFilter(type="request.claimed"),
                file_format=file_format,
                caller=Caller.of_session(who),
            )

    return ask


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Export], None]:
    """`killed(export)` writes it in a process of its own, which SIGKILL ends after the first events."""
    folder = tmp_path / "points"
    folder.mkdir()

    def write(export: Export) -> None:
        connections.close_all()
        worker = os.fork()
        if worker == 0:
            monkeypatch.setattr(fault_points, "FOLDER", folder)
            (folder / "export.beat").write_text("kill")
            try:
                write_export(export.id)
            finally:
                os._exit(1)
        _, status = os.waitpid(worker, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL

    return write


def left_by(export: Export) -> list[str]:
    return [path.name for path in export_file.folder().glob(f".{export.id}.*")]


def stale(export: Export) -> None:
    """As if the lease were over."""
    now = Export.objects.get(pk=export.pk).beat_at
    assert now is not None
    Export.objects.filter(pk=export.pk).update(beat_at=now - timedelta(seconds=1001))


@pytest.mark.parametrize("file_format", ["jsonl", "bundle"])
def test_an_export_whose_worker_was_killed_is_taken_up_again(
    asked: Ask, killed: Callable[[Export], None], redis_client: Redis, file_format: str
) -> None:
    export = asked(file_format)
    killed(export)
    export.refresh_from_db()
    assert (export.state, export.events) == ("running", 1)
    assert left_by(export)

    # As long as the lease holds, nobody else touches it.
    assert resume_exports() == 0
    write_export(export.id)
    export.refresh_from_db()
    assert (export.state, export.attempts) == ("running", 1)

    stale(export)
    redis_client.flushall()
    assert resume_exports() == 1
    assert redis_client.llen("rq:queue:background") == 1
    write_export(export.id)
    export.refresh_from_db()
    assert (export.state, export.attempts, export.events) == ("finished", 2, 3)
    assert left_by(export) == []
    assert export_file.path_of(export).stat().st_size == export.bytes


def test_a_second_attempt_writes_the_same_bytes(
    asked: Ask, killed: Callable[[Export], None], recorded: Record
) -> None:
    export = asked("bundle")
    killed(export)
    stale(export)
    # The log has grown meanwhile; the export stays on the checkpoint that it began with.
    recorded()
    seal()
    write_export(export.id)
    export.refresh_from_db()
    once = export_file.path_of(export).read_bytes()
    Export.objects.filter(pk=export.pk).update(state="queued")
    write_export(export.id)
    assert export_file.path_of(export).read_bytes() == once
    assert verify.main([str(export_file.path_of(export))]) == 0


def test_an_export_that_kills_every_worker_is_given_up(
    asked: Ask, killed: Callable[[Export], None]
) -> None:
    export = asked()
    with with_settings(export_attempts=2):
        for _ in range(2):
            killed(export)
            stale(export)
        write_export(export.id)
    export.refresh_from_db()
    assert (export.state, export.attempts) == ("failed", 2)
    assert "stopped 2 times" in export.problem
    assert left_by(export) == []


def test_a_worker_that_is_told_to_stop_gives_the_export_back(
    asked: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = asked()

    def stop(*_arguments: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(export_file, "write", stop)
        with pytest.raises(SystemExit):
            write_export(export.id)
    assert resume_exports() == 1
    write_export(export.id)
    export.refresh_from_db()
    assert export.state == "finished"


def test_a_worker_that_was_given_up_for_dead_does_not_disturb_its_successor(
    asked: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = asked()

    def overtaken(export: Export, _events: Any, progress: Callable[[int], None]) -> None:
        Export.objects.update(holder=uuid4())
        export_file.unfinished_of(Export.objects.get()).write_text("the successor's")
        progress(1)

    monkeypatch.setattr(export_file, "write", overtaken)
    write_export(export.id)
    export.refresh_from_db()
    assert (export.state, export.problem) == ("running", "")
    assert len(left_by(export)) == 1


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "bundle"])
def test_a_full_disk_is_said_and_leaves_nothing(
    asked: Ask, monkeypatch: pytest.MonkeyPatch, auditor: User, file_format: str
) -> None:
    real = export_file.unfinished_of

    def on_a_full_disk(export: Export) -> Path:
        """The kernel answers each write to this file as a full disk does."""
        path = real(export)
        if not path.is_symlink():
            path.symlink_to("/dev/full")
        return path

    export = asked(file_format)
    with monkeypatch.context() as patch:
        patch.setattr(export_file, "unfinished_of", on_a_full_disk)
        write_export(export.id)
    export.refresh_from_db()
    assert (export.state, export.sha256) == ("failed", "")
    assert "No space left on device" in export.problem
    assert left_by(export) == []
    assert not export_file.path_of(export).exists()
    assert Path("/dev/full").is_char_device()
    again = asked(file_format)
    write_export(again.id)
    again.refresh_from_db()
    assert (again.state, again.events) == ("finished", 3)


def test_one_person_has_a_few_exports_underway(asked: Ask, auditor: User) -> None:
    from tests.harness.people import person

    first, _ = asked(), asked()
    with pytest.raises(TooManyExports, match="2 exports underway") as refused:
        asked()
    assert refused.value.code == "too_many_exports"
    assert Event.objects.filter(type="export.asked").count() == 2
    asked(who=person("second-auditor", "auditor"))
    write_export(first.id)
    asked()


def test_old_files_are_removed_and_stay_on_record(asked: Ask, auditor: User) -> None:
    export = asked()
    write_export(export.id)
    assert tidy_exports() == 0
    Export.objects.update(finished_at=export.created_at - timedelta(days=31))
    assert tidy_exports() == 1
    export.refresh_from_db()
    assert (export.state, export.events) == ("removed", 3)
    assert not export_file.path_of(export).exists()
    with pytest.raises(ExportNotFinished, match=r"because of its age\. Ask for it again"):
        download_export(export.id, caller=Caller.of_session(auditor))
    assert tidy_exports() == 0


def test_the_oldest_files_make_room_for_newer_ones(asked: Ask) -> None:
    exports = []
    for _ in range(3):
        exports.append(asked())
        write_export(exports[-1].id)
    size = Export.objects.get(pk=exports[0].pk).bytes
    with with_settings(export_keep_bytes=2 * size):
        assert tidy_exports() == 1
    assert [export_file.path_of(export).exists() for export in exports] == [False, True, True]


def test_what_killed_attempts_left_is_removed_once_nobody_writes_it(
    asked: Ask, killed: Callable[[Export], None]
) -> None:
    export = asked("bundle")
    killed(export)
    left = list(export_file.folder().glob(f".{export.id}.*"))
    for path in left:
        os.utime(path, (0, 0))
    tidy_exports()
    assert left_by(export)
    Export.objects.update(state="failed")
    for path in left:
        os.utime(path)
    tidy_exports()
    assert left_by(export), "what was written a moment ago may still be written"
    for path in left:
        os.utime(path, (0, 0))
    tidy_exports()
    assert left_by(export) == []


def test_files_that_are_not_ours_are_left_alone() -> None:
    other = export_file.folder() / ".keep"
    other.write_text("")
    os.utime(other, (0, 0))
    tidy_exports()
    assert other.exists()
    other.unlink()
