"""Add a person."""

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.callers import Caller, authorised
from accounts.errors import BadPerson, UsernameTaken
from accounts.models import User
from accounts.services.join_group import join_group
from accounts.services.set_roles import set_roles
from audit.recorder import record
from audit.schemas import Disclose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audit.actors import Actor


def create_person(
    *,
    username: str,
    caller: "Caller | Actor",
    display_name: str = "",
    email: str = "",
    roles: "Iterable[str]" = (),
    groups: "Iterable[str]" = (),
    password: str | None = None,
) -> User:
    """Create a person with roles (names) and review groups (slugs).

    Without a password nobody can sign in yet: send the person a link (see invitations.py).
    Raises Forbidden, BadPerson, UsernameTaken, UnknownRole, UnknownReviewGroup.
    """
    actor = authorised(caller, "manage_people", scope="admin")
    person = User(username=username, display_name=display_name, email=email)
    person.set_password(password)  # None makes it unusable
    try:
        person.clean_fields()
        person.clean()
    except ValidationError as error:
        raise BadPerson(error.message_dict) from error
    with transaction.atomic():
        try:
            with transaction.atomic():
                person.save(force_insert=True)
        except IntegrityError as error:
            raise UsernameTaken(username) from error
        subject = f"person:{person.pk}"
        record(
            type="person.created",
            actor=actor,
            stream=subject,
            facts={"person": str(person.pk)},
            disclosures=[
                Disclose("username", person.username, subject),
                Disclose("display_name", person.display_name, subject),
                Disclose("email", person.email, subject),
            ],
        )
        if wanted := set(roles):
            set_roles(person=person, roles=wanted, caller=caller)
        for slug in groups:
            join_group(person=person, group=slug, caller=caller)
    return person
