"""Sign-in rules for django-allauth."""

from typing import TYPE_CHECKING

from allauth.account.adapter import DefaultAccountAdapter
from django.urls import reverse

if TYPE_CHECKING:
    from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: "HttpRequest") -> bool:
        """Nobody signs up: an admin adds people, or anybody could give themselves an account."""
        return False

    def get_password_change_redirect_url(self, request: "HttpRequest") -> str:
        return reverse("settings")
