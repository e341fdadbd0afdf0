"""The three doors to a decision: the page, the API with a session, the API with a token.

Each is gone through as its clients do: real middleware, CSRF enforced, bodies as bytes.
"""

from __future__ import annotations

import html
import json
import re
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.middleware.csrf import CSRF_SECRET_LENGTH
from django.test import Client
from django.utils.crypto import get_random_string

from accounts.models import User
from accounts.services.create_token import create_token
from approvals.models import ApprovalRequest
from audit.actors import Actor

#: What each verdict is sent with.
VERDICTS: dict[str, dict[str, Any]] = {
    "approve": {},
    "edit": {"arguments": {"order": "10291", "amount": "15.00", "note": "broken"}},
    "reject": {"reason": "no"},
    "send_back": {"reason": "no"},
    "stop": {"reason": "no"},
}
#: What each refusal says to a person, by the code that programs get.
SAYS = {
    "already_decided": "This request was already closed",
    "already_voted": "You have approved this already",
    "bad_body": "",
    "content_changed": "This request changed since you opened it",
    "deadline_passed": "The time to decide this was over",
    "edit_denied": "policy denies",
    "extension_limit": "",
    "invalid_request": "The form was not whole",
    "nonce_reused": "This nonce was used for another decision",
    "not_in_groups": "This is for",
    "not_open": "",
    "nothing_to_undo": "",
    "own_edit": "You changed these arguments, so somebody else must approve",
    "own_request": "You started this run, so somebody else must decide",
    "permission_missing": "",
    "second_factor_required": "This request asks for a second factor",
    "sensitive_hidden": "You may not see all arguments",
    "verdict_not_offered": "takes",
}
STATUS = {
    **dict.fromkeys(
        ("not_in_groups", "own_edit", "own_request", "permission_missing", "sensitive_hidden"), 403
    ),
    "second_factor_required": 403,
    **dict.fromkeys(
        (
            *("bad_body", "edit_denied", "invalid_request", "nonce_reused"),
            "verdict_not_offered",
        ),
        422,
    ),
}


@dataclass(frozen=True)
class Seen:
    """What a decision brings back of what was shown, and its nonce."""

    revision: int
    digest: str
    shown_sha256: str
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, request: ApprovalRequest) -> Seen:
        """As the request stands in the object at hand."""
        return cls(request.revision, request.digest, request.shown_sha256)

    def fields(self) -> dict[str, Any]:
        """As fields of a body."""
        return dict(vars(self))


@dataclass(frozen=True)
class Answer:
    """What came back: `code` and `params` by the API only; `text` as a person would read it."""

    status: int
    text: str
    code: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def taken(self) -> bool:
        """Whether it did what was asked."""
        return self.status in (200, 201, 204, 303)

    def refused(self, *codes: str) -> None:
        """Fail unless it is this refusal (or one of these), by status and in words or by code."""
        assert not self.taken, self.text[:400]
        if self.code:
            assert self.code in codes, (self.code, self.text[:400])
            assert self.status == STATUS.get(self.code, 409)
            return
        fits = [
            code
            for code in codes
            if STATUS.get(code, 409) == self.status and SAYS[code] in self.text
        ]
        assert fits, (self.status, self.text[:2_000])

    def unknown(self) -> None:
        """Fail unless it says that there is no such request."""
        assert self.status == 404, (self.status, self.text[:400])
        assert self.code in ("", "request_unknown")

    def shut_out(self) -> None:
        """Fail unless whoever asked was not let in at all."""
        assert self.status == 401, (self.status, self.text[:400])

    def names(self, *words: str) -> None:
        """Fail unless each of these can be read in it."""
        for word in words:
            assert word in self.text, (word, self.text[:2_000])


class Door(ABC):
    """One person's way in, which stays open: what they were when they came is not what they are now."""

    kind: ClassVar[str]

    def __init__(self, person: User) -> None:
        self.person = person
        self.client = Client(enforce_csrf_checks=True)

    @abstractmethod
    def read(self, request: ApprovalRequest) -> Seen:
        """Open the request and give what a decision brings back, as this door shows it."""

    @abstractmethod
    def decide(self, request_id: UUID, seen: Seen, verdict: str = "approve", **body: Any) -> Answer:
        """Send a verdict."""

    @abstractmethod
    def do(self, request_id: UUID, act: str, **body: Any) -> Answer:
        """`undo`, `claim`, `take_over`, `release`, `extend` or `comment`."""

    @abstractmethod
    def look(self, request_id: UUID) -> Answer:
        """Open the request."""

    def through(self, request: ApprovalRequest, verdict: str = "approve", **body: Any) -> Answer:
        """Decide on the request as the object at hand shows it."""
        return self.decide(request.pk, Seen.of(request), verdict, **body)


