"""PostgreSQL and Redis, each on a host of its own: TLS, passwords, and a disk that is waited for."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Final

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis, RedisError

from countersign.embedded.account import server_account
from countersign.embedded.redis import find_server
from countersign.programs import PROJECT
from tests.hosts.machine import Machine

START_SECONDS: Final = 60
DATABASE_PORT, REDIS_PORT = 5432, 6379
LOGINS: Final = ("countersign_owner", "countersign_app", "countersign_sealer")
#: Certificates hold for hosts whose clocks are off, too.
LEEWAY = dt.timedelta(days=2)


class DatabaseHost:
    """PostgreSQL with fsync, scram and TLS, and the logins that `docs/operations.md` makes."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.account = server_account()
        self.binaries = server_with_tls()
        self.data = machine.folder / "postgres"
        self.certificate = machine.folder / "server.crt"
        self.passwords = {name: token_hex(24) for name in (*LOGINS, "postgres")}

    def set_up(self) -> None:
        """Make the cluster, start it, and make logins and database by the guide."""
        self.account.let_through(self.data)
        self.data.mkdir(mode=0o700)
        self.account.own(self.data)
        words = self.machine.folder / "superuser"
        words.write_text(self.passwords["postgres"])
        self.account.own(words)
        self.machine.run(
            [
                *(str(self.binaries / "initdb"), "-D", str(self.data), "-U", "postgres"),
                *(
                    "--auth=scram-sha-256",
                    f"--pwfile={words}",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                ),
            ],
            user=self.account.name,
        )
        self._make_certificate()
        rule = "hostssl all all 198.18.0.0/15 scram-sha-256\n"
        (self.data / "pg_hba.conf").write_text(rule)
        self.start()
        self._follow_the_guide()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = {
            "listen_addresses": self.machine.address,
            "port": str(DATABASE_PORT),
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on",
            "ssl": "on",
            "ssl_cert_file": str(self.certificate),
            "ssl_key_file": str(self.certificate.with_suffix(".key")),
        }
        arguments = [part for pair in settings.items() for part in ("-c", "=".join(pair))]
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.machine.start(
            "postgres",
            [str(self.binaries / "postgres"), "-D", str(self.data), *arguments],
            user=self.account.name,
        )
        until(self.answers, START_SECONDS, "PostgreSQL answers")

    def kill(self) -> None:
        """End it with everything it was doing, as a power cut would. Its children end with their parent."""
        self.machine.signal("postgres", signal.SIGQUIT)
        self.machine.running.pop("postgres").wait(START_SECONDS)

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres", "postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def url(self, login: str, database: str = "countersign") -> str:
        """The address of a login; the server's certificate is checked."""
        return (
            f"postgresql://{login}:{self.passwords[login]}@{self.machine.address}:{DATABASE_PORT}/{database}"
            f"?sslmode=verify-full&sslrootcert={self.certificate}"
        )

    def environment(self) -> dict[str, str]:
        owner, app, sealer = map(self.url, LOGINS)
        return {"DATABASE_URL": app, "DATABASE_OWNER_URL": owner, "DATABASE_SEALER_URL": sealer}

    def _follow_the_guide(self) -> None:
        guide = (PROJECT / "docs" / "operations.md").read_text()
        found = re.search(r"```sql\n(CREATE ROLE.*?)```", guide, re.DOTALL)
        assert found is not None, "docs/operations.md makes no logins"
        statements = found[1]
        for login in LOGINS:
            statements = statements.replace("'…'", f"'{self.passwords[login]}'", 1)
        subprocess.run(
            [
                *(str(self.binaries / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"),
                *("-d", self.url("postgres", "postgres")),
            ],
            input=statements,
            text=True,
            check=True,
            capture_output=True,
        )

    def _make_certificate(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "database")])
        address = x509.IPAddress(ipaddress.ip_address(self.machine.address))
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - LEEWAY)
            .not_valid_after(now + LEEWAY)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret = self.certificate.with_suffix(".key")
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        secret.chmod(0o600)
        self.account.own(secret)


class RedisHost:
    """Redis with a password, which keeps nothing on its disk."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.password = token_hex(24)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.machine.address}:{REDIS_PORT}/0"

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self.machine.start(
            "redis",
            [
                *(str(find_server()), "--bind", self.machine.address, "--port", str(REDIS_PORT)),
                *("--requirepass", self.password, "--save", "", "--appendonly", "no"),
                *("--maxmemory-policy", "noeviction", "--dir", str(self.machine.folder)),
            ],
        )
        until(self.answers, START_SECONDS, "Redis answers")

    def answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2) as client:
                return bool(client.ping())
        except RedisError:
            return False


def server_with_tls() -> Path:
    """The folder of the newest PostgreSQL of this machine: the wheel's speaks no TLS.

    Raises RuntimeError that says what to install.
    """
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda found: int(found.parts[-3]),
    )
    if installed:
        return installed[-1].parent
    if beside := shutil.which("initdb"):
        return Path(os.path.realpath(beside)).parent
    raise RuntimeError(
        "There is no PostgreSQL with TLS here: install it (apt-get install postgresql)."
    )


def until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Wait until the condition holds; after how many seconds it did. Raises RuntimeError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise RuntimeError(f"After {seconds:g} seconds it is still not so that {what}.")
        time.sleep(0.05)
    return time.monotonic() - began
