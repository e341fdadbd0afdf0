"""`manage.py audit_export` and `verify_export`, and the same over the API and in the browser."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import reverse

from accounts.models import User
from audit import export_file
from audit.models import Event, Export
from audit.services.seal import seal
from audit.services.write_export import write_export
from audit.verifier import verify
from tests.audit.conftest import Record

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "sealer"]),
    pytest.mark.usefixtures("machine", "sealed_events"),
]
Login = Callable[[Client, User], Client]
EXPORTS = "/api/v1/audit/exports"


@pytest.fixture
def sealed_events(machine: Path, recorded: Record) -> Iterator[None]:
    """Three events under a checkpoint, and two of the log itself; what comes later is not waited for."""
    from django.conf import settings

    for _ in range(3):
        recorded()
    seal()
    config = settings.COUNTERSIGN.model_copy(update={"export_seal_wait_seconds": 0})
    with override_settings(COUNTERSIGN=config):
        yield


def test_the_command_writes_evidence_that_the_other_command_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "log.zip", io.StringIO()
    call_command("audit_export", str(path), challenge="seven herons", stdout=out)
    assert "That none is left out is proved." in out.getvalue()
    assert path.stat().st_mode & 0o777 == 0o600
    call_command("verify_export", str(path), challenge="seven herons")
    assert "THIS EXPORT HOLDS." in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        call_command("verify_export", str(path), challenge="another")
    assert ended.value.code == 1
    with pytest.raises(SystemExit) as ended:
        call_command("verify_export", str(tmp_path / "none.zip"))
    assert ended.value.code == 2


def test_what_the_command_does_is_recorded_as_done_from_the_shell(tmp_path: Path) -> None:
    call_command("audit_export", str(tmp_path / "log.zip"), stdout=io.StringIO())
    for kind in ("export.asked", "export.downloaded"):
        event = Event.objects.get(type=kind)
        assert (event.actor_kind, event.actor_id) == ("system", "shell")


def test_the_command_takes_filters_and_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    call_command(
        "audit_export", str(path), format="jsonl", type="request.claimed", stdout=io.StringIO()
    )
    assert len(path.read_bytes().splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"type": "nothing"}, "there is no event type nothing"),
        ({"run": "7"}, "--run"),
        ({"challenge": ""}, "A challenge is a text"),
        ({"since_size": 99}, "The sealed log has 5 events"),
    ],
)
def test_what_the_command_cannot_do_it_says(
    tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("audit_export", str(tmp_path / "log.zip"), **options)
    assert not Export.objects.exists()
    assert not (tmp_path / "log.zip").exists()


def test_the_command_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.zip"
    path.write_text("mine")
    with pytest.raises(CommandError, match="is there already"):
        call_command("audit_export", str(path))
    assert path.read_text() == "mine"


def test_the_command_says_why_an_export_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(export: Export) -> Path:
        path = export_file.folder() / f".{export.id}.{export.holder}.part"
        if not path.is_symlink():
            path.symlink_to("/dev/full")
        return path

    monkeypatch.setattr(export_file, "unfinished_of", full)
    with pytest.raises(CommandError, match="No space left on device"):
        call_command("audit_export", str(tmp_path / "log.zip"))


def post(client: Client, body: dict[str, Any]) -> Any:
    return client.post(EXPORTS, body, content_type="application/json")


def test_evidence_is_the_apis_default(client: Client, login: Login, auditor: User) -> None:
    api = login(client, auditor)
    asked = post(api, {"challenge": "seven herons", "since_size": 2, "disclosures": False})
    assert (asked.status_code, asked.json()["format"]) == (201, "bundle")
    export = Export.objects.get()
    write_export(export.id)
    finished = api.get(f"{EXPORTS}/{export.id}").json()
    assert (finished["state"], finished["size"], finished["challenge"]) == (
        "finished",
        5,
        "seven herons",
    )
    assert finished["completeness"] == {
        "kind": "range",
        "first": 0,
        "end": 5,
        "dropped": 0,
        "missing": 0,
    }
    response = api.get(finished["download"])
    assert response["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(b"".join(response))) as opened:
        manifest = json.loads(opened.read("MANIFEST.json"))
    assert manifest["consistency"] == [2]
    assert manifest["disclosures"]["included"] is False


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"since_size": 99}, 422, "log_not_that_far"),
        ({"since_size": 0}, 422, "invalid_request"),
        ({"challenge": ""}, 422, "invalid_request"),
        ({"challenge": "x" * 201}, 422, "invalid_request"),
        ({"challenge": "two\nlines"}, 422, "unusable_challenge"),
        ({"format": "zip"}, 422, "invalid_request"),
    ],
)
def test_a_wish_that_does_not_fit_is_a_problem(
    client: Client, login: Login, auditor: User, body: dict[str, Any], status: int, code: str
) -> None:
    response = post(login(client, auditor), body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert not Export.objects.exists()


def test_a_third_export_is_refused_until_one_is_finished(
    client: Client, login: Login, auditor: User
) -> None:
    api = login(client, auditor)
    for _ in range(2):
        assert post(api, {}).status_code == 201
    refused = post(api, {})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_exports")
    page = api.post(reverse("audit-export-ask"), {"format": "bundle"}, follow=True)
    assert "2 exports underway" in page.content.decode()


def test_evidence_is_asked_for_and_explained_in_the_browser(
    client: Client, login: Login, auditor: User
) -> None:
    page = login(client, auditor)
    assert "Evidence options" in page.get(reverse("audit-list")).content.decode()
    asked = page.post(
        reverse("audit-export-ask"),
        {"format": "bundle", "challenge": "<b>herons</b>", "since_size": "2"},
        follow=True,
    )
    assert "&lt;b&gt;herons&lt;/b&gt;" in asked.content.decode()
    export = Export.objects.get()
    write_export(export.id)
    shown = page.get(reverse("audit-export", args=[export.pk])).content.decode()
    assert "The whole log up to its checkpoint. That none is left out is proved." in shown
    assert f"python3 verify.py {export.file_name}" in shown
    response = page.get(reverse("audit-export-download", args=[export.pk]))
    assert response["Content-Disposition"].endswith('.zip"')
    assert b"".join(response).startswith(b"PK")

    export_file.path_of(export).unlink()
    Export.objects.update(state="removed", problem="Its file was removed because of its age.")
    removed = page.get(reverse("audit-export", args=[export.pk])).content.decode()
    assert "Its file was removed because of its age." in removed
    assert "Download" not in removed.partition('id="export"')[2]


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"challenge": "x" * 201}, "Challenge: Ensure this value has at most 200"),
        ({"since_size": "many"}, "Events at your last check: Enter a whole number"),
        ({"since_size": "99"}, "The sealed log has 5 events"),
        ({"run": "7"}, "These filters do not fit"),
    ],
)
def test_a_form_that_does_not_fit_says_where(
    client: Client, login: Login, auditor: User, sent: dict[str, str], sentence: str
) -> None:
    page = login(client, auditor).post(
        reverse("audit-export-ask"), {"format": "bundle", **sent}, follow=True
    )
    assert sentence in page.content.decode()
    assert not Export.objects.exists()


def test_the_parquet_file_says_what_the_events_say(tmp_path: Path) -> None:
    import pyarrow.parquet

    call_command("audit_export", str(tmp_path / "log.zip"), stdout=io.StringIO())
    with zipfile.ZipFile(tmp_path / "log.zip") as opened:
        table = pyarrow.parquet.read_table(io.BytesIO(opened.read("events.parquet")))
        events = [json.loads(line) for line in opened.read("events.jsonl").splitlines()]
    assert table.column_names == [name for name, _ in verify.COLUMNS]
    assert table.column("id").to_pylist() == [event["id"] for event in events]
    assert table.column("seq").to_pylist() == [event["seq"] for event in events]
    assert table.column("tool").to_pylist() == [None] * 5
