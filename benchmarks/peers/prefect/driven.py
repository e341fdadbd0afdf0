"""Prefect: flows that pause, on its own server with PostgreSQL.

Modes: `pause` (`pause_flow_run`: the run waits in its process and asks the server every second whether to
go on) and `suspend` (`suspend_flow_run`: the process ends, and a runner starts another one to go on).
Decisions are `resume_flow_run`. What either takes longer for than the time there is, is not begun.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.flow_runs import resume_flow_run
from prefect.states import Crashed

from benchmarks.peers.driver import ENOUGH_SECONDS, Moments, Peer, Recorded, main, now
from benchmarks.peers.prefect import flows, servers
from benchmarks.recorder import PATIENCE_SECONDS

LOOK_SECONDS = 0.005
# Of a burst: so many at the same time are on their way to their pause.
AT_ONCE = 8


class Prefect(Recorded):
    """What both modes share: runs are told apart by their names, `MODE-NUMBER`."""

    mode = ""
    at_once = AT_ONCE

    def __init__(self) -> None:
        self.client: SyncPrefectClient = get_client(sync_client=True)
        self.runs: dict[int, UUID] = {}

    def start(self, number: int) -> None:
        """Begin a run and note its id."""
        raise NotImplementedError

    def retry(self, run: UUID) -> None:
        """As the manual says for a run that has crashed."""
        raise NotImplementedError

    def cycle(self, number: int) -> Moments:
        began = now()
        self.start(number)
        self._until(number, lambda state: state.is_paused())
        parked = now()
        resume_flow_run(self.runs[number])
        committed = now()
        self._until(number, lambda state: state.is_completed())
        return Moments(began, parked, parked, committed, now())

    def park(self, numbers: Sequence[int]) -> int:
        ends = monotonic() + ENOUGH_SECONDS
        with ThreadPoolExecutor(self.at_once) as pool:
            return sum(pool.map(lambda number: self._parked(number, ends), numbers))

    def approve(self, numbers: Sequence[int]) -> None:
        with ThreadPoolExecutor(self.at_once) as pool:
            for _ in pool.map(resume_flow_run, [self.runs[number] for number in numbers]):
                pass
        for number in numbers:
            self._until(number, lambda state: state.is_completed())

    def recover(self, number: int) -> dict[str, Any]:
        """Say that it has crashed where nobody did, and retry it; approve again where it waits again."""
        run = self._named(number)
        self.runs[number] = run.id
        if run.state is None or not run.state.is_crashed():
            self.client.set_flow_run_state(run.id, Crashed(), force=True)
        self.retry(run.id)
        state = self._until(
            number, lambda state: state.is_paused() or state.is_completed(), again=True
        )
        lost = state.is_paused()
        if lost:
            resume_flow_run(run.id)
            self._until(number, lambda state: state.is_completed())
        return {"decision_lost": lost}

    def close(self) -> None:
        self.client.__exit__(None, None, None)

    def _parked(self, number: int, ends: float) -> bool:
        if monotonic() > ends:
            return False
        self.start(number)
        self._until(number, lambda state: state.is_paused())
        return True

    def _until(
        self, number: int, reached: Callable[[State[Any]], bool], *, again: bool = False
    ) -> State[Any]:
        """The state that was waited for. What has ended badly is not waited for, but where it is begun `again`."""
        ends = monotonic() + PATIENCE_SECONDS
        state: State[Any] | None = None
        while monotonic() < ends:
            state = self.client.read_flow_run(self.runs[number]).state
            if state is not None and reached(state):
                return state
            if state is not None and not again and (state.is_failed() or state.is_crashed()):
                break
            time.sleep(LOOK_SECONDS)
        raise RuntimeError(f"cycle {number} has come to {state}")

    def _named(self, number: int) -> FlowRun:
        name = FlowRunFilter(name={"any_": [f"{self.mode}-{number}"]})
        (found,) = self.client.read_flow_runs(flow_run_filter=name)
        return found


class Pausing(Prefect):
    """Each run waits in a thread of this process."""

    mode = "pause"

    def start(self, number: int) -> None:
        heard: SimpleQueue[UUID] = SimpleQueue()
        flows.waiting[number] = heard.put
        threading.Thread(target=flows.paused, args=(number,), daemon=True).start()
        self.runs[number] = heard.get(timeout=PATIENCE_SECONDS)

    def retry(self, run: UUID) -> None:
        """Here, from the file of the flow. It goes on in a process of its own, and may wait in it."""
        prefect = str(Path(sys.executable).with_name("prefect"))
        entrypoint = f"{flows.__file__}:paused"
        subprocess.Popen(
            [prefect, "flow-run", "retry", str(run), "--entrypoint", entrypoint], stdout=sys.stderr
        )


class Suspending(Prefect):
    """Each run is started by the runner, and again to go on."""

    mode = "suspend"
    at_once = servers.RUNS_AT_ONCE

    def start(self, number: int) -> None:
        run = run_deployment(
            servers.DEPLOYMENT,
            parameters={"number": number},
            timeout=0,
            flow_run_name=f"{self.mode}-{number}",
        )
        self.runs[number] = run.id

    def crash(self, number: int) -> None:
        """The runner's process is killed; this one ends the same way, once the runner has noticed."""
        self.start(number)
        self._until(number, lambda state: state.is_paused())
        resume_flow_run(self.runs[number])
        self._until(number, lambda state: state.is_crashed())
        os.kill(os.getpid(), signal.SIGKILL)

    def retry(self, run: UUID) -> None:
        """By the runner."""
        prefect = str(Path(sys.executable).with_name("prefect"))
        subprocess.run([prefect, "flow-run", "retry", str(run)], check=True, stdout=sys.stderr)


def make(mode: str, _name: str) -> Peer:
    """The peer in that mode."""
    return Pausing() if mode == "pause" else Suspending()


if __name__ == "__main__":
    main(["pause", "suspend"], make, notes={"postgresql": os.environ[servers.WHICH]})
