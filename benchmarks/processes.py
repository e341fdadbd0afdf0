"""What the processes of a run use: processor time and memory, by name."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """A process with its children: seconds of processor time so far, bytes of its own, how many."""

    cpu_seconds: float
    own_bytes: int
    count: int


def usage(pids: Mapping[str, int]) -> dict[str, Usage]:
    """What each named process uses now. Memory is what would be free again if it ended (USS)."""
    return {name: _of(psutil.Process(pid)) for name, pid in pids.items()}


def cpu_between(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, float]:
    """Seconds of processor time that each named process took between the two looks."""
    return {
        name: round(after[name].cpu_seconds - before[name].cpu_seconds, 2)
        for name in before
        if name in after
    }


def _of(process: psutil.Process) -> Usage:
    family = [process, *process.children(recursive=True)]
    times = [member.cpu_times() for member in family]
    return Usage(
        # Children that have ended count with whoever collected them.
        cpu_seconds=sum(sum(one[:4]) for one in times),
        own_bytes=sum(member.memory_full_info().uss for member in family),
        count=len(family),
    )
