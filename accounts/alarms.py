"""Mail those who administer when something must not wait until they look."""

from typing import Final

from django.core.mail import EmailMessage, get_connection

from accounts.models import User

_MANAGE: Final = "accounts.manage_people"


def mail_admins(subject: str, text: str) -> int:
    """One mail to each admin with an address; returns how many were sent. Mail errors are raised."""
    addresses = {
        person.email
        for person in User.objects.filter(is_active=True).exclude(email="")
        if person.has_perm(_MANAGE)
    }
    mails = [
        EmailMessage(subject=subject, body=text, to=[address]) for address in sorted(addresses)
    ]
    return int(get_connection().send_messages(mails) or 0) if mails else 0
