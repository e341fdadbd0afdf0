"""Passwords are taken from those alone who may use one: this stands before the backend that looks at them."""

from typing import TYPE_CHECKING, Any, NoReturn

from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied

from accounts.models import User
from accounts.passwords import may_use_password

if TYPE_CHECKING:
    from django.http import HttpRequest


class PasswordDoor:
    """No backend of people or permissions: it only ends attempts."""

    def authenticate(
        self,
        request: "HttpRequest | None",
        username: str | None = None,
        password: str | None = None,
        **_credentials: Any,
    ) -> None:
        """Ends the attempt, as a wrong password does, and after as long."""
        person = User.objects.filter(username__iexact=username).first() if username else None
        if person is not None and not may_use_password(person):
            _refuse(password)


def _refuse(password: str | None) -> NoReturn:
    make_password(password or "")
    raise PermissionDenied
