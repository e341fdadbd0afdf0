"""What second factors a person has: an authenticator app, passkeys, recovery codes. Never their secrets."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from allauth.mfa.models import Authenticator

from accounts.vocabulary import FactorMethod

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User

METHODS: Final[dict[str, FactorMethod]] = {
    Authenticator.Type.TOTP: "authenticator_app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery_code",
}
#: Recovery codes stand in for one of these; alone they are no factor.
REAL: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


@dataclass(frozen=True)
class Passkey:
    """`signs_in`: it opens the account without a password."""

    pk: int
    name: str
    signs_in: bool
    added_at: "datetime"
    used_at: "datetime | None"


@dataclass(frozen=True)
class Factors:
    """`codes_left` is None where there are no recovery codes."""

    app: Any | None
    passkeys: tuple[Passkey, ...]
    codes_left: int | None

    @property
    def any(self) -> bool:
        """Whether the person has a second factor."""
        return self.app is not None or bool(self.passkeys)

    @property
    def takes_codes(self) -> bool:
        """Whether there is a code to type: of the app, or a recovery code."""
        return self.app is not None or bool(self.codes_left)


def method_of(factor: Any) -> FactorMethod:
    return METHODS[factor.type]


def has_factor(person: "User") -> bool:
    """Whether the person has an authenticator app or a passkey."""
    return bool(Authenticator.objects.filter(user=person, type__in=REAL).exists())


def factors_of(person: "User") -> Factors:
    """All that the person has, in one statement."""
    found = list(Authenticator.objects.filter(user=person).order_by("created_at", "pk"))
    codes = next((f for f in found if f.type == Authenticator.Type.RECOVERY_CODES), None)
    return Factors(
        app=next((f for f in found if f.type == Authenticator.Type.TOTP), None),
        passkeys=tuple(_passkey(f) for f in found if f.type == Authenticator.Type.WEBAUTHN),
        codes_left=len(codes.wrap().get_unused_codes()) if codes else None,
    )


def _passkey(factor: Any) -> Passkey:
    wrapped = factor.wrap()
    return Passkey(
        pk=factor.pk,
        name=wrapped.name,
        signs_in=bool(wrapped.is_passwordless),
        added_at=factor.created_at,
        used_at=factor.last_used_at,
    )
