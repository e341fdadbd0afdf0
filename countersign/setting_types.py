"""What a setting may be, and how the text of its variable is read.

Each type takes a value that is read already as it is. What does not fit raises ValueError with a sentence that goes on
after the variable's name.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_settings import NoDecode

from accounts.oidc.terms import checked_issuer, mapping
from agents.endpoints import NamedEndpoint, named_endpoints, plain_address
from agents.mcp_servers import McpServer, named_servers
from agents.webhooks import decoded
from audit.canonical import MalformedJson, loads_strict
from audit.streaming.sinks import Sink, named_sinks
from audit.streaming.witnesses import Witness, named_witnesses

CALLBACK_SECRETS = (
    'is a JSON object of provider names and their secrets, such as {"mail": "whsec_…"}, or a list of '
    "secrets while one takes the place of another"
)
NAMED_SECRETS = TypeAdapter(dict[str, str | list[str]])


def _text(read: Callable[[str], object]) -> BeforeValidator:
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


def _given(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda value: check(value) if value else value)


def _commas(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    if value.strip().lower() == "none":
        return ()
    try:
        return tuple(ip_network(part) for part in _commas(value))
    except ValueError as error:
        raise ValueError(f"is no list of networks such as 10.0.0.0/8, or none: {error}") from None


def _callback_secrets(value: str) -> dict[str, tuple[str, ...]]:
    try:
        named = NAMED_SECRETS.validate_python(loads_strict(value.encode()))
    except (MalformedJson, ValidationError):
        raise ValueError(CALLBACK_SECRETS) from None
    return {name: _several(name, given) for name, given in named.items()}


def _several(provider: str, given: str | list[str]) -> tuple[str, ...]:
    """The secrets of one provider; complaints name the provider and never a secret."""
    found = [given] if isinstance(given, str) else given
    if not found:
        raise ValueError(f"{provider!r} has no secret")
    for secret in found:
        try:
            decoded(secret)
        except ValueError as error:
            raise ValueError(f"a secret of {provider!r} {error}") from None
    return tuple(found)


def _postgresql(value: str) -> str:
    if urlsplit(value).scheme not in {"postgres", "postgresql"}:
        raise ValueError(
            "is not a PostgreSQL address; write postgresql://USER:PASSWORD@HOST:5432/NAME"
        )
    return value


def _redis(value: str) -> str:
    if urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("is not a Redis address; write redis://HOST:6379/0")
    return value


def _web(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not a web address; write https://HOST/PATH")
    return value


Commas = Annotated[tuple[str, ...], NoDecode, _text(_commas)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, _text(_networks)]
Seconds = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Workers = Annotated[int, Field(ge=0, le=64)]
Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
PostgresUrl = Annotated[str, _given(_postgresql)]
RedisUrl = Annotated[str, _given(_redis)]
WebUrl = Annotated[str, _given(_web)]
ApiUrl = Annotated[str, _given(plain_address)]
Issuer = Annotated[str, _given(checked_issuer)]
#: The codes of `settings.LANGUAGES`.
Language = Literal["en-gb", "de"]
CalendarName = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]{0,63})?$")]
Endpoints = Annotated[dict[str, NamedEndpoint], NoDecode, _text(named_endpoints)]
McpServers = Annotated[dict[str, McpServer], NoDecode, _text(named_servers)]
AuditSinks = Annotated[dict[str, Sink], NoDecode, _text(named_sinks)]
Witnesses = Annotated[dict[str, Witness], NoDecode, _text(named_witnesses)]
ClaimMapping = Annotated[dict[str, tuple[str, ...]] | None, NoDecode, _text(mapping)]
CallbackSecrets = Annotated[dict[str, tuple[str, ...]], NoDecode, _text(_callback_secrets)]
ToolSecrets = Annotated[dict[str, str], NoDecode]
