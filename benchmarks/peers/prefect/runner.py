"""Prefect's runner: looks every second for runs that are to start or to go on, and gives each a process."""

from benchmarks.peers.prefect.flows import suspended
from benchmarks.peers.prefect.servers import RUNS_AT_ONCE

if __name__ == "__main__":
    suspended.serve(name="benchmark", print_starting_message=False, limit=RUNS_AT_ONCE)
