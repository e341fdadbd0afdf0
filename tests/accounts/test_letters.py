"""Mails speak the language of whoever reads them, not of whoever caused them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from smtplib import SMTPRecipientsRefused
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail import get_connection
from django.test import Client
from django.utils import translation
from django.utils.translation import gettext

from accounts.alarms import mail_admins
from accounts.letters import Letter, readers, send_letters
from accounts.models import User
from countersign.config import Config, ConfigError, load
from countersign.setting_types import Language
from tests.harness.background import work


def reads(person: User, language: str) -> User:
    person.language = language
    person.save(update_fields=["language"])
    return person


def sent() -> dict[str, tuple[str, str]]:
    """The subjects that went out, each with the language that its header names, by address."""
    return {
        address: (message.subject, message.extra_headers["Content-Language"])
        for message in mail.outbox
        for address in message.to
    }


def test_each_reader_is_written_to_in_their_own_language_wherever_it_is_sent_from(
    reviewer: User, second_reviewer: User, operator: User
) -> None:
    people = [reads(reviewer, "de"), reads(second_reviewer, "en-gb"), operator]
    to = readers(people, groups=["finance@example.com", ""])
    for begun_in in ("de", "en-gb", None):
        mail.outbox.clear()
        with translation.override(begun_in):
            assert send_letters(lambda: Letter(gettext("Sign in"), "…"), to) == 4
            assert translation.get_language() == begun_in
        assert sent() == {
            reviewer.email: ("Anmelden", "de"),
            second_reviewer.email: ("Sign in", "en"),
            operator.email: ("Sign in", "en"),
            "finance@example.com": ("Sign in", "en"),
        }
    assert all(len(message.to) == 1 for message in mail.outbox)


def test_whoever_chose_none_is_written_to_in_the_language_of_the_house(
    reviewer: User, second_reviewer: User, settings: Any
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"language": "de"})
    reads(second_reviewer, "en-gb")
    # A person's own choice goes before the group's, where both have one address.
    to = readers([reviewer, second_reviewer], groups=[second_reviewer.email, "all@example.com"])
    assert to == {reviewer.email: "de", second_reviewer.email: "en-gb", "all@example.com": "de"}


def test_a_language_that_is_not_offered_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Language.__args__ == tuple(code for code, _ in settings.LANGUAGES)
    monkeypatch.setenv("COUNTERSIGN_LANGUAGE", "fr")
    with pytest.raises(ConfigError, match=r"COUNTERSIGN_LANGUAGE .*'en-gb' or 'de'"):
        load()
    monkeypatch.setenv("COUNTERSIGN_LANGUAGE", "de")
    assert Config().language == "de"


def test_a_subject_is_one_line_and_not_too_long(reviewer: User) -> None:
    send_letters(
        partial(Letter, "Refund\r\nBcc: a@example.com " + "x" * 300, "…"), readers([reviewer])
    )
    (message,) = mail.outbox
    assert message.subject.startswith("Refund Bcc: a@example.com x")
    assert len(message.subject) == 200


def test_admins_are_alarmed_in_their_own_language(admin: User, second_admin: User) -> None:
    reads(admin, "de")
    assert mail_admins(lambda: (gettext("The audit log does not fit"), "…")) == 2
    assert {address: subject for address, (subject, _) in sent().items()} == {
        admin.email: "Das Audit-Protokoll stimmt nicht",
        second_admin.email: "The audit log does not fit",
    }


@pytest.mark.parametrize(
    ("chosen", "browser", "subject", "first"),
    [
        ("de", "en", "Neues Passwort für Countersign wählen", "Für das Konto reviewer wurde"),
        ("en-gb", "de", "Choose a new password for Countersign", "Somebody asked for a new"),
        ("", "de", "Neues Passwort für Countersign wählen", "Für das Konto reviewer wurde"),
    ],
)
def test_a_forgotten_password_is_mailed_about_in_the_language_of_the_account(
    client: Client, reviewer: User, chosen: str, browser: str, subject: str, first: str
) -> None:
    reads(reviewer, chosen)
    headers = {"Accept-Language": browser}
    client.post("/accounts/password/reset/", {"email": reviewer.email}, headers=headers)
    work()
    (message,) = mail.outbox
    assert message.subject == subject
    assert message.body.startswith(first)
    assert "/accounts/password/reset/key/" in message.body


class PickyMail(StreamRequestHandler):
    """A mail server that refuses an address: for good where it says `gone`, for now where it says `later`."""

    taken: ClassVar[list[str]] = []

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            match line.split(":")[0].upper():
                case "DATA":
                    self.say("354 go on")
                    while self.rfile.readline().strip() != b".":
                        pass
                    self.say("250 taken")
                case "RCPT TO" if "gone" in line:
                    self.say("550 nobody of that name")
                case "RCPT TO" if "later" in line:
                    self.say("450 busy")
                case "RCPT TO":
                    self.taken.append(line.partition("<")[2].partition(">")[0])
                    self.say("250 well")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 well")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def picky_mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Mail goes to such a server; the addresses that it took."""
    PickyMail.taken.clear()
    with ThreadingTCPServer(("127.0.0.1", 0), PickyMail) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        host, port = server.server_address[:2]
        to_it = partial(
            get_connection, "django.core.mail.backends.smtp.EmailBackend", host=host, port=port
        )
        monkeypatch.setattr("accounts.letters.get_connection", to_it)
        yield PickyMail.taken
        server.shutdown()
        thread.join()


def test_an_address_that_is_refused_keeps_nobody_else_from_their_mail(
    picky_mail: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    people = ("a@example.com", "gone@example.com", "later@example.com", "z@example.com")
    assert send_letters(lambda: Letter("Hello", "…"), dict.fromkeys(people, "en-gb")) == 2
    assert picky_mail == ["a@example.com", "z@example.com"]
    refused = [line.msg for line in caplog.records if "letter_refused" in str(line.msg)]
    assert [line["codes"] for line in refused] == [[550], [450]]
    assert "gone@" not in caplog.text


@pytest.mark.parametrize("address", ["gone@example.com", "later@example.com"])
def test_a_server_that_takes_none_of_the_mails_is_an_error_that_has_them_tried_again(
    picky_mail: list[str], address: str
) -> None:
    with pytest.raises(SMTPRecipientsRefused):
        send_letters(lambda: Letter("Hello", "…"), {address: "en-gb"})
    assert picky_mail == []
