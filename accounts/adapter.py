"""Sign-in rules for django-allauth."""

from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.stages import AuthenticateStage
from django.urls import reverse

from accounts import factor_secrets
from accounts.factors import has_factor
from accounts.login_stages import SecondFactorStage
from accounts.passwords import may_use_password
from accounts.services.change_password import change_password

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

PRODUCT = "Countersign"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: "HttpRequest") -> bool:
        """Nobody signs up: an admin adds people, or anybody could give themselves an account."""
        return False

    def set_password(self, user: "User", password: str) -> None:
        """By every form that takes a new one."""
        change_password(person=user, password=password, request=context.request)

    def get_password_change_redirect_url(self, request: "HttpRequest") -> str:
        return reverse("settings")

    def get_reauthentication_methods(self, user: "User") -> list[dict[str, Any]]:
        """Who has a second factor confirms with it: a password alone does not replace one."""
        if not user.is_authenticated:
            return []
        name = "second-factor-confirm" if has_factor(user) else "password-confirm"
        if name == "password-confirm" and not may_use_password(user):
            name = "oidc-confirm"
        return [{"id": name, "description": "Confirm that it is you", "url": reverse(name)}]

    def get_login_stages(self) -> list[str]:
        """django-allauth's, with our second step."""
        ours = {AuthenticateStage: SecondFactorStage}
        named = {_path(theirs): _path(stage) for theirs, stage in ours.items()}
        return [named.get(path, path) for path in super().get_login_stages()]


def _path(stage: type) -> str:
    return f"{stage.__module__}.{stage.__name__}"


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return factor_secrets.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return factor_secrets.decrypt(encrypted_text)

    def get_totp_label(self, user: "User") -> str:
        return user.username

    def generate_authenticator_name(self, user: "User", type: str) -> str:
        """A name to begin with; people change it."""
        return "Passkey"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The site as the browser's dialog calls it; bound to the host name that it was opened under."""
        return {**super().get_public_key_credential_rp_entity(), "name": PRODUCT}

    def get_public_key_credential_user_entity(self, user: "User") -> dict[str, Any]:
        return {**super().get_public_key_credential_user_entity(user), "name": user.username}
