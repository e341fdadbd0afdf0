"""Mails to people, each in the language of whoever reads it: what a job was begun in does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from smtplib import SMTPRecipientsRefused
from typing import Final, NamedTuple

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils import translation

from accounts.languages import language_for
from accounts.models import User

LONGEST_SUBJECT: Final = 200
#: A server's answer from here on: asked again, it would say the same.
PERMANENT: Final = 500

log = structlog.get_logger(__name__)


class Letter(NamedTuple):
    """What a mail says. The subject is one line, whatever stands in it."""

    subject: str
    text: str


def readers(people: Iterable[User] = (), *, groups: Iterable[str] = ()) -> dict[str, str]:
    """Addresses with the language that each is written to in; `groups` are addresses of many.

    A person's own choice goes before the language of the house, also where a group has the same address.
    Whoever has no address is left out.
    """
    shared = dict.fromkeys(groups, settings.COUNTERSIGN.language)
    found = {**shared, **{person.email: language_for(person) for person in people}}
    found.pop("", None)
    return found


def send_letters(write: Callable[[], Letter], to: Mapping[str, str]) -> int:
    """Send one mail to each address, as `write` says it in the address's language; how many were sent.

    Nobody learns another's address. `write` is called once for each language. Mail errors are raised.
    """
    written: dict[str, Letter] = {}
    for language in set(to.values()):
        with translation.override(language):
            written[language] = write()
    sent = deliver(
        [
            addressed(written[language], address, language)
            for address, language in sorted(to.items())
        ]
    )
    # To whom is in the mail server's own log; here the line says which request or run they are due to.
    log.info("letters_sent", letters=sent)
    return sent


def deliver(mails: Sequence[EmailMessage]) -> int:
    """Send the mails, over one connection; how many were taken. Mail errors are raised.

    An address that the server refuses for good keeps nobody else from their mail: it is left out, and a line
    says so.
    """
    if not mails:
        return 0
    sent = 0
    with get_connection() as connection:
        for mail in mails:
            try:
                sent += int(connection.send_messages([mail]) or 0)
            except SMTPRecipientsRefused as refused:
                if any(code < PERMANENT for code, _ in refused.recipients.values()):
                    raise
                log.warning(
                    "letter_refused", codes=[code for code, _ in refused.recipients.values()]
                )
    return sent


def addressed(letter: Letter, address: str, language: str) -> EmailMessage:
    """The mail that takes the letter, written in that language, to the address."""
    return EmailMessage(
        subject=" ".join(letter.subject.split())[:LONGEST_SUBJECT],
        body=letter.text,
        to=[address],
        headers={"Content-Language": language.partition("-")[0]},
    )
