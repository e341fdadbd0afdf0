"""Stands for `manage.py` in scripts of a test: hands its arguments to `tests.documentation.managed`."""

from __future__ import annotations

import json
import os
import socket
import sys

OURS = ("COUNTERSIGN_", "OPENAI_")


def main() -> int:
    """Ask, and say what the command said."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(os.environ["MANAGED"])
        settings = {name: value for name, value in os.environ.items() if name.startswith(OURS)}
        request = {"arguments": sys.argv[1:], "folder": os.getcwd(), "settings": settings}  # noqa: PTH109
        asked.sendall(json.dumps(request).encode() + b"\n")
        with asked.makefile() as answer:
            said = json.load(answer)
    sys.stdout.write(said["out"])
    sys.stderr.write(said["err"])
    return int(said["code"])


if __name__ == "__main__":
    sys.exit(main())
