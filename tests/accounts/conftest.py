"""What the tests of accounts share: callers, tokens, and a look into the log."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client

from accounts.callers import Caller
from accounts.models import User
from accounts.services.create_token import create_token
from audit.actors import Actor
from audit.models import Event

SYSTEM = Actor.system("tests")
Bodies = Callable[[str], list[dict[str, Any]]]
MakeToken = Callable[..., str]


@pytest.fixture
def as_admin(admin: User) -> Caller:
    """The admin, signed in."""
    return Caller.of_session(admin)


@pytest.fixture
def bodies(db: None) -> Bodies:
    """`bodies(type)`: the recorded events of a type, oldest first, as the log holds them."""

    def read(type_: str) -> list[dict[str, Any]]:
        found = Event.objects.of_type(type_).oldest_first()
        return [orjson.loads(bytes(event.body)) for event in found]

    return read


@pytest.fixture
def make_token() -> MakeToken:
    """`make_token(user, "read", "run")`: a bearer token as its holder sends it."""

    def make(user: User, *scopes: str) -> str:
        made = create_token(person=user, name="of the tests", scopes=scopes or None, caller=SYSTEM)
        return str(made.bearer)

    return make


@pytest.fixture
def bearer(client: Client, make_token: MakeToken) -> Callable[..., Client]:
    """`bearer(user, "read")`: a client that sends a token of the user with every request."""

    def give(user: User, *scopes: str) -> Client:
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {make_token(user, *scopes)}"
        return client

    return give


@pytest.fixture
def database_dump(db: None) -> Callable[[str], str]:
    """`database_dump(table)`: every row of a table as text, to look for what must not be there."""

    def dump(table: str) -> str:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT string_agg(row::text, ' ') FROM {table} AS row")
            return str(cursor.fetchone()[0])

    return dump
