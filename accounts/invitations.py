"""The link with which a new person chooses a password."""

from typing import TYPE_CHECKING

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.urls import reverse

if TYPE_CHECKING:
    from accounts.models import User


def invitation_url(person: "User") -> str:
    """Absolute public address, good once and for settings.PASSWORD_RESET_TIMEOUT seconds."""
    parts = {
        "uidb36": user_pk_to_url_str(person),
        "key": default_token_generator.make_token(person),
    }
    path = reverse("account_reset_password_from_key", kwargs=parts)
    return f"{settings.COUNTERSIGN.address}{path}"
