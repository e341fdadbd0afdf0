"""`python -m demo.provider`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from demo.provider.journal import DirectoryInUse, Journal
from demo.provider.server import Provider

PARENT_CHECK_SECONDS = 0.5


def main() -> int:
    """Serve until SIGTERM, SIGINT or, where asked for, the end of the parent. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.provider", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="directory for calls.jsonl")
    parser.add_argument("--parent-pid", type=int, help="end when this parent process has ended")
    options = parser.parse_args()
    try:
        server = Provider(options.port, Journal(options.data), _callback_secret())
    except (DirectoryInUse, OSError) as problem:
        sys.stderr.write(f"The payment provider cannot start: {problem}\n")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        # shutdown() waits for the serving loop, which runs in this thread: it needs another one.
        signal.signal(number, lambda *_: threading.Thread(target=server.stop).start())
    if options.parent_pid is not None:
        threading.Thread(target=_end_with, args=(options.parent_pid, server), daemon=True).start()
    sys.stdout.write(f"Payment provider: http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    server.journal.close()
    return 0


def _callback_secret() -> str:
    """The first secret of the demo's mail, as the settings write it; empty without one."""
    named = json.loads(os.environ.get("COUNTERSIGN_CALLBACK_SECRETS") or "{}")
    given = named.get("demo-mail", "")
    return str(given if isinstance(given, str) else given[0])


def _end_with(parent: int, server: Provider) -> None:
    while os.getppid() == parent:
        if server.closing.wait(PARENT_CHECK_SECONDS):
            return
    server.stop()


if __name__ == "__main__":
    sys.exit(main())
