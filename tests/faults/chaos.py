"""`python -m tests.faults.chaos --runs N --seed S`: thousands of runs in a storm, and a tally of it.

Exits with 1 when a run was lost, an effect was done twice, or anything else does not add up.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys

from tests.harness.environment import TestProcess, set_up

PROCESS: TestProcess = set_up()

from tests.faults.balance import violations  # noqa: E402
from tests.faults.plant import Plant  # noqa: E402
from tests.faults.storm import Storm, table  # noqa: E402


def main() -> int:
    """Bring the workshop up, let the storm loose, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between troubles")
    parser.add_argument(
        "--redis-away", type=float, default=60.0, help="seconds without Redis in the midst of it"
    )
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    sys.stdout.write(
        f"A storm over {given.runs} runs, seed {given.seed}; two cores take about 0.3 s a run.\n"
    )
    sys.stdout.flush()
    plant = Plant(PROCESS, resume_workers=4, run_workers=2)
    try:
        storm = Storm(
            plant.open(),
            runs=given.runs,
            seed=given.seed,
            pause=given.pause,
            redis_away=given.redis_away,
        )
        storm.rage()
        found = violations(plant)
        if any(found.values()):
            sys.stdout.write(plant.last_words())
    finally:
        plant.close()
        PROCESS.close()
    sys.stdout.write(f"{table(storm.tally, found)}\n")
    for sentences in found.values():
        sys.stdout.writelines(f"{sentence}\n" for sentence in sentences[:20])
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
