"""`python -m tests.hosts [STAGE …]`: several hosts in network namespaces, and what they survive under load.

Needs root. Exits with 1 when anything was lost, done twice, or took longer than is said.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path

from countersign.testing.model import ModelServer
from tests.faults.outside import reply
from tests.hosts.house import House
from tests.hosts.network import OUTSIDE


def say(line: str) -> None:
    """One line for whoever waits."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Bring the hosts up, do everything to them, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.hosts", description=__doc__)
    parser.add_argument("stages", nargs="*", help="all, unless some are named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where the figures are written as well")
    given = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("network namespaces need root")
    began = time.monotonic()
    logging.disable(logging.WARNING)
    house = House()
    try:
        house.open(ModelServer(reply, host=OUTSIDE))
        say(f"{len(house.machines)} hosts after {time.monotonic() - began:.0f} s")
        # What follows reads settings, which are there only now.
        from tests.hosts.run import whole_run

        figures, found = whole_run(house, given.stages, seed=given.seed)
    except BaseException:
        say(house.last_words())
        raise
    finally:
        house.close()
    for figure in figures:
        most = "" if figure.most is None else f"  (at most {figure.most:g})"
        mark = "" if figure.well else "  NOT WELL"
        say(f"{figure.value:>10g}  {figure.stage}: {figure.what}{most}{mark}")
    for name, sentences in found.items():
        say(f"{len(sentences):>10}  {name}")
        for sentence in sentences[:20]:
            say(f"            {sentence}")
    say(f"{time.monotonic() - began:.0f} seconds")
    if given.json:
        rows = [{**vars(each), "well": each.well} for each in figures]
        given.json.write_text(json.dumps({"figures": rows, "found": found}, indent=1))
    return 1 if any(found.values()) or not all(each.well for each in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
