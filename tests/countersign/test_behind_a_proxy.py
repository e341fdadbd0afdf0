"""The web process as it stands on the internet: behind a proxy that ends TLS, at a public address."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from accounts.models import User
from accounts.services.create_token import create_token
from audit.actors import Actor
from tests.harness.people import PASSWORD
from tests.harness.stack import Stack

HOST = "countersign.example"
YEAR = "max-age=31536000; includeSubDomains; preload"


class Visitor:
    """A browser behind the proxy. It keeps cookies, and what each answer set stands in `given`."""

    def __init__(self, site: Stack) -> None:
        self.site = site
        self.kept: dict[str, str] = {}
        self.given: SimpleCookie = SimpleCookie()

    def ask(
        self,
        path: str,
        form: dict[str, str] | None = None,
        *,
        method: str = "",
        scheme: str = "https",
        **headers: str,
    ) -> tuple[int, http.client.HTTPMessage, str]:
        line = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=30)
        sent = {
            "Host": HOST,
            "X-Forwarded-For": "203.0.113.9",
            "X-Forwarded-Proto": scheme,
            "Origin": f"https://{HOST}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.kept.items()),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        body = None
        if form is not None:
            page = self.ask("/accounts/login/")[2]
            (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1])
            body = urlencode({"csrfmiddlewaretoken": token, **form})
            sent |= {"Content-Type": "application/x-www-form-urlencoded"}
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.kept.items())
        line.request(method or ("GET" if form is None else "POST"), path, body, sent)
        answer = line.getresponse()
        text = answer.read().decode()
        self.given = SimpleCookie()
        for each in answer.headers.get_all("Set-Cookie") or ():
            self.given.load(each)
        for name, morsel in self.given.items():
            self.kept[name] = morsel.value
        line.close()
        return answer.status, answer.headers, text

    def marks(self, name: str) -> tuple[Any, ...]:
        """How a cookie was set: secure, hidden from scripts, and for whom."""
        set_to = self.given[name]
        return (
            bool(set_to["secure"]),
            bool(set_to["httponly"]),
            set_to["samesite"],
            set_to["path"],
            set_to["domain"],
        )


def test_over_https_everything_is_bound_to_this_host_and_nothing_goes_in_the_clear(
    stack: Callable[..., Stack], reviewer: User
) -> None:
    site = stack(seeded=False, base_url=f"https://{HOST}").run("web")
    site.wait_for(lambda: "web" not in site.missing(), 60, "the web process answers")
    visitor = Visitor(site)

    status, headers, _ = visitor.ask("/accounts/login/")
    assert (status, headers["Strict-Transport-Security"]) == (200, YEAR)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    for directive in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in policy
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Server" not in headers
    ours_alone = (True, True, "Lax", "/", "")
    assert visitor.marks("__Host-csrftoken") == ours_alone

    # Somebody else's session, planted before, is not the one that is signed in.
    visitor.kept["__Host-sessionid"] = planted = "a" * 32
    form = {"login": "reviewer", "password": PASSWORD}
    assert visitor.ask("/accounts/login/", form)[0] == 302
    assert visitor.marks("__Host-sessionid") == ours_alone
    first = visitor.kept["__Host-sessionid"]
    assert first != planted
    status, headers, _ = visitor.ask("/settings/")
    assert (status, headers["Cache-Control"]) == (200, "private, no-store")
    assert visitor.ask("/theme", {"theme": "dark"})[0] == 302
    assert visitor.marks("__Host-theme") == (True, False, "Lax", "/", "")
    assert 'data-theme="dark"' in visitor.ask("/settings/")[2]
    assert visitor.ask("/language/", {"language": "de"})[0] == 302
    assert visitor.marks("__Host-language") == ours_alone
    assert not any(name for name in visitor.kept if not name.startswith("__Host-"))

    # A form of another site, and one without its token.
    evil = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}
    assert visitor.ask("/theme", {"theme": "light"}, **evil)[0] == 403
    assert visitor.ask("/theme", method="POST")[0] == 403

    # In the clear: people are led to https, programs are told and not led on.
    status, headers, _ = visitor.ask("/settings/", scheme="http")
    assert (status, headers["Location"]) == (301, f"https://{HOST}/settings/")
    made = create_token(person=reviewer, name="program", caller=Actor.system("test"))
    bearer = {"Authorization": f"Bearer {made.bearer}"}
    status, headers, text = visitor.ask("/api/v1/approvals", scheme="http", **bearer)
    assert (status, headers["Location"]) == (403, None)
    assert '"https_required"' in text
    assert visitor.ask("/api/v1/approvals", **bearer)[0] == 200

    # What whoever asks says of the host, or of other methods, is not believed or done.
    assert visitor.ask("/accounts/login/", Host="evil.example")[0] == 400
    status, _, text = visitor.ask("/accounts/login/", X_Forwarded_Host="evil.example")
    assert (status, "evil.example" in text) == (200, False)
    assert visitor.ask("/settings/", method="TRACE")[0] in (400, 405)

    # The first session is worth nothing once it was left, wherever its cookie is.
    thief = Visitor(site)
    thief.kept = {"__Host-sessionid": first}
    assert thief.ask("/settings/")[0] == 200
    assert visitor.ask("/accounts/logout/", {})[0] == 302
    assert thief.ask("/settings/")[0] == 302
