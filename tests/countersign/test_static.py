"""Static files under ASGI."""

from collections.abc import MutableMapping
from typing import Any

import pytest
from django.contrib.staticfiles import finders

from countersign.static import StaticFiles

Sent = list[MutableMapping[str, Any]]


async def application(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"a page"})


async def ask(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent: Sent = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": path,
        "method": method,
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }
    await StaticFiles(application)(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message["body"] for message in sent[1:])


async def test_a_file_is_served_as_it_lies_there() -> None:
    status, headers, body = await ask("/static/css/tokens.css")
    path = finders.find("css/tokens.css")
    assert isinstance(path, str)
    with open(path, "rb") as file:  # noqa: ASYNC230, PTH123
        assert (status, body) == (200, file.read())
    assert headers["content-type"].startswith("text/css")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "max-age=60, public"
    assert "access-control-allow-origin" not in headers


async def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    _, headers, _ = await ask("/static/css/tokens.css")
    status, _, body = await ask(
        "/static/css/tokens.css", if_modified_since=headers["last-modified"]
    )
    assert (status, body) == (304, b"")


async def test_a_head_request_gets_no_body() -> None:
    status, headers, body = await ask("/static/css/tokens.css", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


async def test_nothing_is_written_to_static_files() -> None:
    status, _, _ = await ask("/static/css/tokens.css", "POST")
    assert status == 405


@pytest.mark.parametrize(
    "path", ["/static/nothing.css", "/static/../countersign/settings.py", "/static/", "/inbox/"]
)
async def test_everything_else_goes_to_the_application(path: str) -> None:
    status, _, body = await ask(path)
    assert (status, body) == (299, b"a page")
