"""What the settings say about the identity provider: who it is, who may come in, and what they become."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from audit.canonical import MalformedJson, loads_strict
from audit.schemas import CODE_PATTERN

LONGEST_ISSUER: Final = 200
LOOPBACK_NAME: Final = "localhost"
MAPPING: Final = (
    "is a JSON object of values of the groups claim and what each gives, such as "
    '{"finance-leads": ["reviewer"]}'
)


@dataclass(frozen=True)
class Terms:
    """One identity provider. `roles` and `review_groups` are None where the provider does not say them, and
    else by values of `groups_claim`; `second_factor` are the values of `amr` or `acr` that stand for one."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    scopes: tuple[str, ...]
    domains: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    groups_claim: str = "groups"
    roles: Mapping[str, tuple[str, ...]] | None = None
    review_groups: Mapping[str, tuple[str, ...]] | None = None
    link_by_email: bool = False
    second_factor: frozenset[str] = frozenset()
    sign_out: bool = False

    @property
    def lets_strangers_in(self) -> bool:
        """Whether somebody who has no account here may get one: only where it is said who."""
        return bool(self.domains or self.groups)


def checked_issuer(value: str) -> str:
    """The issuer as the provider writes it, to the letter. Raises ValueError with what is wrong."""
    parts = urlsplit(value)
    if len(value) > LONGEST_ISSUER:
        raise ValueError(f"is longer than {LONGEST_ISSUER} characters")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ValueError("is not a web address; write it as the provider does, https://HOST/PATH")
    if parts.query or parts.fragment:
        raise ValueError("has no ? and no #; write it as the provider does, https://HOST/PATH")
    if not re.fullmatch(CODE_PATTERN, value):
        raise ValueError("holds a character that no issuer here may have")
    if not is_safe(value):
        raise ValueError("must begin with https://; plain http is for this machine alone")
    return value


def is_safe(address: str) -> bool:
    """Whether what is sent there cannot be read on the way: https, or this machine itself."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and _is_this_machine(parts.hostname or "")


def mapping(value: str) -> dict[str, tuple[str, ...]]:
    """What each value of the groups claim gives. Raises ValueError."""
    try:
        found = loads_strict(value.encode())
    except MalformedJson:
        raise ValueError(MAPPING) from None
    if not isinstance(found, dict):
        raise ValueError(MAPPING)  # noqa: TRY004 - settings that do not fit are ValueErrors
    read: dict[str, tuple[str, ...]] = {}
    for name, gives in found.items():
        listed = [gives] if isinstance(gives, str) else gives
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise ValueError(MAPPING)
        read[name] = tuple(listed)
    return read


def _is_this_machine(host: str) -> bool:
    if host == LOOPBACK_NAME:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
