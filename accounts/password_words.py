"""Passwords that are made of words which everybody here has at hand, and so anybody who guesses."""

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from accounts.roles import ROLES

if TYPE_CHECKING:
    from accounts.models import User

PRODUCT: Final = ("countersign", "password", "passwort", "agent", "approve", "approval")
#: So much has to be left of a password once these words are taken out of it.
LEAST_LEFT: Final = 6
_SHORTEST: Final = 4
_WORD: Final = re.compile(r"[^\W_]+")


class NoWordsOfOurs:
    """The name of the product, of the house's address and of roles count for nothing in a password."""

    def validate(self, password: str, user: "User | None" = None) -> None:
        left = password.casefold()
        for word in words():
            left = left.replace(word, "")
        if len(left) < LEAST_LEFT:
            raise ValidationError(
                gettext(
                    "The password is made of words that are at hand here, such as {word}."
                ).format(word=PRODUCT[0]),
                code="password_of_our_words",
            )

    def get_help_text(self) -> str:
        return gettext("Words such as the name of this product do not count.")


def words() -> list[str]:
    """Longest first, in small letters."""
    host = urlsplit(settings.COUNTERSIGN.address).hostname or ""
    titles = (str(role.title) for role in ROLES.values())
    found = {word.casefold() for text in (host, *ROLES, *titles) for word in _WORD.findall(text)}
    return sorted(
        {word for word in {*found, *PRODUCT} if len(word) >= _SHORTEST},
        key=lambda word: (-len(word), word),
    )
