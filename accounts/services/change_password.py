"""Give an account the password that its person chose."""

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.signins import DOORKEEPER
from audit.actors import Actor
from audit.recorder import record
from audit.schemas import Disclose

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User


def change_password(*, person: "User", password: str, request: "HttpRequest") -> None:
    """Set it, and say in the log whether somebody signed in did so (`session`) or whoever had a link (`link`).

    Nothing else of the account is written: it may have been closed since it was read.
    """
    is_signed_in = request.user.is_authenticated and request.user.pk == person.pk
    subject, address = f"person:{person.pk}", request.META.get("REMOTE_ADDR")
    with transaction.atomic():
        person.set_password(password)
        person.save(update_fields=["password"])
        record(
            type="password.changed",
            actor=Actor.person(person.pk, "session") if is_signed_in else DOORKEEPER,
            stream=subject,
            facts={"person": str(person.pk), "how": "session" if is_signed_in else "link"},
            disclosures=[Disclose("address", address, subject)] if address else [],
        )
