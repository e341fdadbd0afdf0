"""Events about second factors: which and what for, never a secret, a code or a name in the open."""

from typing import TYPE_CHECKING, Any, Final

from accounts.factors import method_of
from audit.actors import Actor
from audit.recorder import record
from audit.schemas import Disclose

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

DOORKEEPER: Final = Actor.system("sign-in")


def record_factor(
    type_: str,
    *,
    request: "HttpRequest | None",
    person: "User",
    actor: Actor | None = None,
    factor: Any | None = None,
    name: str = "",
    **facts: Any,
) -> None:
    """Write the event into the person's story, inside the transaction that changes something.

    `name` is what the person calls a passkey; it is kept apart, as the address they came from is.
    """
    subject = f"person:{person.pk}"
    address = request.META.get("REMOTE_ADDR") if request else None
    if factor is not None:
        facts |= {"factor": str(factor.pk), "method": method_of(factor)}
    record(
        type=type_,
        actor=actor or Actor.person(person.pk, "session"),
        stream=subject,
        facts={"person": str(person.pk), **facts},
        disclosures=[
            *([Disclose("address", address, subject)] if address else []),
            *([Disclose("name", name, subject)] if name else []),
        ],
    )
