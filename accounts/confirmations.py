"""When a person last used a second factor in this session: kept on the server, for this session only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from allauth.mfa.models import Authenticator

from accounts.factors import has_factor, method_of
from accounts.passwords import confirms_at_provider, has_identity, provider
from accounts.vocabulary import FactorMethod
from audit.clock import database_now

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

KEY: Final = "second_factor"


@dataclass(frozen=True)
class Confirmation:
    """A second factor was used: when by the database's clock, and which."""

    at: datetime
    method: FactorMethod

    def is_fresh(self, now: datetime, window: timedelta) -> bool:
        """Whether it still counts."""
        return now - self.at <= window


def can_confirm(person: "User") -> bool:
    """Whether the person has any second factor to confirm with: one of their own, or the identity provider's."""
    return has_factor(person) or confirms_at_provider(person)


def remember(request: "HttpRequest", factor: Any) -> None:
    """Note that the factor was used just now. Not called for a factor that was only added."""
    request.session[KEY] = {
        "at": database_now().isoformat(),
        "factor": factor.pk,
    }


def remember_provider(request: "HttpRequest", person: "User", at: datetime) -> None:
    """Note that the identity provider asked the person for a second factor at that moment."""
    terms = provider()
    if terms is not None:
        request.session[KEY] = {
            "at": at.isoformat(),
            "issuer": terms.issuer,
            "person": person.pk,
        }


def confirmation_of(request: "HttpRequest") -> Confirmation | None:
    """The last use of a second factor in this session; None for tokens, or once the factor is gone.

    Costs a statement only where the session holds one.
    """
    kept = request.session.get(KEY) if request.user.is_authenticated else None
    if kept is None:
        return None
    if "issuer" in kept:
        return _by_provider(request, kept)
    factor = Authenticator.objects.filter(pk=kept["factor"], user_id=request.user.pk).first()
    if factor is None:
        return None

    return Confirmation(at=datetime.fromisoformat(kept["at"]), method=method_of(factor))


def _by_provider(request: "HttpRequest", kept: dict[str, Any]) -> Confirmation | None:
    """It counts as long as the settings say so, and the person is linked to that provider."""
    terms = provider()
    if terms is None or terms.issuer != kept["issuer"] or not terms.second_factor:
        return None
    person: Any = request.user
    if person.pk != kept["person"] or not has_identity(person, terms.issuer):
        return None
    return Confirmation(at=datetime.fromisoformat(kept["at"]), method="identity_provider")
