"""Ways to a new password, open to those who may use one; to everybody else they answer as to a stranger."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import ResetPasswordForm, UserTokenForm
from django.http import HttpRequest
from django.utils import translation

from accounts.passwords import may_use_password
from accounts.queues import mail_links
from accounts.services.mail_link import mail_link


class ResetForm(ResetPasswordForm):  # type: ignore[misc]
    """A link by mail. Whoever signs in at the identity provider gets none, and the page does not tell."""

    users: list[Any]

    def clean_email(self) -> str:
        email: str = super().clean_email()
        self.users = [person for person in self.users if may_use_password(person)]
        return email

    def save(self, request: HttpRequest, **_further: Any) -> str:
        """A worker makes and sends the links: the page answers as fast whether there is somebody to send one to. While
        Redis is away they are sent here and now, since whoever forgot their password has no other way in."""
        people, language = [person.pk for person in self.users], translation.get_language() or ""
        if not mail_links(people, language):
            for each in people:
                mail_link(person_id=each, language=language)
        return str(self.cleaned_data["email"])


class LinkForm(UserTokenForm):  # type: ignore[misc]
    """A link that was sent, or given by an admin, is no longer good once its person may use no password."""

    def clean(self) -> Any:
        cleaned = super().clean()
        if not may_use_password(self.reset_user):
            raise get_adapter().validation_error("invalid_password_reset")
        return cleaned
