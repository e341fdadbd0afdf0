"""Live hints: they arrive, say nothing, and reach nobody else."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from redis import Redis

from accounts.callers import Caller
from accounts.hints import CHANNEL, EVERYBODY, publish, to_session
from accounts.models import SignedIn, User
from accounts.services.end_sessions import end_session
from accounts.session_uses import handle_of
from accounts.sessions import BACKEND, SessionStore
from approvals import hub as hubs
from approvals.consumers import InboxConsumer, audiences_of
from approvals.mailbox import RESYNC, Mailbox
from approvals.models import ApprovalRequest
from approvals.services.claim import claim
from approvals.services.decide import decide
from countersign.asgi import application as whole_application
from tests.approvals.conftest import Opener
from tests.approvals.till import Till, by, verdict_on

pytestmark = pytest.mark.django_db(transaction=True)

#: Longer than a hint ever takes; only a failing test waits for so long.
PATIENCE = 10


class Socket:
    """One browser's socket to the inbox."""

    def __init__(self, communicator: ApplicationCommunicator) -> None:
        self.communicator = communicator

    async def next(self) -> dict[str, Any]:
        """The next message: a hint, or what the protocol says."""
        message = await self.communicator.receive_output(timeout=PATIENCE)
        if message["type"] == "websocket.send":
            hint: dict[str, Any] = json.loads(message["text"])
            return hint
        return dict(message)

    async def until(self, topic: str, name: str) -> list[dict[str, Any]]:
        """All hints up to the one about this."""
        heard = [await self.next()]
        while (heard[-1].get("topic"), heard[-1].get("id")) != (topic, name):
            heard.append(await self.next())
        return heard


@asynccontextmanager
async def socket(
    user: User | AnonymousUser, *, query: str = "", session: Any = None
) -> AsyncIterator[Socket]:
    scope = {
        "type": "websocket",
        "path": "/ws/inbox/",
        "query_string": query.encode(),
        "headers": [],
        "user": user,
        "session": session,
    }
    communicator = ApplicationCommunicator(InboxConsumer.as_asgi(), scope)
    await communicator.send_input({"type": "websocket.connect"})
    opened = Socket(communicator)
    assert (await opened.next())["type"] == "websocket.accept"
    yield opened
    await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.wait(timeout=PATIENCE)


def marker(user: User) -> str:
    """Publish a hint to one person alone; whatever they were to hear before is before it."""
    mark = uuid.uuid4().hex
    hint: Any = {"topic": "run", "id": mark, "version": 1, "kind": "marker"}
    publish([f"person:{user.pk}"], hint)
    return mark


Aloud = Callable[..., Any]


@pytest.fixture
def aloud() -> Aloud:
    """Run a synchronous function from an asynchronous test."""
    return lambda function, *args, **kwargs: sync_to_async(function)(*args, **kwargs)


async def test_a_new_request_is_hinted_to_its_people_and_to_nobody_else(
    opened: Opener,
    aloud: Aloud,
    reviewer: User,
    operator: User,
    auditor: User,
    outsider: User,
) -> None:
    people = (reviewer, operator, auditor, outsider)
    async with (
        socket(reviewer) as to_reviewer,
        socket(operator) as to_operator,
        socket(auditor) as to_auditor,
        socket(outsider) as to_outsider,
    ):
        request = await aloud(opened)
        sockets = (to_reviewer, to_operator, to_auditor, to_outsider)
        for user, one in zip(people, sockets, strict=True):
            mark = await aloud(marker, user)
            heard = [h["id"] for h in await one.until("run", mark)]
            assert heard == ([mark] if user is outsider else [str(request.pk), mark])


async def test_a_hint_carries_no_content(opened: Opener, aloud: Aloud, reviewer: User) -> None:
    async with socket(reviewer) as one:
        request = await aloud(opened)
        assert await one.next() == {
            "topic": "request",
            "id": str(request.pk),
            "version": 1,
            "kind": "opened",
        }


async def test_content_in_a_published_hint_goes_no_further(
    aloud: Aloud, reviewer: User, redis_client: Redis
) -> None:
    async with socket(reviewer) as one:
        hint = {"topic": "run", "id": "1", "version": 1, "kind": "x", "title": "secret"}
        message = json.dumps({"to": [f"person:{reviewer.pk}"], "hint": hint})
        await aloud(redis_client.publish, CHANNEL, "not json")
        await aloud(redis_client.publish, CHANNEL, '{"to": 5}')
        await aloud(redis_client.publish, CHANNEL, message)
        assert set(await one.next()) == {"topic", "id", "version", "kind"}


