"""Names of people for pages and the other way round; the log itself knows only their ids."""

from collections.abc import Iterable, Mapping

from django.contrib.auth import get_user_model
from django.utils.translation import gettext


def names_of(ids: Iterable[str]) -> dict[str, str]:
    """What people are called now, by the id that events carry; who is not known is left out."""
    wanted = {int(each) for each in ids if each.isascii() and each.isdigit() and len(each) < 19}
    if not wanted:
        return {}
    return {
        str(person.pk): person.get_full_name() or person.get_username()
        for person in get_user_model()._default_manager.filter(pk__in=wanted)
    }


def called(actor: str, names: Mapping[str, str]) -> str:
    """What whoever has this id is called; who asked by a command is called by where that was."""
    return names.get(actor) or (
        gettext("person {actor}").format(actor=actor)
        if actor.isdigit()
        else gettext("the {actor}").format(actor=actor)
    )


def subject_of(text: str) -> str:
    """What is kept apart about the person with this user name stands under `person:` and their id; a text that names
    a kind already is taken as it is."""
    return text if ":" in text else f"person:{id_of(text)}"


def spelled(subject: str) -> str:
    """`subject_of` backwards: the user name of the person that the subject is, which no two share; what is no
    person, or nobody's any more, is spelled as it stands."""
    kind, _, which = subject.partition(":")
    if kind != "person" or not (which.isascii() and which.isdigit() and len(which) < 19):
        return subject
    person = get_user_model()._default_manager.filter(pk=int(which)).first()
    return person.get_username() if person else subject


def id_of(text: str) -> str:
    """The id of the person with this user name; a text that names nobody is taken as an id."""
    model = get_user_model()
    field = model.USERNAME_FIELD
    found = model._default_manager.filter(**{f"{field}__iexact": text}).values_list("pk").first()
    return str(found[0]) if found else text
