"""Commands of `manage.py` for scripts of a test, each in a process of its own that is forked in a moment.

A script of its own would take seconds to import what the nursery has imported already. `Managed` listens on a
socket; `asking.py`, which stands for `manage.py` on the script's PATH, hands it the arguments and gives back what
the command said and how it ended. Run as a program, this module is that command.
"""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management import execute_from_command_line

from countersign.programs import PROJECT
from tests.harness.nursery import NURSERY
from tests.harness.stack import Stack

SECONDS = 120


@contextmanager
def managed(site: Stack, address: Path) -> Iterator[None]:
    """While this lasts, commands are taken at the socket `address` and run with the settings of `site`."""

    class Taking(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = json.loads(self.rfile.readline())
            self.wfile.write(json.dumps(_run(site, **asked)).encode())

    with socketserver.ThreadingUnixStreamServer(str(address), Taking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def _run(
    site: Stack, *, arguments: list[str], folder: str, settings: dict[str, str]
) -> dict[str, str | int]:
    """What a command with these arguments said in that folder, and its exit code."""
    environment = {**site.environment(), **settings}
    if "COUNTERSIGN_APPS" in settings:
        # A reader's app lies beside `manage.py`.
        environment["PYTHONPATH"] = folder
    with TemporaryDirectory() as said:
        script = ["-m", __name__, folder, said, *arguments]
        process = NURSERY.start(
            script, folder=PROJECT, environment=environment, log=Path(said) / "log"
        )
        process.wait(SECONDS)
        found = {
            name: path.read_text() if (path := Path(said) / name).is_file() else ""
            for name in ("out", "err", "log", "code")
        }
    if environment != site.environment():
        NURSERY.release(folder=PROJECT, environment=environment)
    return {
        "out": found["out"],
        "err": found["err"] + found["log"],
        "code": int(found["code"] or 1),
    }


def main(folder: str, said: str, *arguments: str) -> None:
    """Be `manage.py` with these arguments in that folder; its words and its end go into files."""
    code: object = 0
    for descriptor, name in ((1, "out"), (2, "err")):
        opened = os.open(Path(said) / name, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(folder)
    try:
        execute_from_command_line(["manage.py", *arguments])
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    number = code if isinstance(code, int) else int(code is not None)
    (Path(said) / "code").write_text(str(number))


if __name__ == "__main__":
    main(*sys.argv[1:])
