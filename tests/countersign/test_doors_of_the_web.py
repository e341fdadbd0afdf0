"""What every page, form and answer has in common against hostile browsers, hosts and bodies."""

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client, RequestFactory
from django.test.utils import override_settings
from django.urls import get_resolver

from accounts.models import User
from countersign.config import Config
from countersign.logs import MASK, mask_secrets
from countersign.programs import programs
from tests.accounts.test_doors import addresses
from tests.harness.background import work

Login = Callable[[Client, User], Client]

ADDRESSES = sorted(
    {
        path
        for path, _ in addresses(get_resolver().url_patterns)
        if not {"django-admin", "reset"} & set(path.split("/"))
    }
)
PAGES = [path for path in ADDRESSES if not path.startswith("/api/")]
#: The practice model and probes are for programs, and know nobody.
FOR_PROGRAMS = {"/metrics"} | {path for path in PAGES if path.startswith("/practice")}


def test_no_form_is_taken_without_its_token(login: Login, admin: User) -> None:
    client = login(Client(enforce_csrf_checks=True), admin)
    taken = []
    for path in PAGES:
        answer = client.post(path, {"next": "/"})
        # Refused by the token, or by an address that takes no form at all.
        if answer.status_code not in (403, 405) and path not in FOR_PROGRAMS:
            taken.append(f"{path}: {answer.status_code}")
    assert taken == []


def test_what_is_shown_to_somebody_is_kept_nowhere_and_framed_by_nobody(
    client: Client, login: Login, admin: User
) -> None:
    login(client, admin)
    wrong = []
    for path in ADDRESSES:
        answer = client.get(path)
        cached = answer.get("Cache-Control", "")
        if "no-store" not in cached:
            wrong.append(f"{path} may be kept: {cached or 'nothing is said'}")
        if answer.get("X-Frame-Options") != "DENY" and not path.endswith("/message/"):
            wrong.append(f"{path} may be framed")
        if answer.get("X-Content-Type-Options") != "nosniff":
            wrong.append(f"{path} may be sniffed")
        policy = answer.get("Content-Security-Policy", "")
        if "unsafe" in policy or "default-src 'none'" not in policy:
            wrong.append(f"{path} has another policy: {policy}")
        if "Access-Control-Allow-Origin" in answer:
            wrong.append(f"{path} is open to other sites")
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("path", ["/language/", "/theme"])
@pytest.mark.parametrize(
    "foreign",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\t//x",
        # The name of a view, and one of none.
        "settings",
        "%2f%2fevil",
    ],
)
def test_a_choice_leads_to_no_foreign_address(
    client: Client, db: None, path: str, foreign: str
) -> None:
    answer = client.post(path, {"language": "de", "theme": "dark", "next": foreign})
    assert answer["Location"] == "/"


def test_an_unknown_host_is_refused(client: Client, db: None) -> None:
    answer = client.get("/accounts/login/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert b"evil.example" not in answer.content


def test_a_link_for_a_password_leads_to_the_public_address_alone(
    client: Client, reviewer: User
) -> None:
    # This machine's own names are hosts of ours too; whoever asks does not choose where the link leads.
    headers = {"Host": "localhost:1", "X-Forwarded-Host": "evil.example"}
    client.post("/accounts/password/reset/", {"email": reviewer.email}, headers=headers)
    work()
    (link,) = re.findall(r"https?://\S+", mail.outbox[-1].body)
    assert link.startswith(f"{django_settings.COUNTERSIGN.address}/accounts/password/reset/key/")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 50_000, '{"id": 1, "id": 2}', "NaN", "9" * 5_000]
)
def test_nonsense_from_a_visitor_in_place_of_a_passkey_is_refused(
    client: Client, db: None, text: str
) -> None:
    answer = client.post("/accounts/login/passkey/", {"credential": text})
    assert answer.status_code < 500
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"agent": "a", "agent": "b"}', b"\xff", b'{"agent": NaN}', b"]"]
)
def test_nonsense_from_a_program_is_refused(
    client: Client, login: Login, operator: User, body: bytes
) -> None:
    login(client, operator)
    answer = client.post("/api/v1/runs", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_a_packed_body_is_not_unpacked(client: Client, login: Login, operator: User) -> None:
    login(client, operator)
    headers = {"Content-Encoding": "gzip"}
    answer = client.post(
        "/api/v1/runs", b"\x1f\x8b\x08", content_type="application/json", headers=headers
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/xml",
        "multipart/form-data; boundary=here",
    ],
)
def test_another_content_type_is_refused(
    client: Client, login: Login, operator: User, kind: str
) -> None:
    login(client, operator)
    answer = client.post("/api/v1/runs", b'{"agent": "refund-desk"}', content_type=kind)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_fields_that_nobody_asked_for_are_refused(
    client: Client, login: Login, operator: User
) -> None:
    login(client, operator)
    body = {"agent": "refund-desk", "input": "x", "state": "succeeded", "initiator": 1}
    answer = client.post("/api/v1/runs", json.dumps(body), content_type="application/json")
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"state", "initiator"}


def test_the_log_has_no_codes_of_sign_ins_and_no_links_for_passwords() -> None:
    request = RequestFactory().get("/accounts/oidc/callback/?code=a-code&state=a-state")
    line = mask_secrets(None, "", {"event": "Bad", "request": request})
    assert line["request"] == "GET /accounts/oidc/callback/"
    formatter = logging.getLogger().handlers[0].formatter
    assert formatter is not None
    record = logging.LogRecord(
        "django.request", logging.WARNING, "", 0,
        "Not Found: /accounts/password/reset/key/1-secret-key/", None, None,
    )  # fmt: skip
    said = formatter.format(record)
    assert "secret-key" not in said
    assert MASK in said


def test_a_failure_shows_nothing_of_the_inside(
    client: Client, login: Login, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(client, admin)

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("an inside story")

    monkeypatch.setattr("accounts.views.people.deciders_by_group", broken)
    client.raise_request_exception = False
    with override_settings(DEBUG=False):
        answer = client.get("/people/")
    assert answer.status_code == 500
    assert b"inside story" not in answer.content
    assert b"Traceback" not in answer.content


def test_over_https_cookies_are_for_this_host_alone(tmp_path: Path) -> None:
    """The names and marks as the settings make them for a public address."""
    import os
    import subprocess
    import sys

    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "from countersign import settings as s; import json; print(json.dumps([s.SESSION_COOKIE_NAME, "
            "s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, "
            "s.CSRF_COOKIE_HTTPONLY, s.SECURE_HSTS_SECONDS, s.SECURE_SSL_REDIRECT]))",
        ],
        cwd=Path(__file__).resolve().parents[2],
        env={
            "PATH": os.environ["PATH"],
            "COUNTERSIGN_BASE_URL": "https://countersign.example",
            "COUNTERSIGN_DATA_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    expected = ["__Host-sessionid", "__Host-csrftoken", True, True, True, True, 31_536_000, True]
    assert json.loads(said.stdout) == expected


def test_the_web_process_takes_small_messages_and_writes_no_access_log() -> None:
    (web,) = [program for program in programs(Config()) if program.name == "web"]
    arguments = list(web.arguments)
    assert arguments[arguments.index("--ws-max-size") + 1] == "65536"
    assert {"--no-access-log", "--no-server-header"} <= set(arguments)
