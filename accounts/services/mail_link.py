"""Mail somebody the link with which they choose a new password."""

from __future__ import annotations

from functools import partial

from django.template.loader import render_to_string

from accounts.invitations import invitation_url
from accounts.languages import languages
from accounts.letters import Letter, send_letters
from accounts.models import User
from accounts.passwords import may_use_password


def mail_link(*, person_id: int, language: str) -> int:
    """Send it; how many mails were sent: none to an account that is closed, or that uses no password by now.

    It is made here, so that it stands in no queue. `language` is that of the browser in which somebody asked for it,
    most often the same person, and counts where the account has chosen none. Mail errors are raised.
    """
    person = User.objects.filter(pk=person_id, is_active=True).first()
    if person is None or not person.email or not may_use_password(person):
        return 0
    chosen = person.language if person.language in languages() else language
    return send_letters(partial(_letter, person), {person.email: chosen})


def _letter(person: User) -> Letter:
    context = {"username": person.username, "password_reset_url": invitation_url(person)}
    return Letter(
        render_to_string("account/email/password_reset_key_subject.txt", context),
        render_to_string("account/email/password_reset_key_message.txt", context).strip() + "\n",
    )
