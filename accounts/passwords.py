"""Who may use a password, where people sign in at an identity provider.

With `COUNTERSIGN_PASSWORDS` off nobody does, but for the emergency accounts. With it on, whoever was given an
account by the provider still has none: who leaves the company is to be out, whatever they set here before.
"""

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from accounts.identity_models import LinkedIdentity

if TYPE_CHECKING:
    from accounts.models import User
    from accounts.oidc.terms import Terms

#: What an event says of a sign-in with an emergency account.
BREAK_GLASS: Final = "break_glass"


def provider() -> "Terms | None":
    """The identity provider of the settings."""
    found: Terms | None = settings.COUNTERSIGN.oidc
    return found


def is_break_glass(username: str) -> bool:
    """Whether this is an emergency account, by its user name."""
    kept = {name.casefold() for name in settings.COUNTERSIGN.break_glass}
    return username.casefold() in kept


def may_use_password(person: "User | AnonymousUser") -> bool:
    """Whether the person may sign in, confirm and be recovered by what this product keeps itself."""
    if isinstance(person, AnonymousUser) or is_break_glass(person.username):
        return True
    if not settings.COUNTERSIGN.passwords:
        return False
    return person.has_usable_password() or not is_linked(person)


def may_be_invited(person: "User") -> bool:
    """Whether the person has no way in yet, and may have one by a password: nobody else is given a link, or
    whoever manages people could come in as them."""
    return (
        not person.has_usable_password()
        and may_use_password(person)
        and not LinkedIdentity.objects.filter(user=person).exists()
    )


def is_linked(person: "User") -> bool:
    """Whether the person signs in at the identity provider of the settings."""
    terms = provider()
    return terms is not None and has_identity(person, terms.issuer)


def has_identity(person: "User", issuer: str) -> bool:
    return LinkedIdentity.objects.filter(user=person, issuer=issuer).exists()


def confirms_at_provider(person: "User") -> bool:
    """Whether what the provider asks for stands for a second factor of this person."""
    terms = provider()
    return terms is not None and bool(terms.second_factor) and has_identity(person, terms.issuer)
