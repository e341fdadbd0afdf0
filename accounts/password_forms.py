"""Ways to a new password, open to those who may use one; to everybody else they answer as to a stranger."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import ResetPasswordForm, UserTokenForm

from accounts.passwords import may_use_password


class ResetForm(ResetPasswordForm):  # type: ignore[misc]
    """A link by mail. Whoever signs in at the identity provider gets none, and the page does not tell."""

    users: list[Any]

    def clean_email(self) -> str:
        email: str = super().clean_email()
        self.users = [person for person in self.users if may_use_password(person)]
        return email


class LinkForm(UserTokenForm):  # type: ignore[misc]
    """A link that was sent, or given by an admin, is no longer good once its person may use no password."""

    def clean(self) -> Any:
        cleaned = super().clean()
        if not may_use_password(self.reset_user):
            raise get_adapter().validation_error("invalid_password_reset")
        return cleaned
