"""`python -m tests.harness.provider_process CLIENT_SECRET`: an OpenID Connect provider on a port that it prints.

oidc-provider-mock, and around it what that leaves out: PKCE and the client's secret are checked, and `auth_time` is
said. Told to lie, it sends what an attacker or a broken provider would: `claims` (None takes one out), `alg`, `key`
("other", "secret", "public", "none"), `header`, `userinfo`, `metadata`, `token_status`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import flask
import jwt
import oidc_provider_mock
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from oidc_provider_mock._storage import storage
from werkzeug.serving import make_server

STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """What it was told and asked."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.knobs: dict[str, Any] = {}
        self.seen: list[dict[str, str]] = []
        self.challenges: dict[str, str] = {}

    def set_knobs(self) -> tuple[str, int]:
        self.knobs = flask.request.get_json()
        self.seen = []
        return "", HTTPStatus.NO_CONTENT

    def get_seen(self) -> Any:
        return flask.jsonify(self.seen)

    def check_client(self) -> Any:
        """Who exchanges a code is the client, and whoever the code was made for."""
        if flask.request.path != "/oauth2/token":
            return None
        if "token_status" in self.knobs:
            return {"error": "server_error"}, self.knobs["token_status"]
        form, basic = flask.request.form, flask.request.authorization
        secret = unquote_plus(basic.password or "") if basic else form.get("client_secret")
        known = self.challenges.get(form.get("code", ""))
        if secret != self.secret or _challenge(form.get("code_verifier", "")) != known:
            return {"error": "invalid_grant"}, HTTPStatus.BAD_REQUEST
        return None

    def tamper(self, answer: Any) -> Any:
        """Note what was asked, and change the answer as told."""
        path = flask.request.path
        if path == "/oauth2/authorize" and "Location" in answer.headers:
            self._note(answer.headers["Location"])
        elif answer.status_code == HTTPStatus.OK and path in self._changes:
            answer.set_data(json.dumps(self._changes[path](answer.get_json())))
        return answer

    @property
    def _changes(self) -> dict[str, Any]:
        return {
            "/.well-known/openid-configuration": lambda it: {
                **it,
                **self.knobs.get("metadata", {}),
            },
            "/userinfo": lambda it: {**it, **self.knobs.get("userinfo", {})},
            "/oauth2/token": self._tokens,
        }

    def _note(self, location: str) -> None:
        asked = dict(flask.request.args)
        self.seen.append(asked)
        for code in parse_qs(urlsplit(location).query).get("code", ()):
            self.challenges[code] = asked.get("code_challenge", "")

    def _tokens(self, tokens: dict[str, Any]) -> dict[str, Any]:
        claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
        claims = _changed({"auth_time": int(time.time()), **claims}, self.knobs.get("claims", {}))
        header = jwt.get_unverified_header(tokens["id_token"])
        header = _changed({"kid": header.get("kid")}, self.knobs.get("header", {}))
        return {**tokens, "id_token": self._signed(claims, header)}

    def _signed(self, claims: dict[str, Any], header: dict[str, Any]) -> str:
        public = jwt.PyJWK(storage.jwk.as_dict(is_private=False), algorithm="RS256").key
        which = self.knobs.get("key")
        if which == "public":
            # PyJWT would not do it; whoever hopes that one key serves two algorithms does.
            return _by_hand(
                claims, header, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            )
        keys = {"other": STRANGER, "secret": self.secret, "none": None}
        own = jwt.PyJWK(storage.jwk.as_dict(is_private=True), algorithm="RS256").key
        return jwt.encode(
            claims, keys.get(which, own), algorithm=self.knobs.get("alg", "RS256"), headers=header
        )


def _changed(what: Mapping[str, Any], by: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**what, **by}.items() if value is not None}


def _by_hand(claims: dict[str, Any], header: dict[str, Any], key: bytes) -> str:
    parts = [{"alg": "HS256", "typ": "JWT", **header}, claims]
    text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    return f"{text}.{_base64(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def _challenge(verifier: str) -> str:
    return _base64(hashlib.sha256(verifier.encode()).digest())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _end_with_parent() -> None:
    """The standard input ends with whoever holds its other end."""
    with suppress(OSError):
        sys.stdin.read()
    os._exit(0)


def serve(secret: str) -> None:
    """Serve until whoever started this is gone."""
    provider, app = Provider(secret), oidc_provider_mock.app()
    app.put("/knobs")(provider.set_knobs)
    app.get("/seen")(provider.get_seen)
    app.before_request(provider.check_client)
    app.after_request(provider.tamper)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1])
