"""A worker process that advances the runs it is told of, one after the other: `python -m tests.faults.dispatcher`.

Each line that it reads is a run's id; once it has done what it can for that run, it answers with the run's
state. With `ordinary` as argument no run is taken up together with the intent of its call.
"""

from __future__ import annotations

import sys
from typing import Any
from uuid import UUID

import django

READY = "ready"


def main() -> None:
    """Host the teller as the test does, then work until nothing more is asked."""
    django.setup()
    from agents import registry
    from agents.models import Run
    from agents.runner import advance
    from agents.services import take_up
    from tests.agents.bank import Bank, teller

    registry.register(teller(Bank()))
    if "ordinary" in sys.argv:

        def nothing(*_claimed: Any) -> None:
            """Nothing is plain here."""

        take_up._intended = nothing
    say(READY)
    for line in sys.stdin:
        run_id = UUID(line.strip())
        advance(run_id, owner="dispatcher", stopping=lambda: False)
        say(str(Run.objects.values_list("state", flat=True).get(pk=run_id)))


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
