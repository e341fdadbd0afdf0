"""The steps of signing in after the first: the second factor, for everybody who has one."""

from typing import TYPE_CHECKING, Final

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.stages import AuthenticateStage

if TYPE_CHECKING:
    from django.http import HttpRequest

#: Of django-allauth's record of the session: the identity provider asked for a second factor itself.
STRONG: Final = "second_factor"


class SecondFactorStage(AuthenticateStage):  # type: ignore[misc]
    """Left out where the identity provider says that it asked, and the settings say that this counts."""

    def _should_handle(self, request: "HttpRequest") -> bool:
        records = get_authentication_records(request, self.login.user)
        if records and records[-1].get(STRONG) is True:
            return False
        return bool(super()._should_handle(request))
