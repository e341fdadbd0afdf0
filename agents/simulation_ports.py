"""Who besides journals and given answers knows what comes of the calls of simulated runs; a higher app fills it in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from agents.models import Step
from agents.simulation import Answers


class Scripts(Protocol):
    """Keeps scripts of simulated runs."""

    def answers_of(self, run: UUID, steps: Sequence[Step]) -> Answers | None:
        """What answers this run, whose journal is `steps`; None where no script of it is kept."""


class _NoScripts:
    def answers_of(self, run: UUID, steps: Sequence[Step]) -> Answers | None:
        return None


_installed: Scripts = _NoScripts()


def install(scripts: Scripts) -> None:
    """Have simulated runs ask these scripts before anything else."""
    global _installed  # noqa: PLW0603
    _installed = scripts


def scripted(run: UUID, steps: Sequence[Step]) -> Answers | None:
    """What the installed scripts have for this run."""
    return _installed.answers_of(run, steps)
