"""Mails speak the language of whoever reads them, not of whoever caused them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import translation
from django.utils.translation import gettext

from accounts.alarms import mail_admins
from accounts.letters import Letter, readers, send_letters
from accounts.models import User
from countersign.config import Config, ConfigError, Language, load
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
