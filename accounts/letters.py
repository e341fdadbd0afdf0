"""Mails to people, each in the language of whoever reads it: what a job was begun in does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from smtplib import (
    SMTPDataError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from typing import Final, NamedTuple

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils import translation

from accounts.languages import language_for
from accounts.models import User

LONGEST_SUBJECT: Final = 200
#: What is wrong with one mail, or with its address; the connection lives on.
OF_ONE_MAIL: Final = (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError, ValueError)

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
    reached = deliver(
        [
            addressed(written[language], address, language)
            for address, language in sorted(to.items())
        ]
    )
    # To whom is in the mail server's own log; here the line says which request or run they are due to.
    log.info("letters_sent", letters=len(reached))
    return len(reached)


def deliver(mails: Sequence[EmailMessage]) -> frozenset[str]:
    """Send the mails, each to one address, over one connection; the addresses whose mail was taken.

    An address that the server refuses keeps nobody else from their mail: it is left out, and a line says so.
    Where none is taken, and where the connection breaks, the error is raised.
    """
    if not mails:
        return frozenset()
    reached, refusal = set(), None
    with get_connection() as connection:
        for mail in mails:
            try:
                connection.send_messages([mail])
            except OF_ONE_MAIL as refused:
                refusal = refused
                log.warning("letter_refused", why=type(refused).__name__, codes=_codes(refused))
            else:
                reached.update(mail.to)
    if refusal is not None and not reached:
        raise refusal
    return frozenset(reached)


def _codes(refused: Exception) -> list[int]:
    """What the server answered, without the address that it may repeat."""
    if isinstance(refused, SMTPRecipientsRefused):
        return [code for code, _ in refused.recipients.values()]
    return [refused.smtp_code] if isinstance(refused, SMTPResponseException) else []


def addressed(letter: Letter, address: str, language: str) -> EmailMessage:
    """The mail that takes the letter, written in that language, to the address."""
    return EmailMessage(
        subject=" ".join(letter.subject.split())[:LONGEST_SUBJECT],
        body=letter.text,
        to=[address],
        headers={"Content-Language": language.partition("-")[0]},
    )
