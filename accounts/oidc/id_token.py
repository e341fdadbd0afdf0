"""Is an ID token what was asked for? OpenID Connect Core 1.0, section 3.1.3.7, and nothing is left out.

The signature is checked although the token came straight from the provider: then one wrong answer of a proxy in
between, or of a name server, opens no account.
"""

import base64
import hashlib
import hmac
from typing import Any, Final

import jwt

from accounts.oidc.errors import AnswerRefused
from accounts.oidc.metadata import Metadata, key_for
from accounts.oidc.terms import Terms

#: How far two clocks may be apart.
LEEWAY_SECONDS: Final = 60
LONGEST_SUBJECT: Final = 255
NEEDED: Final = ("iss", "sub", "aud", "exp", "iat", "nonce")
_HALF_OF_HASH: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


def checked_claims(
    token: str, *, terms: Terms, metadata: Metadata, nonce: str, access_token: str
) -> dict[str, Any]:
    """The claims of a token that this provider made for us, for this very sign-in, and that is still good.

    Raises AnswerRefused with what is wrong, and ProviderAway where the keys cannot be had.
    """
    try:
        header = jwt.get_unverified_header(token)
        # What the token says of itself only chooses among what is accepted, and a key is for its own algorithm.
        algorithm = str(header.get("alg"))
        if algorithm not in metadata.algorithms:
            raise AnswerRefused(f"the ID token is signed with {algorithm}")
        key = key_for(header.get("kid"), metadata)
        if key is None:
            raise AnswerRefused(
                "the ID token is signed with a key that the provider does not publish"
            )
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key.key,
            algorithms=[algorithm],
            issuer=terms.issuer,
            audience=terms.client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": list(NEEDED)},
        )
    except (jwt.PyJWTError, RecursionError) as error:
        raise AnswerRefused(f"the ID token: {error}") from error
    _check_party(claims, terms)
    if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise AnswerRefused("the ID token was made for another sign-in")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or "\0" in subject:
        raise AnswerRefused("the ID token names nobody that can be kept")
    if "at_hash" in claims and claims["at_hash"] != _half_hash(access_token, algorithm):
        raise AnswerRefused("the access token is not the one that the ID token speaks of")
    return claims


def _check_party(claims: dict[str, Any], terms: Terms) -> None:
    """Who asked for it is us, however many others it is meant for as well."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    party = claims.get("azp")
    if (several and party is None) or (party is not None and party != terms.client_id):
        raise AnswerRefused("the ID token was made for another client")


def _half_hash(text: str, algorithm: str) -> str:
    """Left half of the hash, as section 3.1.3.6 says."""
    digest = _HALF_OF_HASH.get(algorithm[-3:], hashlib.sha512)(text.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
