"""When sign-in closes for a while, by failures that django-axes counts in the database.

Three counts: of one account from one address; of one address, whatever accounts are tried (one password on all
names); of one account, from wherever (many machines on one name).
"""

from typing import TYPE_CHECKING, Any, Final, Literal

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_failure_limit
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.shortcuts import render
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext

from accounts.passwords import is_break_glass
from accounts.signins import DOORKEEPER, record_signin
from audit.ports import alarm
from audit.wordings import Words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.http import HttpRequest, HttpResponse

What = Literal["account_from_address", "address", "account"]

COOL_OFF_SECONDS: Final = 900
STATUS: Final = 429
#: What admins are told of at once; the first is mostly somebody who forgot their password.
ALARMS: Final = Words[What](
    {
        "address": (
            "Passwords of many accounts were tried from one address. It may not sign in for a quarter of an hour. The "
            "audit log (signin.locked) has the address."
        ),
        "account": (
            "The password of one account was tried from many addresses. It may not be used for a quarter of an hour; "
            "passkeys and the identity provider still work. The audit log (signin.locked) says whose."
        ),
    }
)


def attempted_account(
    request: "HttpRequest", credentials: "Mapping[str, Any] | None" = None
) -> str:
    """A keyed hash of the user name that was typed, the same in upper and lower case.

    The name itself is not kept: people type passwords there.
    """
    return salted_hmac(
        "accounts.lockout", _typed(request, credentials).casefold(), algorithm="sha256"
    ).hexdigest()


class Lockout(AxesDatabaseHandler):  # type: ignore[misc]
    """django-axes' counting, with a limit for each of the three."""

    def get_failures(
        self, request: "HttpRequest", credentials: "Mapping[str, Any] | None" = None
    ) -> int:
        """Failures as a share of their own limit, on the scale of the one that django-axes compares them with."""
        most = get_failure_limit(request, credentials)
        return max(
            count * int(most) // limit for _, count, limit in self._counts(request, credentials)
        )

    def user_login_failed(
        self,
        sender: object,
        credentials: "Mapping[str, Any]",
        request: "HttpRequest | None" = None,
        **more: Any,
    ) -> None:
        was_closed = getattr(request, "axes_locked_out", False)
        super().user_login_failed(sender, credentials, request, **more)
        if request is not None and not was_closed and request.axes_locked_out:  # type: ignore[attr-defined]
            self._closed(request, credentials)

    def reset_user_attempts(
        self, request: "HttpRequest", credentials: "Mapping[str, Any] | None" = None
    ) -> int:
        """The right password forgives this account its mistakes from here. Those of the address stay: else whoever
        has one account could try all others without end."""
        pair = self.filter_user_attempts(request, credentials)[0]
        removed, _ = pair.delete()
        return int(removed)

    def _counts(
        self, request: "HttpRequest", credentials: "Mapping[str, Any] | None"
    ) -> "Iterator[tuple[What, int, int]]":
        config = settings.COUNTERSIGN
        kinds: tuple[tuple[What, int], ...] = (
            ("account_from_address", get_failure_limit(request, credentials)),
            ("address", config.sign_in_address_attempts),
            ("account", config.sign_in_account_attempts),
        )
        found = self.get_user_attempts(request, credentials)
        for (what, limit), attempts in zip(kinds, found, strict=True):
            # From wherever, somebody else could close what is for emergencies.
            if what == "account" and is_break_glass(_typed(request, credentials)):
                continue
            yield what, sum(attempts.values_list("failures_since_start", flat=True)), limit

    def _closed(self, request: "HttpRequest", credentials: "Mapping[str, Any]") -> None:
        what = next(
            what for what, count, limit in self._counts(request, credentials) if count >= limit
        )
        typed = _typed(request, credentials)
        user = get_user_model().objects.filter(username__iexact=typed).first() if typed else None
        record_signin("signin.locked", user, request, actor=DOORKEEPER, facts={"why": what})
        if what in ALARMS and cache.add(f"lockout-alarm-{what}", 1, COOL_OFF_SECONDS):
            alarm(lambda: (gettext("Sign-in is closed after many wrong passwords"), ALARMS[what]))


def locked_out(
    request: "HttpRequest", _response: "HttpResponse | None" = None, _credentials: Any = None
) -> "HttpResponse":
    """The same page for everybody, whatever account or script asks."""
    answer = render(request, "account/locked_out.html", status=STATUS)
    answer["Retry-After"] = str(COOL_OFF_SECONDS)
    return answer


def _typed(request: "HttpRequest", credentials: "Mapping[str, Any] | None") -> str:
    return str((credentials or {}).get("username") or request.POST.get("login") or "")
