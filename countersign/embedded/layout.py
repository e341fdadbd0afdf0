"""Where things lie in a data directory, and the addresses that follow from it."""

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from countersign.embedded.errors import EmbeddedError

# sockaddr_un holds 108 bytes with the closing zero; PostgreSQL appends its own file name.
LONGEST_SOCKET_PATH = 107
POSTGRES_SOCKET = ".s.PGSQL.5432"
DATABASE = "countersign"
LOGINS = {
    "app": "countersign_app",
    "sealer": "countersign_sealer",
    "owner": "countersign_owner",
    "steward": "countersign_steward",
}


@dataclass(frozen=True)
class Layout:
    """The folders and files of one data directory. Reading it changes nothing on disk."""

    data_dir: Path

    @property
    def keys(self) -> Path:
        """Secrets, readable by nobody else."""
        return self.data_dir / "keys"

    @property
    def postgres_data(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def checkpoint(self) -> Path:
        """The audit log's last checkpoint, outside the database."""
        return self.data_dir / "audit" / "checkpoint"

    @property
    def logs(self) -> Path:
        return self.data_dir / "log"

    def users_lock(self, service: str) -> Path:
        """Held shared by every process that uses `service` (`postgres` or `redis`)."""
        return self.data_dir / f"{service}.users"

    def keeper_lock(self, service: str) -> Path:
        """Held exclusively by the keeper of `service`."""
        return self.data_dir / f"{service}.keeper"

    @cached_property
    def runtime(self) -> Path:
        """Where the sockets are: inside the data directory unless its path is too long for them."""
        inside = self.data_dir / "run"
        if len(os.fsencode(inside / "postgres" / POSTGRES_SOCKET)) <= LONGEST_SOCKET_PATH:
            return inside
        mark = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"countersign-{os.geteuid()}-{mark}"

    @property
    def postgres_socket_dir(self) -> Path:
        return self.runtime / "postgres"

    @property
    def redis_socket(self) -> Path:
        return self.runtime / "redis.sock"

    @property
    def redis_url(self) -> str:
        return f"unix://{quote(str(self.redis_socket))}"

    def database_url(self, login: str, password: str, database: str = DATABASE) -> str:
        """Return the address of `database` for one of LOGINS (`app`, `sealer`, `owner`, `steward`)."""
        host = quote(str(self.postgres_socket_dir), safe="")
        return f"postgresql://{LOGINS[login]}:{quote(password, safe='')}@/{database}?host={host}"

    def prepare(self) -> None:
        """Create the folders with their permissions. Raises EmbeddedError where that cannot be."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            # PostgreSQL never runs as root: its own system user must pass through, not look in.
            # A volume that somebody else mounted for it is not its to close; `keys` inside is.
            if os.geteuid() in (0, self.data_dir.stat().st_uid):
                self.data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
            self.keys.mkdir(exist_ok=True)
            self.keys.chmod(0o700)
            self.logs.mkdir(exist_ok=True)
            self.logs.chmod(0o700)
            self._prepare_runtime()
        except OSError as error:
            raise EmbeddedError(
                f"The data directory {self.data_dir} cannot be written ({error.strerror}). "
                "Give COUNTERSIGN_DATA_DIR a directory that this user may create and write."
            ) from error

    def _prepare_runtime(self) -> None:
        self.runtime.mkdir(parents=True, exist_ok=True)
        found = self.runtime.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise EmbeddedError(
                f"{self.runtime} belongs to somebody else; remove it or choose a shorter "
                "COUNTERSIGN_DATA_DIR, so that the sockets fit inside."
            )
        self.runtime.chmod(0o711 if os.geteuid() == 0 else 0o700)
