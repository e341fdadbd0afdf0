"""Runs programs together: one that dies is started again, and none outlives the supervisor."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from countersign.embedded.processes import ends_with_parent
from countersign.programs import PROJECT, Program

LOOK_SECONDS = 0.2
STOP_SECONDS = 15.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
# A program that ran this long was well: its next end is not part of a series.
STEADY_SECONDS = 30.0


@dataclass
class _Child:
    program: Program
    process: "subprocess.Popen[bytes]"
    started: float
    pause: float = FIRST_PAUSE_SECONDS
    again_at: float | None = None


class Supervisor:
    """Starts each program with its output in `logs/NAME.log`; `say` gets sentences for a person.

    Use it from the main thread: the kernel ends the programs with the thread that started them.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        environment: Mapping[str, str],
        logs: Path,
        say: Callable[[str], None],
    ) -> None:
        self.programs = programs
        self.environment = dict(environment)
        self.logs = logs
        self.say = say
        self.stopping = threading.Event()
        self._children: list[_Child] = []

    def start(self) -> None:
        """Start every program."""
        self.logs.mkdir(parents=True, exist_ok=True)
        for program in self.programs:
            self._children.append(_Child(program, self._launch(program), time.monotonic()))

    def look(self) -> None:
        """Start again, after a pause that grows, what has ended since the last look."""
        now = time.monotonic()
        for child in self._children:
            if child.again_at is not None:
                if now >= child.again_at:
                    child.process = self._launch(child.program)
                    child.started, child.again_at = now, None
            elif child.process.poll() is not None:
                _end_group(child.process, signal.SIGKILL)
                if now - child.started > STEADY_SECONDS:
                    child.pause = FIRST_PAUSE_SECONDS
                child.again_at = now + child.pause
                child.pause = min(child.pause * 2, LONGEST_PAUSE_SECONDS)
                self.say(
                    f"{child.program.name} {_how(child.process.returncode)}; starting it again "
                    f"(its log: {self.log_of(child.program)})"
                )

    def watch(self) -> None:
        """Keep looking until `stopping` is set."""
        while not self.stopping.wait(LOOK_SECONDS):
            self.look()

    def stop(self) -> None:
        """End every program; those that do not end by themselves in time are killed."""
        running = [child for child in self._children if child.again_at is None]
        for child in running:
            _end_group(child.process, signal.SIGTERM, leader_only=True)
        deadline = time.monotonic() + STOP_SECONDS
        for child in running:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.program.name} does not end by itself; it is killed")
            _end_group(child.process, signal.SIGKILL)
            child.process.wait()
        self._children.clear()

    def log_of(self, program: Program) -> Path:
        """Where a program's output goes."""
        return self.logs / f"{program.name.replace(' ', '-')}.log"

    def _launch(self, program: Program) -> "subprocess.Popen[bytes]":
        with self.log_of(program).open("ab") as log:
            return subprocess.Popen(
                program.arguments,
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=program.descriptors,
                # Ctrl-C reaches the supervisor alone, which then ends everybody in order.
                start_new_session=True,
                preexec_fn=ends_with_parent(signal.SIGTERM),
            )


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def _end_group(
    process: "subprocess.Popen[bytes]", number: signal.Signals, *, leader_only: bool = False
) -> None:
    """Signal a program, or what it may have left behind; each program leads a group of its own."""
    try:
        if leader_only:
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
    except ProcessLookupError:
        return
