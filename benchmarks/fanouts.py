"""What hints are measured beside, each an ASGI application of its own: the stock Channels layer, and a bare fan-out.

`uvicorn benchmarks.fanouts:stock` and `uvicorn benchmarks.fanouts:bare`; `REDIS_URL` says where.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from redis.asyncio import Redis

GROUP: Final = "inbox"
CHANNEL: Final = "benchmark:bare"
LAYER: Final = {
    "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "CONFIG": {"hosts": [os.environ.get("REDIS_URL", "")]},
}

Send = Callable[[dict[str, Any]], Awaitable[None]]

if not settings.configured:
    settings.configure(CHANNEL_LAYERS={"default": LAYER})


class Stock(AsyncWebsocketConsumer):
    """As the manual of Channels has it: each socket is a member of a group."""

    groups = [GROUP]

    async def hint(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])


stock = Stock.as_asgi()
_sends: set[Send] = set()
_listening: list[asyncio.Task[None]] = []


async def bare(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    """One subscription, and every message to every socket: nobody is asked who they are, nothing is bounded."""
    await receive()
    if not _listening:
        ready = asyncio.Event()
        _listening.append(asyncio.create_task(_listen(ready)))
        await ready.wait()
    await send({"type": "websocket.accept"})
    _sends.add(send)
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        _sends.discard(send)


async def _listen(ready: asyncio.Event) -> None:
    async with (
        Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None) as client,
        client.pubsub() as pubsub,
    ):
        await pubsub.subscribe(CHANNEL)
        ready.set()
        async for message in pubsub.listen():
            if message["type"] == "message":
                text = message["data"].decode()
                for send in list(_sends):
                    await send({"type": "websocket.send", "text": text})
