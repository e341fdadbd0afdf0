"""Say whom an identity provider means: link its name for somebody to a person, or take the link away."""

from typing import TYPE_CHECKING, Final, Literal

from django.db import IntegrityError, transaction

from accounts.callers import Caller, authorised
from accounts.identity_models import LinkedIdentity
from accounts.models import User
from accounts.oidc.errors import IdentityTaken, NoIdentity
from audit.actors import Actor
from audit.recorder import record
from audit.schemas import Disclose

if TYPE_CHECKING:
    from accounts.oidc.claims import Identity

How = Literal["created", "email", "command"]
#: Who changes accounts by what a provider says.
PROVIDER: Final = Actor.system("identity-provider")


def link_identity(
    *, person: User, issuer: str, subject: str, how: How, caller: "Caller | Actor"
) -> LinkedIdentity:
    """The person signs in as this subject from now on. Raises Forbidden, and IdentityTaken where the subject
    is somebody's already, or the person has another one there."""
    actor = authorised(caller, "manage_people", scope="admin")
    with transaction.atomic():
        try:
            with transaction.atomic():
                linked = LinkedIdentity.objects.create(user=person, issuer=issuer, subject=subject)
        except IntegrityError as error:
            raise IdentityTaken from error
        stream = f"person:{person.pk}"
        record(
            type="identity.linked",
            actor=actor,
            stream=stream,
            facts={"person": str(person.pk), "issuer": issuer, "how": how},
            disclosures=[Disclose("subject", subject, stream)],
        )
    return linked


def unlink_identity(*, person: User, issuer: str, caller: "Caller | Actor") -> None:
    """The person does not sign in there any more; sessions that are open go on. Raises Forbidden, NoIdentity."""
    actor = authorised(caller, "manage_people", scope="admin")
    with transaction.atomic():
        removed, _ = LinkedIdentity.objects.filter(user=person, issuer=issuer).delete()
        if not removed:
            raise NoIdentity
        record(
            type="identity.unlinked",
            actor=actor,
            stream=f"person:{person.pk}",
            facts={"person": str(person.pk), "issuer": issuer},
        )


def owner_of(identity: "Identity") -> User | None:
    """The person whom the provider means, locked against a change of links."""
    known = LinkedIdentity.objects.select_for_update(of=("self",)).select_related("user")
    found = known.filter(issuer=identity.issuer, subject=identity.subject).first()
    return found.user if found else None


def is_of(person: User, identity: "Identity") -> bool:
    """Whether the provider means this person."""
    return LinkedIdentity.objects.filter(
        user=person, issuer=identity.issuer, subject=identity.subject
    ).exists()