async def test_every_change_of_a_request_is_hinted(
    opened: Opener, aloud: Aloud, reviewer: User, second_reviewer: User
) -> None:
    async with socket(second_reviewer) as one:
        request = await aloud(opened)
        await aloud(lambda: claim(request_id=request.pk, caller=by(reviewer)))
        await aloud(
            lambda: decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
        )
        kinds, versions = [], []
        while "decided" not in kinds:
            hint = await one.next()
            kinds.append(hint["kind"])
            versions.append(hint["version"])
        assert versions == sorted(versions)
        row = await aloud(ApprovalRequest.objects.get, pk=request.pk)
        assert versions[-1] == row.version


async def test_an_idle_socket_still_gets_its_hint(
    opened: Opener, aloud: Aloud, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LISTEN_SECONDS", 0.05)
    monkeypatch.setattr(InboxConsumer, "access_seconds", 0.05)
    idle_for = asyncio.Event()
    pings = 0
    ping = hubs.PubSub.ping

    async def counted(self: Any, message: Any = None) -> Any:
        nonlocal pings
        pings += 1
        if pings == 8:
            idle_for.set()
        return await ping(self, message)

    monkeypatch.setattr(hubs.PubSub, "ping", counted)
    async with socket(reviewer) as one:
        await asyncio.wait_for(idle_for.wait(), PATIENCE)
        request = await aloud(opened)
        assert (await one.next())["id"] == str(request.pk)


async def test_sockets_fetch_anew_after_the_subscription_was_cut(
    opened: Opener, aloud: Aloud, reviewer: User, redis_client: Redis
) -> None:
    async with socket(reviewer) as one:
        killed = await aloud(redis_client.client_kill_filter, _type="pubsub")
        assert killed == 1
        assert await one.next() == RESYNC
        request = await aloud(opened)
        assert (await one.next())["id"] == str(request.pk)


async def test_a_redis_that_falls_silent_is_noticed(
    aloud: Aloud, reviewer: User, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LISTEN_SECONDS", 0.05)
    swallowed = 0

    async def lost(_self: Any, message: Any = None) -> None:
        nonlocal swallowed
        swallowed += 1

    with monkeypatch.context() as patched:
        patched.setattr(hubs.PubSub, "ping", lost)
        async with socket(reviewer) as one:
            assert await one.next() == RESYNC
    assert swallowed


async def test_nobody_anonymous_listens() -> None:
    async with socket(AnonymousUser()) as one:
        assert await one.next() == {"type": "websocket.close", "code": 4401}


async def test_a_deactivated_person_is_put_out(
    aloud: Aloud, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InboxConsumer, "access_seconds", 0.05)
    async with socket(reviewer) as one:
        await aloud(User.objects.filter(pk=reviewer.pk).update, is_active=False)
        assert await one.next() == {"type": "websocket.close", "code": 4401}


async def test_a_session_that_ended_is_put_out(
    aloud: Aloud, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InboxConsumer, "access_seconds", 0.05)
    session = await aloud(signed_in, reviewer)
    async with socket(reviewer, session=session) as one:
        mark = await aloud(marker, reviewer)
        assert [hint["id"] for hint in await one.until("run", mark)] == [mark]
        await aloud(SessionStore(session.session_key).delete)
        assert await one.next() == {"type": "websocket.close", "code": 4401}


async def test_the_socket_of_a_session_that_is_ended_elsewhere_is_closed_at_once(
    aloud: Aloud, reviewer: User
) -> None:
    assert InboxConsumer.access_seconds > PATIENCE
    one, other = [await aloud(signed_in, reviewer) for _ in range(2)]
    for session in (one, other):
        await aloud(SignedIn.objects.create, session_id=session.session_key, user=reviewer)
    async with (
        socket(reviewer, session=one) as ended,
        socket(reviewer, session=other) as kept,
    ):
        # Somebody who only says so closes nothing.
        handle = handle_of(str(one.session_key))
        hint: Any = {"topic": "session", "id": handle, "version": 0, "kind": "ended"}
        await aloud(publish, [to_session(handle)], hint)
        mark = await aloud(marker, reviewer)
        assert await ended.until("run", mark) == await kept.until("run", mark)
        await aloud(end_session, handle=handle, caller=Caller.of_session(reviewer))
        assert await ended.next() == {"type": "websocket.close", "code": 4401}
        mark = await aloud(marker, reviewer)
        assert [hint["id"] for hint in await kept.until("run", mark)] == [mark]


async def test_a_changed_password_puts_out_who_is_signed_in_elsewhere(
    aloud: Aloud, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InboxConsumer, "access_seconds", 0.05)
    session = await aloud(signed_in, reviewer)
    async with socket(reviewer, session=session) as one:
        mark = await aloud(marker, reviewer)
        assert [hint["id"] for hint in await one.until("run", mark)] == [mark]
        reviewer.set_password("another long and quiet password")
        await aloud(reviewer.save)
        assert await one.next() == {"type": "websocket.close", "code": 4401}


def signed_in(user: User) -> SessionStore:
    """The session of somebody who signed in."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return session


async def test_who_left_the_groups_hears_no_more_of_them(
    opened: Opener, aloud: Aloud, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InboxConsumer, "access_seconds", 0.05)
    joined = asyncio.Event()
    join = hubs.Hub.join

    def noted(self: hubs.Hub, mailbox: Mailbox, audiences: Any) -> None:
        join(self, mailbox, audiences)
        if audiences == {EVERYBODY, f"person:{reviewer.pk}"}:
            joined.set()

    monkeypatch.setattr(hubs.Hub, "join", noted)
    async with socket(reviewer) as one:
        await aloud(reviewer.memberships.all().delete)
        await asyncio.wait_for(joined.wait(), PATIENCE)
        await aloud(opened)
        mark = await aloud(marker, reviewer)
        assert [hint["id"] for hint in await one.until("run", mark)] == [mark]


async def test_a_run_is_followed_only_through_a_request_that_one_may_see(
    opened: Opener, aloud: Aloud, reviewer: User, outsider: User
) -> None:
    run = uuid.uuid4()
    await aloud(opened, run_id=run)
    hint: Any = {"topic": "run", "id": str(run), "version": 3, "kind": "stepped"}
    async with (
        socket(reviewer, query=f"run={run}") as to_reviewer,
        socket(outsider, query=f"run={run}") as to_outsider,
        socket(reviewer, query="run=nonsense") as unwatching,
    ):
        await aloud(publish, [f"run:{run}"], hint)
        assert await to_reviewer.next() == hint
        for user, one in ((outsider, to_outsider), (reviewer, unwatching)):
            mark = await aloud(marker, user)
            assert [h["id"] for h in await one.until("run", mark)] == [mark]


async def test_whoever_may_see_a_run_follows_it_whoever_it_belongs_to(
    till: Till, aloud: Aloud, operator: User, outsider: User
) -> None:
    run = uuid.uuid4()
    till.watched.add((operator.pk, run))
    hint: Any = {"topic": "run", "id": str(run), "version": 3, "kind": "stepped"}
    async with (
        socket(operator, query=f"run={run}") as to_operator,
        socket(outsider, query=f"run={run}") as to_outsider,
    ):
        await aloud(publish, [f"run:{run}"], hint)
        assert await to_operator.next() == hint
        mark = await aloud(marker, outsider)
        assert [h["id"] for h in await to_outsider.until("run", mark)] == [mark]


async def test_what_a_browser_sends_is_not_listened_to(
    opened: Opener, aloud: Aloud, reviewer: User
) -> None:
    request = await aloud(opened)
    async with socket(reviewer) as one:
        text = json.dumps({"verdict": "approve", "request": str(request.pk)})
        await one.communicator.send_input({"type": "websocket.receive", "text": text})
        await one.communicator.send_input({"type": "websocket.receive", "bytes": b"\x00"})
        mark = await aloud(marker, reviewer)
        assert [hint["id"] for hint in await one.until("run", mark)] == [mark]
    assert (await aloud(ApprovalRequest.objects.get, pk=request.pk)).state == "pending"


@pytest.mark.parametrize("origin", [b"https://elsewhere.example", b"null", b""])
async def test_another_sites_page_cannot_open_a_socket(origin: bytes) -> None:
    scope = {
        "type": "websocket",
        "path": "/ws/inbox/",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8000"), (b"origin", origin)],
    }
    communicator = ApplicationCommunicator(whole_application, scope)
    await communicator.send_input({"type": "websocket.connect"})
    first = await communicator.receive_output(timeout=PATIENCE)
    assert first["type"] == "websocket.close"
    await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.wait(timeout=PATIENCE)


def session_of(user: User) -> SessionStore:
    """The session of a browser in which the person signed in."""
    client = Client()
    client.force_login(user, backend=BACKEND)
    return SessionStore(client.session.session_key)


def test_an_open_socket_asks_in_one_statement_who_is_there(
    reviewer: User, django_assert_num_queries: Any
) -> None:
    session = session_of(reviewer)
    alone = audiences_of.func(reviewer.pk, None, "")
    with django_assert_num_queries(1):
        heard = audiences_of.func(reviewer.pk, session.session_key, "")
    assert heard == alone | {to_session(handle_of(str(session.session_key)))}
    assert len(alone) == 4


def test_a_socket_whose_session_is_another_persons_by_now_hears_nothing(
    reviewer: User, outsider: User
) -> None:
    session = session_of(reviewer)
    assert audiences_of.func(outsider.pk, session.session_key, "") is None
