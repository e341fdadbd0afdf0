"""Exports: what the files hold, how they come about, and what happens when the disk refuses."""

import csv
import errno
import hashlib
import io
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from accounts.callers import Caller
from accounts.models import User
from audit import export_file
from audit.errors import Forbidden
from audit.filters import EventFilter
from audit.jobs import write_export as write_export_job
from audit.models import Event, Export
from audit.schemas import ActionRef, AgentRef, Disclose, Outcome
from audit.services.ask_export import ask_export
from audit.services.disclose import disclose
from audit.services.download_export import (
    ExportFileGone,
    ExportNotFinished,
    UnknownExport,
    download_export,
)
from audit.services.write_export import resume_exports, write_export
from audit.spreadsheet import COLUMNS, defused, restored
from audit.spreadsheet import row as row_of
from tests.audit.conftest import Record

CallerOf = Callable[[User], Caller]
Exported = Callable[..., tuple[Export, bytes]]
pytestmark = pytest.mark.django_db


@pytest.fixture
def exported(auditor: User, caller: CallerOf) -> Exported:
    """`exported(format, **filters)` asks for an export, writes it, and returns it with its bytes."""

    def export(file_format: Any = "jsonl", **filters: Any) -> tuple[Export, bytes]:
        asked = ask_export(
            chosen=EventFilter(**filters), file_format=file_format, caller=caller(auditor)
        )
        write_export(asked.id)
        asked.refresh_from_db()
        return asked, export_file.path_of(asked).read_bytes()

    return export


@pytest.fixture
def events(recorded: Record, some_run: UUID, some_request: UUID) -> list[Event]:
    about = {"run": some_run, "agent": AgentRef("refund-desk")}
    return [
        recorded(type="run.started", stream=f"run:{some_run}", **about),
        recorded(
            type="request.decided",
            stream=f"request:{some_request}",
            request=some_request,
            action=ActionRef("issue_refund", "high", 6100),
            outcome=Outcome("approve"),
            facts={"revision": 1},
            disclosures=[Disclose("reason", "fine", "person:7")],
            **about,
        ),
        recorded(type="signout", stream="person:7"),
    ]


def test_json_lines_are_the_bodies_byte_for_byte(events: list[Event], exported: Exported) -> None:
    export, written = exported()
    assert written == b"".join(bytes(event.body) + b"\n" for event in events)
    assert export.events == 3
    assert export.bytes == len(written)
    assert export.sha256 == f"sha256:{hashlib.sha256(written).hexdigest()}"


def test_each_line_gives_its_leaf_hash(events: list[Event], exported: Exported) -> None:
    _, written = exported()
    hashes = [hashlib.sha256(b"\x00" + line).hexdigest() for line in written.splitlines()]
    assert hashes == [event.leaf_hex for event in events]


def test_filters_choose_what_is_exported(
    events: list[Event], exported: Exported, some_request: UUID
) -> None:
    _, written = exported(request=some_request)
    assert written == bytes(events[1].body) + b"\n"
    assert exported(agent="another")[1] == b""


def test_what_happens_after_the_export_was_asked_for_is_not_in_it(
    events: list[Event], auditor: User, caller: CallerOf, recorded: Record
) -> None:
    asked = ask_export(chosen=EventFilter(), file_format="jsonl", caller=caller(auditor))
    recorded(type="signout")
    write_export(asked.id)
    assert Export.objects.get().events == 3


def test_batches_leave_nothing_out_and_repeat_nothing(
    recorded: Record, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Events of one transaction may share a moment: the place in the order is moment and id together.
    with transaction.atomic():
        written_events = [recorded() for _ in range(11)]
    for size in (1, 2, 10, 11, 12):
        monkeypatch.setattr(export_file, "ROWS_A_BATCH", size)
        assert exported(type="request.claimed")[1] == b"".join(
            bytes(event.body) + b"\n" for event in written_events
        )


def test_the_table_is_rfc_4180_with_everything_quoted(
    events: list[Event], exported: Exported
) -> None:
    _, written = exported("csv")
    lines = written.decode().split("\r\n")
    assert lines.pop() == ""
    assert all(line.startswith('"') and line.endswith('"') for line in lines)
    header, *rows = csv.reader(io.StringIO(written.decode(), newline=""), strict=True)
    assert header == [name for name, _ in COLUMNS]
    decided = dict(zip(header, rows[1], strict=True))
    body = orjson.loads(bytes(events[1].body))
    assert decided["id"] == str(events[1].id)
    assert decided["time"] == body["time"]
    assert decided["leaf_hash"] == f"sha256:{events[1].leaf_hex}"
    assert (decided["tool"], decided["confidence_bp"]) == ("issue_refund", "6100")
    assert decided["facts"] == '{"revision":1}'
    assert decided["disclosures"] == orjson.dumps(body["_sd"]).decode()
    assert decided["prev"] == ""


@pytest.mark.parametrize(
    "payload", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "=cmd|' /C calc'!A0"]
)
def test_a_formula_is_defused(payload: str) -> None:
    assert defused(payload) == "'" + payload


