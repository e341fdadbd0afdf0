"""What people type, or their browser sends, to show a second factor."""

import json
import struct
from typing import TYPE_CHECKING, Any, Final

from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from allauth.mfa.webauthn.internal import auth as webauthn
from cryptography.exceptions import InvalidSignature
from django import forms
from django.utils.translation import gettext, gettext_lazy

from accounts.confirmations import remember
from accounts.errors import WrongPasskey
from accounts.passwords import may_use_password
from accounts.services.use_factor import use_code, use_passkey
from accounts.strict_fields import StrictJsonField
from audit.errors import Refusal

if TYPE_CHECKING:
    from accounts.models import User
    from accounts.vocabulary import FactorPurpose


#: What the library raises for an answer that a browser would not have sent.
MALFORMED: Final = (
    forms.ValidationError,
    InvalidSignature,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    struct.error,
)


class UseForm(forms.Form):
    """A second factor that is used. `factor` is which, once the form is valid."""

    purpose: "FactorPurpose" = "sign_in"
    factor: Any

    def __init__(self, *args: Any, user: "User | None" = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def save(self) -> None:
        """Note in the session that the factor was used."""
        request = context.request
        self.factor.record_usage()
        record_authentication(
            request,
            self.factor.user,
            "mfa",
            id=self.factor.pk,
            type=self.factor.type,
            **self.noted(),
        )
        remember(request, self.factor)

    def noted(self) -> dict[str, bool]:
        """What allauth's own record of the session says of it."""
        return {"reauthenticated": True} if self.purpose == "confirmation" else {}


class CodeForm(UseForm):
    """A code of the authenticator app, or a recovery code."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=32,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
        help_text=gettext_lazy(
            "Six digits from your authenticator app, or one of your recovery codes."
        ),
    )

    def clean_code(self) -> str:
        """The code is spent by looking whether it is right."""
        assert self.user is not None
        code: str = self.cleaned_data["code"]
        try:
            self.factor = use_code(
                person=self.user, code=code, purpose=self.purpose, request=context.request
            )
        except Refusal as refusal:
            raise forms.ValidationError(refusal.detail, code=refusal.code) from refusal
        return code


class PasskeyForm(UseForm):
    """What the browser got from a passkey."""

    credential = StrictJsonField(widget=forms.HiddenInput)

    def clean_credential(self) -> Any:
        """The answer to our challenge, signed."""
        credential = self.cleaned_data["credential"]
        try:
            webauthn.parse_authentication_response(credential)
            # On the way in nobody is known yet: the passkey says whose it is.
            user = self.user or webauthn.extract_user_from_response(credential)
        except MALFORMED as error:
            raise forms.ValidationError(WrongPasskey().detail) from error

        def check() -> Any | None:
            try:
                return webauthn.complete_authentication(user, credential)
            except MALFORMED:
                return None

        try:
            self.factor = use_passkey(
                person=user, check=check, purpose=self.purpose, request=context.request
            )
        except Refusal as refusal:
            raise forms.ValidationError(refusal.detail, code=refusal.code) from refusal
        return self.factor


class ConfirmCodeForm(CodeForm):
    """A code, from somebody who is signed in."""

    purpose = "confirmation"


class ConfirmPasskeyForm(PasskeyForm):
    """A passkey, from somebody who is signed in."""

    purpose = "confirmation"


class PasskeySignInForm(PasskeyForm):
    """A passkey instead of user name and password."""

    def clean_credential(self) -> Any:
        """Only of those who may come in by what is kept here."""
        factor = super().clean_credential()
        if not may_use_password(factor.user):
            raise forms.ValidationError(WrongPasskey().detail)
        return factor

    def noted(self) -> dict[str, bool]:
        """The second factor is not asked for again on the way in."""
        return {"passwordless": True}


class AppForm(forms.Form):
    """The code that a new authenticator app shows."""

    code = forms.CharField(
        label=gettext_lazy("Code that the app shows now"),
        max_length=32,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
        ),
    )


class PasskeyNameForm(forms.Form):
    """What a passkey is called."""

    name = forms.CharField(
        max_length=80,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("So that you know it again: the device, or the app that keeps it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class AddPasskeyForm(PasskeyNameForm):
    """A new passkey, as the browser made it."""

    signs_in = forms.BooleanField(
        label=gettext_lazy("Sign in with it alone, without a password"),
        required=False,
        initial=True,
        widget=forms.CheckboxInput(attrs={"data-signs-in": ""}),
    )
    credential = StrictJsonField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """The browser's answer to our challenge."""
        credential = self.cleaned_data.get("credential")
        if credential:
            try:
                if "\\u0000" in json.dumps(credential):
                    raise ValueError("PostgreSQL stores no NUL")
                webauthn.parse_registration_response(credential)
                made = webauthn.complete_registration(credential)
            except MALFORMED as error:
                raise forms.ValidationError(WrongPasskey().detail) from error
            if self.cleaned_data.get("signs_in") and not made.is_user_verified():
                self.add_error(
                    None,
                    gettext(
                        "This device did not check that it is you, so it cannot sign in alone."
                    ),
                )
        return self.cleaned_data
