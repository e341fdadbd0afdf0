"""Request committed → hint received by a connected browser, over the real web process."""

import asyncio
import json
from time import monotonic_ns
from typing import Any
from uuid import uuid4

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from websockets.asyncio.client import ClientConnection, connect

from accounts.models import User
from approvals.schemas import Opening, Preview
from approvals.services.open_request import open_request
from approvals.vocabulary import Kind
from audit.actors import Actor

PATIENCE_SECONDS = 30


def session_cookie(user: User) -> str:
    """A signed-in session of the user, as a cookie header."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def measure(url: str, reviewer: User, *, sockets: int, requests: int) -> list[float]:
    """Milliseconds from each commit until each of the sockets has its hint."""
    return asyncio.run(_measure(url, session_cookie(reviewer), sockets, requests))


async def _measure(url: str, cookie: str, sockets: int, requests: int) -> list[float]:
    address = url.replace("http", "ws") + "/ws/inbox/"
    origin: Any = url
    clients = [
        await connect(address, additional_headers={"Cookie": cookie}, origin=origin)
        for _ in range(sockets)
    ]
    taken: list[float] = []
    # The first request only makes sure that every socket is subscribed.
    for number in range(requests + 1):
        waits = [asyncio.create_task(_hint(client)) for client in clients]
        await asyncio.sleep(0.2)
        committed = await sync_to_async(_open)(number)
        received = await asyncio.wait_for(asyncio.gather(*waits), PATIENCE_SECONDS)
        if number:
            taken.extend((moment - committed) / 1e6 for moment in received)
    for client in clients:
        await client.close()
    return taken


async def _hint(client: ClientConnection) -> int:
    async for message in client:
        if json.loads(message).get("topic") == "request":
            return monotonic_ns()
    raise ConnectionError("the socket was closed")


def _open(number: int) -> int:
    stamps: list[int] = []
    opening = Opening(
        kind=Kind.QUESTION,
        run_id=uuid4(),
        agent="marker",
        agent_version="sha256:" + "0" * 64,
        owner_group="benchmark",
        preview=Preview(title=f"Question {number}"),
        question={"question": "Well?", "schema": {"type": "string"}},
    )
    with transaction.atomic():
        transaction.on_commit(lambda: stamps.append(monotonic_ns()))
        open_request(opening=opening, actor=Actor.agent("marker"))
    return stamps[0]
