"""Passwords as people type them, and ways to a new one, open to those who may use one; to everybody else they answer
as to a stranger."""

from typing import TYPE_CHECKING, Any, Final

from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    ChangePasswordForm,
    LoginForm,
    ReauthenticateForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SetPasswordForm,
    UserTokenForm,
)
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext_lazy

from accounts.passwords import may_use_password
from accounts.queues import mail_links
from accounts.services.mail_link import mail_link

if TYPE_CHECKING:
    from django.forms import Field

#: The library's own words say the same thing otherwise on each page, and once more in grey inside the field.
LABELS: Final = {
    "login": gettext_lazy("User name"),
    "password": gettext_lazy("Password"),
    "oldpassword": gettext_lazy("Current password"),
    "password1": gettext_lazy("New password"),
    "password2": gettext_lazy("New password, again"),
    "email": gettext_lazy("E-mail"),
}


class PlainlyLabelled:
    """A form of the library with the labels of this house and nothing written inside its fields."""

    fields: "dict[str, Field]"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = LABELS.get(name, field.label)
            field.widget.attrs.pop("placeholder", None)


class SignInForm(PlainlyLabelled, LoginForm):  # type: ignore[misc]
    """User name and password."""


class ChangeForm(PlainlyLabelled, ChangePasswordForm):  # type: ignore[misc]
    """Another password for the one that is known."""


class FirstForm(PlainlyLabelled, SetPasswordForm):  # type: ignore[misc]
    """The first password of an account."""


class NewForm(PlainlyLabelled, ResetPasswordKeyForm):  # type: ignore[misc]
    """A password chosen through a link."""


class AgainForm(PlainlyLabelled, ReauthenticateForm):  # type: ignore[misc]
    """The password once more, from somebody who is signed in."""


class ResetForm(PlainlyLabelled, ResetPasswordForm):  # type: ignore[misc]
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
    """A link that was sent, or given by an admin, is no longer good once its person may use no password, or the account
    is closed."""

    def clean(self) -> Any:
        cleaned = super().clean()
        if not (self.reset_user.is_active and may_use_password(self.reset_user)):
            raise get_adapter().validation_error("invalid_password_reset")
        return cleaned
