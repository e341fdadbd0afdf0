"""Prefect, measured: its servers first, since it reads their addresses while it is imported."""

import subprocess
import sys

from benchmarks.peers.prefect import servers

if __name__ == "__main__":
    with servers.running(sys.argv[sys.argv.index("--mode") + 1]):
        driven = [sys.executable, "-m", "benchmarks.peers.prefect.driven", *sys.argv[1:]]
        sys.exit(subprocess.run(driven, check=False).returncode)
