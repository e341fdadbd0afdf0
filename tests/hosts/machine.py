"""One host: processes in a namespace of their own, with their own folder, environment, name and clock."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from countersign.embedded.processes import ends_with_parent
from countersign.programs import PROJECT
from tests.hosts.network import Cable

STOP_SECONDS = 60.0


class Machine:
    """A host on the network. Start its processes from the main thread: they end with the thread."""

    def __init__(self, name: str, cable: Cable, folder: Path, *, clock: Mapping[str, str]) -> None:
        self.name = name
        self.cable = cable
        self.folder = folder
        self.clock = clock
        self.environment: dict[str, str] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True)
        folder.chmod(0o755)

    @property
    def address(self) -> str:
        return self.cable.address

    def start(
        self, name: str, command: list[str], *, project: Path = PROJECT, user: str = ""
    ) -> subprocess.Popen[bytes]:
        """Start a process of that name. `user`: whose rights it has, root's unless it is said."""
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                self._inside(command, user),
                cwd=project,
                env=self._whole_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGKILL),
            )
        self.running[name] = process
        return process

    def run(self, command: list[str], *, project: Path = PROJECT, user: str = "") -> str:
        """What a command prints. Raises RuntimeError when it fails."""
        done = subprocess.run(
            self._inside(command, user),
            cwd=project,
            env=self._whole_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(
                f"{self.name}: {shlex.join(command)}: {done.stdout}{done.stderr}"[-4000:]
            )
        return done.stdout

    def manage(self, *words: str, project: Path = PROJECT) -> str:
        """What a command of `manage.py` prints."""
        return self.run([sys.executable, "manage.py", *words], project=project)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send it to a process and all its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.running[name].pid, number)

    def kill(self, *names: str) -> None:
        """End processes at once, as a power cut would; all of them where none is named."""
        for name in names or list(self.running):
            self.signal(name, signal.SIGKILL)
            self.running.pop(name).wait(STOP_SECONDS)

    def stop(self, name: str) -> int:
        """Ask a process to end, and wait; its code."""
        process = self.running.pop(name)
        process.terminate()
        return process.wait(STOP_SECONDS)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def said(self, name: str) -> str:
        """All that a process has printed."""
        return self.log(name).read_text(errors="replace")

    def _inside(self, command: list[str], user: str) -> list[str]:
        rights = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        named = f'hostname {shlex.quote(self.name)}; exec "$@"'
        return [
            *("ip", "netns", "exec", self.cable.namespace),
            *("unshare", "--uts", "sh", "-c", named, "sh"),
            *rights,
            *command,
        ]

    def _whole_environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            **self.clock,
            **self.environment,
        }
