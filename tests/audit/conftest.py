"""What the tests of the log stand on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import uuid6
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.db import connection, transaction
from django.test import override_settings

from accounts.callers import Caller
from accounts.models import User
from audit.actors import Actor
from audit.models import Event
from audit.recorder import record

Record = Callable[..., Event]
SEALING_LOGINS = ["default", "sealer"]
PATIENCE_SECONDS = 90
REVIEWER = Actor.person(7, "session")


@pytest.fixture
def recorded(db: None) -> Record:
    """`recorded(type=…, …)` writes one event in a transaction of its own and returns its row."""

    def write(**given: Any) -> Event:
        filled = {"type": "request.claimed", "actor": REVIEWER, "stream": "log"} | given
        with transaction.atomic():
            return Event.objects.get(pk=record(**filled))

    return write


@pytest.fixture
def caller() -> Callable[[User], Caller]:
    """A person as the services see them, signed in with a browser."""
    return Caller.of_session


@pytest.fixture
def some_request() -> UUID:
    return uuid6.uuid7()


@pytest.fixture
def some_run() -> UUID:
    return uuid6.uuid7()


GUARDED = (
    "audit_event",
    "audit_stream",
    "audit_leaf",
    "audit_tile",
    "audit_treestate",
    "audit_checkpoint",
    "audit_cosignature",
    "audit_log",
    "audit_logkey",
)


class Attacker:
    """A superuser of the database who lifts every trigger, does the deed, and puts them back."""

    def __init__(self, superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._superuser = superuser

    def does(self, statement: str, *parameters: Any) -> None:
        connection.commit()
        with self._superuser.transaction():
            self._superuser.execute("SET LOCAL session_replication_role = replica")
            for table in GUARDED:
                self._superuser.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            self._superuser.execute(statement, parameters)
            for table in GUARDED:
                self._superuser.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
                self._superuser.execute(
                    "DO $$ DECLARE found record; BEGIN FOR found IN SELECT tgrelid::regclass AS t, "
                    f"tgname FROM pg_trigger WHERE tgrelid = '{table}'::regclass AND NOT tgisinternal "
                    "LOOP EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', found.t, "
                    "found.tgname); END LOOP; END $$"
                )

    def inserts(self, body: bytes) -> None:
        """Put an event in by hand; its stream and what waits follow, as with any other."""
        connection.commit()
        self._superuser.execute("INSERT INTO audit_event (body) VALUES (%s)", [body])


@pytest.fixture
def attacker(superuser_url: str, transactional_db: None) -> Iterator[Attacker]:
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        yield Attacker(superuser)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Path]:
    """A machine that seals: its folder, with a signing key in it and no checkpoint yet."""
    make_key(tmp_path)
    with on_machine(tmp_path):
        yield tmp_path


def make_key(folder: Path) -> None:
    """A new signing key in that folder."""
    private = Ed25519PrivateKey.generate()
    key = folder / "signing_key.pem"
    key.touch(mode=0o600)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@contextmanager
def on_machine(folder: Path, **changes: Any) -> Iterator[None]:
    """Work with the keys and the checkpoint of that folder."""
    given = {
        "signing_key_path": str(folder / "signing_key.pem"),
        "checkpoint_path": str(folder / "checkpoint"),
        "log_origin": "approvals.example/log",
    }
    config = settings.COUNTERSIGN.model_copy(update=given | changes)
    with override_settings(COUNTERSIGN=config):
        yield


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Where fault points are armed."""
    folder = tmp_path / "points"
    folder.mkdir()
    return folder


def until(what: Callable[[], bool], said: str) -> None:
    """Look until it is so; a test that waits longer than that fails with these words."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < ends, said
        time.sleep(0.01)
