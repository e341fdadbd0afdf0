"""Where the provider's endpoints are, and its keys: asked for as OpenID Connect Discovery 1.0 says, and kept
for a while in each process."""

import time
from dataclasses import dataclass
from typing import Any, Final

import jwt

from accounts.oidc.errors import ProviderAway
from accounts.oidc.fetching import fetch
from accounts.oidc.terms import Terms, is_safe

WELL_KNOWN: Final = "/.well-known/openid-configuration"
KEEP_SECONDS: Final = 600
#: A key that nobody knows is looked for anew at most this often.
KEYS_ANEW_SECONDS: Final = 10
#: Signatures with a public key alone: neither `none` nor a secret that two know.
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
#: What OpenID Connect says of a provider that names none.
USUAL_ALGORITHM: Final = "RS256"


@dataclass(frozen=True)
class Metadata:
    """What discovery gave, checked. Endpoints that a provider may leave out are empty."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    end_session: str
    algorithms: frozenset[str]
    names_issuer: bool
    basic: bool


#: By issuer, and by where the keys are: what was answered, and when by this process's clock.
_metadata: dict[str, tuple[Metadata, float]] = {}
_keys: dict[str, tuple[jwt.PyJWKSet, float]] = {}


def metadata_of(terms: Terms) -> Metadata:
    """The provider's endpoints. Raises ProviderAway, also where it speaks for another issuer."""
    kept = _metadata.get(terms.issuer)
    if kept is None or time.monotonic() - kept[1] > KEEP_SECONDS:
        found = fetch(terms.issuer.rstrip("/") + WELL_KNOWN)
        kept = _metadata[terms.issuer] = (_checked(found, terms), time.monotonic())
    return kept[0]


def key_for(key_id: str | None, metadata: Metadata) -> jwt.PyJWK | None:
    """The provider's key with this id, or its only one; None where it has none. Raises ProviderAway."""
    kept = _keys.get(metadata.keys)
    age = time.monotonic() - kept[1] if kept else KEEP_SECONDS + 1
    found = _named(kept[0], key_id) if kept and age <= KEEP_SECONDS else None
    if found is None and age > KEYS_ANEW_SECONDS:
        fresh = _key_set(metadata.keys)
        _keys[metadata.keys] = (fresh, time.monotonic())
        found = _named(fresh, key_id)
    return found


def forget() -> None:
    """Ask anew for everything."""
    _metadata.clear()
    _keys.clear()


def _checked(found: dict[str, Any], terms: Terms) -> Metadata:
    # Discovery 1.0, section 4.3: else anybody's document would do.
    if found.get("issuer") != terms.issuer:
        raise ProviderAway(f"{terms.issuer} names another issuer: {found.get('issuer')!r}")
    offered = found.get("id_token_signing_alg_values_supported", [USUAL_ALGORITHM])
    algorithms = ALGORITHMS & {each for each in offered if isinstance(each, str)}
    if not algorithms:
        raise ProviderAway(f"{terms.issuer} signs in no way that is accepted here")
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        authorization=_endpoint(found, "authorization_endpoint"),
        token=_endpoint(found, "token_endpoint"),
        keys=_endpoint(found, "jwks_uri"),
        userinfo=_endpoint(found, "userinfo_endpoint", needed=False),
        end_session=_endpoint(found, "end_session_endpoint", needed=False),
        algorithms=algorithms,
        names_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        basic="client_secret_post" not in methods,
    )


def _endpoint(found: dict[str, Any], name: str, *, needed: bool = True) -> str:
    value = found.get(name, "")
    if not value and not needed:
        return ""
    if not isinstance(value, str) or not is_safe(value):
        raise ProviderAway(f"{name} is no address that is accepted here: {value!r}")
    return value


def _key_set(address: str) -> jwt.PyJWKSet:
    try:
        return jwt.PyJWKSet.from_dict(fetch(address))
    except jwt.PyJWTError as error:
        raise ProviderAway(f"{address}: {error}") from error


def _named(keys: jwt.PyJWKSet, key_id: str | None) -> jwt.PyJWK | None:
    if key_id is None:
        return keys.keys[0] if len(keys.keys) == 1 else None
    return next((key for key in keys.keys if key.key_id == key_id), None)
