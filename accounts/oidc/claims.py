"""What the claims about somebody mean here. What is unknown, missing or of another form gives nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.oidc.terms import Terms

LONGEST_EMAIL: Final = 254


@dataclass(frozen=True)
class Identity:
    """Somebody whom the provider vouches for. `email` is empty unless the provider verified it; `strong` is
    whether it says that a second factor was used; `signed_in_at` in seconds since 1970, None where not said."""

    issuer: str
    subject: str
    email: str
    name: str
    login: str
    groups: frozenset[str]
    strong: bool
    signed_in_at: int | None

    def is_allowed(self, terms: Terms) -> bool:
        """Whether the person belongs to those who may come in. Where both are set, both are asked for."""
        if terms.groups and not self.groups & set(terms.groups):
            return False
        return not terms.domains or self.domain in {each.casefold() for each in terms.domains}

    @property
    def domain(self) -> str:
        """The part of the verified address behind its @, in small letters; empty where there is none."""
        return self.email.rpartition("@")[2].casefold()

    def gets(self, given: Mapping[str, Iterable[str]] | None) -> frozenset[str] | None:
        """What the person's groups give by a mapping; None where there is no mapping, which changes nothing."""
        if given is None:
            return None
        return frozenset(what for group in self.groups for what in given.get(group, ()))


def identity_of(claims: Mapping[str, Any], more: Mapping[str, Any], terms: Terms) -> Identity:
    """Read the ID token's claims, and where they are silent those of the userinfo endpoint.

    How somebody signed in (`amr`, `acr`, `auth_time`) is taken from the signed token alone.
    """
    said = {**more, **claims}
    ways = {*_texts(claims.get("amr")), *_texts(claims.get("acr"))}
    moment = claims.get("auth_time")
    return Identity(
        issuer=terms.issuer,
        subject=claims["sub"],
        email=_email(said),
        name=_text(said.get("name")),
        login=_text(said.get("preferred_username")),
        groups=frozenset(_texts(said.get(terms.groups_claim))),
        strong=bool(ways & terms.second_factor),
        signed_in_at=moment if type(moment) is int and moment > 0 else None,
    )


def _email(said: Mapping[str, Any]) -> str:
    email = _text(said.get("email"))
    # True and nothing that resembles it: some providers send "false".
    if said.get("email_verified") is not True or len(email) > LONGEST_EMAIL:
        return ""
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    """One text, or a list of them; whatever else stands there is left out."""
    if isinstance(value, str):
        return (value,)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
