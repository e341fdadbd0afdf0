"""Static files under ASGI, straight from their folders: no collecting, no thread, no database.

WhiteNoise's own middleware is synchronous; under ASGI it would put every page through one more
thread. Its file table and its answers (types, caching, ranges) are used here directly.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from wsgiref.headers import Headers

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.staticfiles import finders
from whitenoise import WhiteNoise

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_AGE_SECONDS = 60
# Of a request's headers these are all that an answer depends on.
CONDITIONS = (b"accept-encoding", b"if-modified-since", b"if-none-match", b"range")


class StaticFiles:
    """Answers requests below STATIC_URL from the files found at the start; passes the rest on."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.prefix = "/" + settings.STATIC_URL.strip("/") + "/"
        self.table = WhiteNoise(
            None,
            max_age=0 if settings.DEBUG else MAX_AGE_SECONDS,
            allow_all_origins=False,
            add_headers_function=_harden,
        )
        for finder in finders.get_finders():
            for name, storage in finder.list([]):
                url = self.prefix + name.replace("\\", "/")
                if url not in self.table.files:
                    self.table.add_file_to_dictionary(url, storage.path(name))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        found = self.table.files.get(path) if path.startswith(self.prefix) else None
        if found is None:
            await self.application(scope, receive, send)
            return
        conditions = {
            f"HTTP_{name.decode().upper().replace('-', '_')}": value.decode("latin-1")
            for name, value in scope["headers"]
            if name in CONDITIONS
        }
        status, headers, body = await sync_to_async(_answer, thread_sensitive=False)(
            found, scope["method"], conditions
        )
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _answer(
    file: Any, method: str, conditions: dict[str, str]
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Run in a thread of its own: the disk may be slow. Static files are small, so read whole."""
    answer = file.get_response(method, conditions)
    headers = [
        (name.lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in answer.headers
    ]
    if answer.file is None:
        return int(answer.status), headers, b""
    with answer.file:
        return int(answer.status), headers, answer.file.read()


def _harden(headers: Headers, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
