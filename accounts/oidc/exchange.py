"""The two halves of the authorization code flow: where somebody is sent, and what comes back with them."""

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote_plus, urlencode, urlsplit

from allauth.socialaccount.internal import statekit
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from django.conf import settings
from django.urls import reverse

from accounts.oidc.claims import Identity, identity_of
from accounts.oidc.errors import AnswerRefused, Cancelled, ProviderAway
from accounts.oidc.fetching import fetch
from accounts.oidc.id_token import checked_claims
from accounts.oidc.metadata import Metadata, metadata_of
from audit.clock import database_now

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.oidc.terms import Terms

Errand = Literal["sign_in", "confirmation"]
STATE_BYTES: Final = 32


@dataclass(frozen=True)
class Return:
    """Somebody came back from the provider: who, what for, when they left by the database's clock in seconds
    since 1970, and where they want to go on to."""

    identity: Identity
    errand: Errand
    left_at: float
    next: str


def departure(request: "HttpRequest", terms: "Terms", *, errand: Errand, go_on: str) -> str:
    """Where to send the browser. State, nonce and PKCE's secret are kept in the session meanwhile, for ten
    minutes and one use. Raises ProviderAway."""
    metadata = metadata_of(terms)
    pkce = generate_code_challenge()
    nonce = secrets.token_urlsafe(STATE_BYTES)
    state = statekit.stash_state(
        request,
        provider_id=terms.issuer,
        state_id=secrets.token_urlsafe(STATE_BYTES),
        state={
            "errand": errand,
            "next": go_on,
            "nonce": nonce,
            "verifier": pkce["code_verifier"],
            "left_at": database_now().timestamp(),
        },
    )
    asked = {
        "response_type": "code",
        "client_id": terms.client_id,
        "redirect_uri": redirect_uri(),
        "scope": " ".join(terms.scopes),
        "state": state,
        "nonce": nonce,
        "code_challenge": pkce["code_challenge"].decode(),
        "code_challenge_method": pkce["code_challenge_method"],
    }
    if errand == "confirmation":
        asked |= {"prompt": "login", "max_age": "0"}
    joined = "&" if urlsplit(metadata.authorization).query else "?"
    return f"{metadata.authorization}{joined}{urlencode(asked)}"


def returned(request: "HttpRequest", terms: "Terms") -> Return:
    """Who came back. Raises Cancelled, AnswerRefused and ProviderAway; the state is spent in any case."""
    answer = request.GET
    state = statekit.unstash_state(
        request, provider_id=terms.issuer, state_id=answer.get("state", "")
    )
    if state is None:
        raise AnswerRefused("the state is unknown in this browser, spent or older than ten minutes")
    if "error" in answer:
        raise Cancelled(f"the provider said {answer['error'][:40]!r}")
    metadata = metadata_of(terms)
    # RFC 9207: the answer of one provider is not brought to another.
    named = answer.get("iss", None if metadata.names_issuer else terms.issuer)
    if named != terms.issuer:
        raise AnswerRefused("the answer is another provider's")
    if not answer.get("code"):
        raise AnswerRefused("there is no code")
    tokens = _tokens(terms, metadata, code=answer["code"], verifier=state["verifier"])
    claims = checked_claims(
        tokens["id_token"],
        terms=terms,
        metadata=metadata,
        nonce=state["nonce"],
        access_token=tokens["access_token"],
    )
    more = _userinfo(metadata, tokens["access_token"], claims["sub"])
    return Return(
        identity=identity_of(claims, more, terms),
        errand=state["errand"],
        left_at=state["left_at"],
        next=state["next"],
    )


def leaving(terms: "Terms") -> str:
    """Where the session at the provider is ended; empty where it offers none, or does not answer."""
    try:
        metadata = metadata_of(terms)
    except ProviderAway:
        return ""
    if not metadata.end_session:
        return ""
    back = settings.COUNTERSIGN.address + reverse("account_login")
    asked = urlencode({"client_id": terms.client_id, "post_logout_redirect_uri": back})
    joined = "&" if urlsplit(metadata.end_session).query else "?"
    return f"{metadata.end_session}{joined}{asked}"


def redirect_uri() -> str:
    """Where the provider sends people back to: of the public address, whatever host a request names."""
    return f"{settings.COUNTERSIGN.address}{reverse('oidc-callback')}"


def _tokens(terms: "Terms", metadata: Metadata, *, code: str, verifier: str) -> dict[str, str]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri(),
        "code_verifier": verifier,
    }
    # RFC 6749, section 2.3.1: both parts are form-encoded first.
    basic = (quote_plus(terms.client_id), quote_plus(terms.client_secret))
    if not metadata.basic:
        form |= {"client_id": terms.client_id, "client_secret": terms.client_secret}
    try:
        found = fetch(metadata.token, form=form, basic=basic if metadata.basic else None)
    except ProviderAway as away:
        if away.status != HTTPStatus.BAD_REQUEST:
            raise
        raise AnswerRefused("the provider does not take the code, or takes it no more") from None
    if not all(isinstance(found.get(name), str) for name in ("id_token", "access_token")):
        raise AnswerRefused("there is no ID token or no access token")
    return found


def _userinfo(metadata: Metadata, access_token: str, subject: str) -> dict[str, Any]:
    if not metadata.userinfo:
        return {}
    found = fetch(metadata.userinfo, bearer=access_token)
    # Core 1.0, section 5.3.2: else another's claims could be put in the place of these.
    if found.get("sub") != subject:
        raise AnswerRefused("the userinfo endpoint speaks of somebody else")
    return found
