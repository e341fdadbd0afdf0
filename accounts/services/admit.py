"""Let somebody in whom the identity provider vouches for, as what it says they are now."""

import hashlib
from typing import TYPE_CHECKING, Final

import structlog
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from accounts.errors import LastAdmin, UsernameTaken
from accounts.models import ReviewGroup, User
from accounts.oidc.errors import IdentityTaken, NotAdmitted
from accounts.passwords import has_identity, is_break_glass
from accounts.services.create_person import create_person
from accounts.services.join_group import join_group
from accounts.services.leave_group import leave_group
from accounts.services.link_identity import PROVIDER, How, link_identity, owner_of
from accounts.services.set_roles import set_roles
from accounts.signins import DOORKEEPER, record_signin
from audit.printable import printable

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.oidc.claims import Identity
    from accounts.oidc.terms import Terms

log = structlog.get_logger(__name__)

LONGEST_NAME: Final = 120
LONGEST_LOGIN: Final = 150
SHORT_HASH: Final = 12


def admit(*, identity: "Identity", terms: "Terms", request: "HttpRequest") -> User:
    """The person the identity belongs to, with the roles and review groups that the provider gives them now.

    Known again by issuer and subject alone. Raises NotAdmitted, which an event says; roles that the provider
    took away are gone all the same.
    """
    try:
        person, reason = _admitted(identity, terms)
    except (UsernameTaken, IdentityTaken):
        # The same person came in twice at once, in two browsers: now they are known.
        person, reason = _admitted(identity, terms)
    if reason:
        record_signin("signin.refused", person, request, actor=DOORKEEPER, facts={"why": reason})
    if reason or person is None:
        raise NotAdmitted(reason)
    return person


def _admitted(identity: "Identity", terms: "Terms") -> tuple[User | None, str]:
    """The person, as far as one is known, and why they are not let in: empty where they are."""
    try:
        with transaction.atomic():
            person = owner_of(identity)
            if person is None:
                return _newcomer(identity, terms)
            if not person.is_active:
                return person, "closed"
            _give(person, identity, terms)
            return person, "" if identity.is_allowed(terms) else "not_allowed"
    except LastAdmin:
        # Neither do they stay admin by signing in, nor is nobody admin any more.
        with transaction.atomic():
            return owner_of(identity), "last_admin"


def _newcomer(identity: "Identity", terms: "Terms") -> tuple[User | None, str]:
    if not identity.is_allowed(terms):
        return None, "not_allowed"
    found = _resembling(identity)
    if found:
        if not _may_link(found, identity, terms):
            # A second account for one human being could approve what the first one asks for.
            return None, "taken"
        if not found[0].is_active:
            return found[0], "closed"
        person = _linked(found[0], identity, "email")
    elif terms.lets_strangers_in:
        person = _linked(_created(identity), identity, "created")
    else:
        return None, "unknown"
    _give(person, identity, terms)
    return person, ""


def _linked(person: User, identity: "Identity", how: How) -> User:
    link_identity(
        person=person,
        issuer=identity.issuer,
        subject=identity.subject,
        how=how,
        caller=PROVIDER,
    )
    return person


def _resembling(identity: "Identity") -> list[User]:
    """People who may be the same human being: by the verified address, or by the user name."""
    alike = Q(username__iexact=_login(identity))
    if identity.email:
        alike |= Q(email__iexact=identity.email) | Q(username__iexact=identity.email)
    return list(User.objects.select_for_update(no_key=True).filter(alike).order_by("pk")[:2])


def _may_link(found: list[User], identity: "Identity", terms: "Terms") -> bool:
    """Only by a verified address, where the settings allow it, and never to an account that is above roles."""
    if not terms.link_by_email or not identity.email or len(found) != 1:
        return False
    (person,) = found
    return (
        person.email.casefold() == identity.email.casefold()
        and not (person.is_superuser or person.is_staff or is_break_glass(person.username))
        and not has_identity(person, identity.issuer)
    )


def _created(identity: "Identity") -> User:
    name = " ".join(identity.name.split())
    fits = len(name) <= LONGEST_NAME and printable(name) == name
    return create_person(
        username=_login(identity),
        display_name=name if fits else "",
        email=identity.email,
        caller=PROVIDER,
    )


def _login(identity: "Identity") -> str:
    """A user name to be known by here: theirs there, else their address, else one made of the subject."""
    check = UnicodeUsernameValidator()
    for wanted in (identity.login, identity.email):
        try:
            check(wanted)
        except ValidationError:
            continue
        if wanted and len(wanted) <= LONGEST_LOGIN:
            return wanted
    digest = hashlib.sha256(f"{identity.issuer} {identity.subject}".encode()).hexdigest()
    return f"person-{digest[:SHORT_HASH]}"


def _give(person: User, identity: "Identity", terms: "Terms") -> None:
    """Exactly the roles and review groups that the provider gives, where it is said which."""
    allowed = identity.is_allowed(terms)
    roles = identity.gets(terms.roles)
    if roles is not None:
        set_roles(person=person, roles=roles if allowed else (), caller=PROVIDER)
    groups = identity.gets(terms.review_groups)
    if groups is None:
        return
    wanted = groups if allowed else frozenset()
    known = set(ReviewGroup.objects.filter(slug__in=wanted).values_list("slug", flat=True))
    if missing := sorted(wanted - known):
        log.error("oidc_review_groups_unknown", missing=missing, person=person.pk)
    held = set(person.review_groups.values_list("slug", flat=True))
    for slug in sorted(known - held):
        join_group(person=person, group=slug, caller=PROVIDER)
    for slug in sorted(held - known):
        leave_group(person=person, group=slug, caller=PROVIDER)
