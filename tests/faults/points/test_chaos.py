"""A storm over a hundred runs (`make chaos` takes thousands): whatever dies, nothing is lost, doubled or untold."""

from __future__ import annotations

import pytest

from tests.faults.balance import violations
from tests.faults.plant import Plant
from tests.faults.storm import Storm, table

RUNS = 100
SEED = 7


@pytest.mark.timeout(600)
def test_random_kills_flushes_and_doubled_wake_ups_lose_nothing_and_do_nothing_twice(
    plant: Plant,
) -> None:
    storm = Storm(plant, runs=RUNS, seed=SEED)
    storm.rage()
    found = violations(plant)
    said = table(storm.tally, found)
    assert not any(found.values()), f"{said}\n{found}\n{plant.last_words()}"
    assert storm.tally["runs"] == RUNS
    assert storm.tally["kills"] > 0, said
    assert storm.tally["calls counted outside"] > RUNS / 2, said
