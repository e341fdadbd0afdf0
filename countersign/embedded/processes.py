"""Child processes that end with their parent, and what a killed parent left behind."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1


def ends_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn` by which the kernel sends `number` to the child when the parent dies.

    The parent is the *thread* that starts the child, so start children from a thread that stays.
    Elsewhere than on Linux there is no such call; the callers' clean-up at the next start remains.
    """
    parent = os.getpid()
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def arrange() -> None:
        if library is None:
            return
        library.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            # It died before the kernel was told.
            os._exit(1)

    return arrange


def end(process: subprocess.Popen[bytes], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn until the process has ended, waiting its seconds after each."""
    for number, seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def end_strays(executable: Path, directory: Path, number: signal.Signals) -> None:
    """End processes of `executable` that still work in `directory`, left by a killed parent.

    Two servers on one directory would destroy it, so a start waits for these to be gone.
    """
    strays = []
    for process in psutil.process_iter():
        try:
            ours = Path(process.exe()) == executable.resolve() and Path(process.cwd()) == directory
        except (psutil.Error, OSError):
            # It ended while being looked at, or is somebody else's.
            continue
        if ours:
            strays.append(process)
    for process in strays:
        _tell(process, number)
    _, left = psutil.wait_procs(strays, timeout=10)
    for process in left:
        _tell(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=5)


def _tell(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