class _Form(HTMLParser):
    """The fields of the form in which a verdict is given."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._inside = given.get("id") == "decide-form"
        if tag == "input" and self._inside and "name" in given:
            self.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class PageDoor(Door):
    """A browser without JavaScript."""

    kind = "page"

    def __init__(self, person: User) -> None:
        super().__init__(person)
        self.client.force_login(
            person, backend="allauth.account.auth_backends.AuthenticationBackend"
        )
        self.csrf = _csrf_of(self.client)

    def read(self, request: ApprovalRequest) -> Seen:
        page = self.look(request.pk)
        given = _Form(page.document["html"]).fields
        if "nonce" not in given:
            return Seen.of(request)
        names = ("digest", "shown_sha256", "nonce")
        return Seen(int(given["revision"]), *(given[name] for name in names))

    def decide(self, request_id: UUID, seen: Seen, verdict: str = "approve", **body: Any) -> Answer:
        posted = {"verdict": verdict, "tab": "team", **seen.fields(), **_as_fields(body)}
        return self._post(request_id, "decide", posted)

    def do(self, request_id: UUID, act: str, **body: Any) -> Answer:
        address, more = {
            "undo": ("undo", {}),
            "claim": ("claim", {"renew": "1"}),
            "take_over": ("claim", {}),
            "release": ("claim", {"release": "1"}),
            "extend": ("extend", body),
            "comment": ("comments", {"text": body.get("body", "")}),
        }[act]
        return self._post(request_id, address, more)

    def look(self, request_id: UUID) -> Answer:
        return self._answer(self.client.get(f"/requests/{request_id}/"))

    def _post(self, request_id: UUID, address: str, posted: dict[str, Any]) -> Answer:
        posted = {"csrfmiddlewaretoken": self.csrf, **posted}
        return self._answer(self.client.post(f"/requests/{request_id}/{address}/", posted))

    def _answer(self, response: Any) -> Answer:
        if response.status_code == 302:
            signed_out = "/login" in response["Location"]
            return Answer(401 if signed_out else 303, response["Location"])
        page = response.content.decode()
        text = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))
        return Answer(response.status_code, text, document={"html": page})


class ApiDoor(Door):
    """A program."""

    headers: dict[str, str]

    def read(self, request: ApprovalRequest) -> Seen:
        document = self.look(request.pk).document
        if "digest" not in document:
            return Seen.of(request)
        return Seen(document["revision"], document["digest"], document["shown_sha256"])

    def decide(self, request_id: UUID, seen: Seen, verdict: str = "approve", **body: Any) -> Answer:
        return self.send(request_id, "decisions", {"verdict": verdict, **seen.fields(), **body})

    def send(self, request_id: UUID, path: str, body: dict[str, Any] | bytes) -> Answer:
        """Post a body, as it is where it is bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._answer(
            self.client.post(
                f"/api/v1/approvals/{request_id}/{path}",
                data,
                content_type="application/json",
                headers=self.headers,
            )
        )

    def do(self, request_id: UUID, act: str, **body: Any) -> Answer:
        if act == "release":
            return self._answer(
                self.client.delete(f"/api/v1/approvals/{request_id}/claim", headers=self.headers)
            )
        path = {"take_over": "claim?take_over=true", "comment": "comments"}.get(act, act)
        return self.send(request_id, path, body)

    def look(self, request_id: UUID) -> Answer:
        return self._answer(
            self.client.get(f"/api/v1/approvals/{request_id}", headers=self.headers)
        )

    def _answer(self, response: Any) -> Answer:
        document = json.loads(response.content) if response.content else {}
        return Answer(
            response.status_code,
            json.dumps(document, ensure_ascii=False),
            document.get("code", "") if response.status_code >= 400 else "",
            document.get("params", {}) if response.status_code >= 400 else {},
            document,
        )


class SessionDoor(ApiDoor):
    """The API from a page: the session's cookie and a CSRF token."""

    kind = "session"

    def __init__(self, person: User) -> None:
        super().__init__(person)
        self.client.force_login(
            person, backend="allauth.account.auth_backends.AuthenticationBackend"
        )
        self.headers = {"X-CSRFToken": _csrf_of(self.client)}


class TokenDoor(ApiDoor):
    """The API with a bearer token that carries every scope that the account can use."""

    kind = "token"

    def __init__(self, person: User, *scopes: str) -> None:
        super().__init__(person)
        made = create_token(
            person=person,
            name=uuid.uuid4().hex,
            scopes=scopes or None,
            caller=Actor.system("tests"),
        )
        self.token = made.token
        self.headers = {"Authorization": f"Bearer {made.bearer}"}


DOORS: tuple[type[Door], ...] = (PageDoor, SessionDoor, TokenDoor)


def _csrf_of(client: Client) -> str:
    """The secret of a cookie that a page seen earlier has set."""
    secret = get_random_string(CSRF_SECRET_LENGTH)
    client.cookies[settings.CSRF_COOKIE_NAME] = secret
    return secret


def _as_fields(body: dict[str, Any]) -> dict[str, Any]:
    """A body as a form posts it: each argument is a field of its own."""
    fields = {name: value for name, value in body.items() if name != "arguments"}
    for name, value in (body.get("arguments") or {}).items():
        fields[f"arguments.{name}"] = (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        )
    return fields
