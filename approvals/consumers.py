"""The inbox socket: checks who is there, subscribes, hints. It takes no decisions."""

from __future__ import annotations

import asyncio
import logging
import random
from secrets import token_hex
from typing import Final
from urllib.parse import parse_qs
from uuid import UUID

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from structlog.contextvars import bind_contextvars

from accounts.callers import Caller
from accounts.hints import EVERYBODY, EVERYTHING, to_group, to_person, to_run, to_session
from accounts.models import User
from accounts.open_sessions import is_open, is_over
from accounts.session_uses import handle_of
from accounts.sessions import SessionStore
from approvals import ports
from approvals.hub import hub
from approvals.mailbox import Mailbox
from approvals.models import ApprovalRequest

#: Close code for somebody who is not signed in (any more).
SIGNED_OUT: Final = 4401
#: How often an open socket looks again at who its person is now.
ACCESS_SECONDS: Final = 30.0
SOONEST: Final = 0.8

log = logging.getLogger(__name__)


class InboxConsumer(AsyncWebsocketConsumer):
    """`/ws/inbox/`, optionally `?run=<id>` to follow one run: sends hints
    `{topic, id, version, kind}` of what the person may see."""

    access_seconds = ACCESS_SECONDS

    async def connect(self) -> None:
        """Let a signed-in person in; anybody else is told by close code 4401."""
        bind_contextvars(socket=token_hex(4))
        self.mailbox = Mailbox()
        self.tasks: list[asyncio.Task[None]] = []
        user = self.scope.get("user")
        self.user_id = user.pk if user is not None and user.is_authenticated else None
        audiences = await self._audiences()
        if audiences is None:
            # A close before the acceptance would reach the browser as a bare 1006.
            await self.accept()
            await self.close(code=SIGNED_OUT)
            return
        hub().join(self.mailbox, audiences)
        # Whoever hears "open" fetches what was missed: from then on, nothing may be.
        await hub().subscribed()
        await self.accept()
        loop = asyncio.get_running_loop()
        self.tasks = [loop.create_task(self._send()), loop.create_task(self._recheck())]

    async def disconnect(self, code: int) -> None:
        """Forget the socket."""
        hub().leave(self.mailbox)
        for task in self.tasks:
            task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing is taken from the browser here: what it wants to do, it posts."""

    async def _send(self) -> None:
        while True:
            hint = await self.mailbox.take()
            if hint["topic"] == "session":
                # Said to this session alone. Whether it has ended is looked up: a hint is no word to trust.
                if not await self._still_there():
                    return
                continue
            await self.send(text_data=orjson.dumps(hint).decode())

    async def _recheck(self) -> None:
        """Roles and groups change while a page is open; so do sessions end."""
        while True:
            # Sockets that were opened together, after a restart say, do not all ask together.
            await asyncio.sleep(self.access_seconds * random.uniform(SOONEST, 1))  # noqa: S311
            if not await self._still_there():
                return

    async def _still_there(self) -> bool:
        """Hear what the person may hear by now; a socket of nobody is closed."""
        audiences = await self._audiences()
        if audiences is None:
            await self.close(code=SIGNED_OUT)
            return False
        hub().join(self.mailbox, audiences)
        return True

    async def _audiences(self) -> frozenset[str] | None:
        if self.user_id is None:
            return None
        session = self.scope.get("session")
        key = getattr(session, "session_key", None)
        query = parse_qs(self.scope.get("query_string", b"").decode("ascii", "replace"))
        run = query.get("run", [""])[0]
        found: frozenset[str] | None = await audiences_of(self.user_id, key, run)
        return found


@database_sync_to_async
def audiences_of(user_id: int, key: str | None, run: str) -> frozenset[str] | None:
    """What the person may hear of; None when they are not signed in any more.

    The same words as `ApprovalRequest.objects.visible_to`: their own, their groups', or everything.
    """
    caller = _caller_of(user_id, key)
    if caller is None:
        return None
    user = caller.user
    audiences = {EVERYBODY, to_person(user.pk)}
    if key:
        audiences.add(to_session(handle_of(key)))
    audiences.update(to_group(pk) for pk in caller.group_ids)
    if user.has_perm("accounts.read_everything"):
        audiences.add(EVERYTHING)
    run_id = _uuid(run)
    if run_id is not None and _may_follow(user, run_id):
        audiences.add(to_run(run_id))
    return frozenset(audiences)


def _caller_of(user_id: int, key: str | None) -> Caller | None:
    """Who sits at the socket, in one statement where the session says so by itself; None when it is over."""
    session = SessionStore(key)
    known = session.known() if key else None
    if known is not None and known.user.pk == user_id:
        return None if is_over(session) else known.caller()
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or (key and not is_open(key, user)):
        return None
    return Caller.of_session(user)


def _may_follow(user: User, run_id: UUID) -> bool:
    """Whoever may see the run, wherever it goes on, or a request of it."""
    requests = ApprovalRequest.objects.visible_to(user).filter(run_id=run_id)
    return ports.runs().may_see(user, run_id) or requests.exists()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
