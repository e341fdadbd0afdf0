"""Named points at which a test lets a process die or stand still, to see that nothing is lost by it.

Off unless `COUNTERSIGN_FAULT_POINTS` names a folder, which the settings take only on a machine of one's own
and which every process says aloud at its start. A point is armed by a file of its name in that folder
holding `kill` or `stop`, and is used up by the one process that takes the file away.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

from django.conf import settings

FOLDER: Final[Path | None] = settings.COUNTERSIGN.fault_points
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def reached(point: str, of: str = "") -> None:
    """Die or stand still here if the point is armed; `of` tells apart what passes the same point."""
    if FOLDER is not None:
        _act(FOLDER, f"{point}.{of}" if of else point)


def _act(folder: Path, name: str) -> None:
    armed, used = folder / name, folder / f"{name}.used.{os.getpid()}"
    try:
        what = armed.read_text()
        armed.rename(used)
    except FileNotFoundError:
        # Not armed, or another process was faster.
        return
    # To this thread: one to the process may be taken by another thread, while this one goes on for a moment.
    signal.raise_signal(_SIGNALS[what])
