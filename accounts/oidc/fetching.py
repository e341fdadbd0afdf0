"""One request to the identity provider: no redirect is followed, and no answer is longer than it may be."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import requests

from accounts.oidc.errors import ProviderAway
from accounts.oidc.terms import is_safe
from audit.canonical import MalformedJson, loads_strict

TIMEOUT_SECONDS: Final = 5
MOST_BYTES: Final = 1_000_000
PIECE_BYTES: Final = 65_536


def fetch(
    address: str,
    *,
    form: Mapping[str, str] | None = None,
    bearer: str = "",
    basic: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """The JSON object at the address; posted to where a form is given. Raises ProviderAway.

    Nothing that was sent or answered stands in the words of the error: both hold secrets.
    """
    if not is_safe(address):
        raise ProviderAway(f"{address} is neither https nor this machine")
    headers = {"Accept": "application/json"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    try:
        with requests.Session() as session:
            # Neither a proxy nor a .netrc of the environment speaks for us here.
            session.trust_env = False
            with session.request(
                "GET" if form is None else "POST",
                address,
                data=form,
                headers=headers,
                auth=basic,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as answer:
                if answer.status_code != HTTPStatus.OK:
                    raise ProviderAway(
                        f"{address} answered {answer.status_code}", status=answer.status_code
                    )
                found = loads_strict(_body(answer, address))
    except (requests.RequestException, MalformedJson) as error:
        raise ProviderAway(f"{address}: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise ProviderAway(f"{address} answered no JSON object")
    return found


def _body(answer: requests.Response, address: str) -> bytes:
    body = bytearray()
    # What was compressed counts as what it becomes.
    for piece in answer.iter_content(PIECE_BYTES):
        body += piece
        if len(body) > MOST_BYTES:
            raise ProviderAway(f"{address} answered more than {MOST_BYTES} bytes")
    return bytes(body)
