"""Choose the language that pages and mails speak to a person."""

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.errors import UnknownLanguage
from accounts.languages import languages
from accounts.models import User
from audit.recorder import record

if TYPE_CHECKING:
    from accounts.callers import Caller


def choose_language(*, language: str, caller: "Caller") -> bool:
    """Keep the caller's own choice; False when it was that already. Raises UnknownLanguage."""
    if language not in languages():
        raise UnknownLanguage(language)
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=caller.user.pk)
        if person.language == language:
            return False
        person.language = language
        person.save(update_fields=["language"])
        record(
            type="language.chosen",
            actor=caller.actor,
            stream=f"person:{person.pk}",
            facts={"person": person.pk, "language": language},
        )
    return True
