"""Sign-in rules for django-allauth."""

from typing import TYPE_CHECKING

from allauth.account.adapter import DefaultAccountAdapter

if TYPE_CHECKING:
    from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: "HttpRequest") -> bool:
        """Nobody signs up: an admin adds people, or anybody could give themselves an account."""
        return False
