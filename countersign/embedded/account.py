"""The system user that PostgreSQL runs as where this process is root, which PostgreSQL refuses."""

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from countersign.embedded.errors import EmbeddedError

NAME = "countersign-pg"


@dataclass(frozen=True)
class Account:
    """A system user: its name, and its ids where a child has to be switched to it."""

    name: str
    uid: int
    gid: int
    switched: bool

    def own(self, path: Path) -> None:
        """Give a folder to the account."""
        if self.switched:
            os.chown(path, self.uid, self.gid)

    def let_through(self, path: Path) -> None:
        """Let the account pass through the folders above `path`, without reading them."""
        if not self.switched:
            return
        for folder in path.absolute().parents:
            _allow(folder, stat.S_IXOTH)

    def let_read(self, folder: Path) -> None:
        """Let the account read and run what is in `folder` (installed under a narrow umask)."""
        if not self.switched:
            return
        self.let_through(folder)
        for path in [folder, *folder.rglob("*")]:
            if path.is_symlink():
                continue
            mode = path.stat().st_mode
            runs = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            _allow(path, stat.S_IROTH | runs)


def server_account() -> Account:
    """Return the account for PostgreSQL, creating the system user where this process is root.

    Raises EmbeddedError when it cannot be created.
    """
    if os.geteuid() != 0:
        entry = pwd.getpwuid(os.geteuid())
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switched=False)
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _create()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switched=True)


def _create() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home"]
    try:
        outcome = subprocess.run(
            [*command, "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", NAME],
            check=False,
            capture_output=True,
            text=True,
        )
        return pwd.getpwnam(NAME)
    except (OSError, KeyError) as error:
        said = outcome.stderr.strip() if isinstance(error, KeyError) else str(error)
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and its system user {NAME} could not be created "
            f"({said}). Create it, run this as another user, or set DATABASE_URL."
        ) from error


def _allow(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        path.chmod(mode | bits)
