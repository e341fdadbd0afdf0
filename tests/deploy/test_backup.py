"""docs/backup.md, carried out: dump, go on, restore; what was sealed after an old dump is missed aloud."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connections, transaction

from audit.actors import Actor
from audit.recorder import record
from audit.services.seal import seal
from countersign.embedded.layout import LOGINS
from countersign.embedded.postgres import find_binaries
from tests.audit.conftest import make_key, on_machine
from tests.harness.cluster import PROJECT, product_environment
from tests.harness.environment import TestProcess

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer"])


class Place:
    """An empty database beside the live one, with the three logins, as docs/operations.md makes it."""

    def __init__(self, process: TestProcess, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.name = f"{process.database}_restored"

    def make(self) -> None:
        owner, app, sealer = (LOGINS[login] for login in ("owner", "app", "sealer"))
        with psycopg.connect(self.process.cluster.superuser_url(), autocommit=True) as superuser:
            superuser.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
            superuser.execute(f"CREATE DATABASE {self.name} TEMPLATE template0 OWNER {owner}")
            superuser.execute(f"REVOKE ALL ON DATABASE {self.name} FROM PUBLIC")
            superuser.execute(
                f"GRANT CONNECT, TEMPORARY ON DATABASE {self.name} TO {app}, {sealer}"
            )
        with psycopg.connect(
            self.process.cluster.superuser_url(self.name), autocommit=True
        ) as inside:
            inside.execute(f"ALTER SCHEMA public OWNER TO {owner}")
            inside.execute(f"GRANT USAGE ON SCHEMA public TO {app}, {sealer}")

    def restore(self, dump: Path) -> None:
        self.make()
        tool(
            "pg_restore",
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "-d",
            self.url,
            str(dump),
        )
        done = self.manage("migrate", "--skip-checks", "-v", "0")
        assert done.returncode == 0, done.stderr

    @property
    def url(self) -> str:
        return self.process.cluster.url("owner", self.name)

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=product_environment(
                **{
                    **self.process.settings(),
                    **self.process.cluster.environment(self.name),
                    "COUNTERSIGN_DATA_DIR": str(self.folder / "data"),
                    "COUNTERSIGN_SIGNING_KEY_PATH": str(self.folder / "signing_key.pem"),
                    "COUNTERSIGN_CHECKPOINT_PATH": str(self.folder / "checkpoint"),
                }
            ),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def drop(self) -> None:
        with psycopg.connect(self.process.cluster.superuser_url(), autocommit=True) as superuser:
            superuser.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


def tool(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(find_binaries() / name), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def place(test_process: TestProcess, tmp_path: Path) -> Iterator[Place]:
    made = Place(test_process, tmp_path)
    yield made
    made.drop()


def happened(times: int) -> None:
    for _ in range(times):
        with transaction.atomic():
            record(type="request.claimed", actor=Actor.person(7, "session"), stream="policy")


def dump(process: TestProcess, to: Path) -> Path:
    url = process.cluster.url("owner", process.database)
    tool("pg_dump", "--no-owner", "--no-privileges", "-Fc", "-d", url, "-f", str(to))
    return to


def test_a_whole_restore_fits_and_an_old_one_is_noticed(
    place: Place, test_process: TestProcess, tmp_path: Path
) -> None:
    make_key(tmp_path)
    with on_machine(tmp_path):
        happened(3)
        sealed_before = seal().signed
        old = dump(test_process, tmp_path / "old.dump")
        happened(2)
        sealed_after = seal().signed
        whole = dump(test_process, tmp_path / "whole.dump")
    connections.close_all()
    assert sealed_before
    assert sealed_after

    place.restore(whole)
    fits = place.manage("audit_fsck")
    assert fits.returncode == 0, fits.stderr
    assert "The audit log fits" in fits.stdout
    assert place.manage("audit_log", "status").returncode == 0

    place.restore(old)
    missed = place.manage("audit_fsck")
    assert missed.returncode == 1
    assert "a backup was restored" in missed.stderr
    # Nothing is sealed over the gap: the scheduler halts, and says so until somebody has looked.
    assert place.manage("scheduler", "--once").returncode == 0
    halted = place.manage("audit_log", "status")
    assert halted.returncode == 1
    assert "the checkpoint kept outside of it says" in halted.stderr.replace("\n", " ")
