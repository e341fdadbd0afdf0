"""What django-axes counts failed sign-ins by."""

from typing import TYPE_CHECKING, Any

from django.utils.crypto import salted_hmac

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest


def attempted_account(
    request: "HttpRequest", credentials: "Mapping[str, Any] | None" = None
) -> str:
    """A keyed hash of the user name that was typed, the same in upper and lower case.

    The name itself is not kept: people type passwords there.
    """
    typed = str((credentials or {}).get("username") or request.POST.get("login") or "")
    return salted_hmac("accounts.lockout", typed.casefold(), algorithm="sha256").hexdigest()
