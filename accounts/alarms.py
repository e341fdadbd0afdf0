"""Mail those who administer when something must not wait until they look."""

from collections.abc import Callable

from accounts.letters import Letter, readers, send_letters
from accounts.models import User


def mail_admins(write: Callable[[], tuple[str, str]]) -> int:
    """One mail to each admin with an address; returns how many were sent. Mail errors are raised.

    `write` says subject and text in the language that is spoken when it is called.
    """
    admins = User.objects.holding("manage_people").exclude(email="")
    return send_letters(lambda: Letter(*write()), readers(admins))
