"""The beginning and the end of a web process, as its server tells them."""

from __future__ import annotations

from asgiref.sync import sync_to_async

from audit import tracing
from countersign.body_limit import Receive, Scope, Send
from countersign.requests import WEB


class Lifespan:
    """Begins to collect spans in the process that answers, which may be a fork of the one that loaded the code, and
    sends the last spans when the server ends: by then it answers nobody any more, and it ends by the signal that
    it got, without what Python does at an exit."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                tracing.begin(WEB)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await sync_to_async(tracing.end, thread_sensitive=False)()
                await send({"type": "lifespan.shutdown.complete"})
                return