@given(st.text())
def test_defusing_can_be_undone(text: str) -> None:
    assert restored(defused(text)) == text
    assert not defused(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_a_formula_in_an_events_field_reaches_the_table_defused() -> None:
    body = orjson.dumps({"actor": {"id": "=HYPERLINK(1)"}, "facts": {"why": 'a"b'}})
    (row,) = csv.reader(io.StringIO(row_of(body).decode(), newline=""), strict=True)
    cells = dict(zip((name for name, _ in COLUMNS), row, strict=True))
    assert cells["actor_id"] == "'=HYPERLINK(1)"
    assert cells["facts"] == r'{"why":"a\"b"}'


def test_asking_and_downloading_are_events(
    events: list[Event], exported: Exported, auditor: User, caller: CallerOf
) -> None:
    export, _ = exported("csv", agent="refund-desk")
    asked = Event.objects.get(type="export.asked")
    assert orjson.loads(bytes(asked.body))["facts"] == {
        "export": str(export.id),
        "format": "csv",
        "filtered_by": ["agent"],
    }
    (kept,) = disclose([asked], caller=caller(auditor))[asked.id]
    assert (kept.name, kept.value) == ("filters", {"agent": "refund-desk"})

    _, path = download_export(export.id, caller=caller(auditor))
    assert path.is_file()
    downloaded = Event.objects.get(type="export.downloaded")
    assert downloaded.actor_id == str(auditor.pk)
    assert orjson.loads(bytes(downloaded.body))["facts"]["sha256"] == export.sha256


def test_a_user_name_in_a_filter_is_stored_as_an_id(
    exported: Exported, auditor: User, recorded: Record
) -> None:
    export, _ = exported(person="Auditor")
    assert export.filters == {"person": str(auditor.pk)}


def test_an_outsider_neither_asks_nor_downloads(
    exported: Exported, outsider: User, caller: CallerOf
) -> None:
    export, _ = exported()
    with pytest.raises(Forbidden):
        ask_export(chosen=EventFilter(), file_format="csv", caller=caller(outsider))
    with pytest.raises(Forbidden):
        download_export(export.id, caller=caller(outsider))
    assert Export.objects.count() == 1
    assert not Event.objects.filter(type="export.downloaded").exists()


def test_a_file_is_readable_by_its_owner_alone(exported: Exported) -> None:
    export, _ = exported()
    path = export_file.path_of(export)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_unfinished_unknown_or_lost_export_is_refused_in_words(
    auditor: User, caller: CallerOf, some_run: UUID
) -> None:
    asked = ask_export(chosen=EventFilter(), file_format="csv", caller=caller(auditor))
    with pytest.raises(ExportNotFinished, match="waiting for a worker"):
        download_export(asked.id, caller=caller(auditor))
    with pytest.raises(UnknownExport):
        download_export(some_run, caller=caller(auditor))
    write_export(asked.id)
    export_file.path_of(asked).unlink()
    with pytest.raises(ExportFileGone):
        download_export(asked.id, caller=caller(auditor))


def test_a_full_disk_is_said_and_leaves_no_half_file(
    events: list[Event], auditor: User, caller: CallerOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    asked = ask_export(chosen=EventFilter(), file_format="jsonl", caller=caller(auditor))
    monkeypatch.setattr(os, "fsync", full)
    write_export(asked.id)
    asked.refresh_from_db()
    assert (asked.state, asked.sha256) == ("failed", "")
    assert "No space left on device" in asked.problem
    assert [path for path in export_file.folder().iterdir() if str(asked.id) in path.name] == []
    with pytest.raises(ExportNotFinished, match="No space left"):
        download_export(asked.id, caller=caller(auditor))


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_job_can_run_again(
    events: list[Event], auditor: User, caller: CallerOf
) -> None:
    asked = ask_export(chosen=EventFilter(), file_format="jsonl", caller=caller(auditor))
    Export.objects.update(state="running", events=1)
    write_export_job(str(asked.id), something_later=True)
    asked.refresh_from_db()
    assert (asked.state, asked.events) == ("finished", 3)


def test_a_finished_export_is_not_written_again(events: list[Event], exported: Exported) -> None:
    export, _ = exported()
    export_file.path_of(export).write_bytes(b"kept")
    write_export(export.id)
    assert export_file.path_of(export).read_bytes() == b"kept"


@pytest.mark.django_db(transaction=True)
def test_a_worker_hears_of_an_export_once_it_is_committed(
    auditor: User, caller: CallerOf, redis_client: Redis
) -> None:
    with transaction.atomic():
        asked = ask_export(chosen=EventFilter(), file_format="csv", caller=caller(auditor))
        assert redis_client.llen("rq:queue:background") == 0
    assert redis_client.lrange("rq:queue:background", 0, -1) == [f"export-{asked.id}".encode()]


@pytest.mark.django_db(transaction=True)
def test_a_lost_wake_up_is_made_good(
    auditor: User, caller: CallerOf, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_export(chosen=EventFilter(), file_format="csv", caller=caller(auditor))
    redis_client.flushall()
    assert resume_exports() == 0
    monkeypatch.setattr("audit.background.UNHEARD", timedelta(0))
    for _ in range(2):
        assert resume_exports() == 1
        assert redis_client.llen("rq:queue:background") == 1


@pytest.mark.django_db(transaction=True)
def test_progress_is_seen_by_others_while_the_file_is_written(
    events: list[Event], auditor: User, caller: CallerOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.audit.test_streams import in_thread

    asked = ask_export(chosen=EventFilter(), file_format="jsonl", caller=caller(auditor))
    monkeypatch.setattr(export_file, "ROWS_A_BATCH", 2)
    seen: list[tuple[str, int]] = []
    written = export_file.write

    def watched(export: Export, chosen: Any, progress: Callable[[int], None]) -> Any:
        def told(count: int) -> None:
            progress(count)
            row = in_thread(lambda: Export.objects.get(pk=export.pk))
            seen.append((row.state, row.events))

        return written(export, chosen, told)

    monkeypatch.setattr(export_file, "write", watched)
    write_export(asked.id)
    assert seen == [("running", 2), ("running", 3)]


def test_the_folder_lies_in_the_data_directory(settings: Any) -> None:
    assert export_file.folder() == Path(settings.COUNTERSIGN.data_dir) / "exports"
