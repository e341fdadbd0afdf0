"""Who dies while counting leaves nothing out, and counts nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from accounts.models import ReviewGroup
from audit.clock import database_now
from insights import queues
from insights.models import Figure, PersonFigure, Progress, RunFact, Touched
from tests.faults.plant import Plant
from tests.insights.direct import Direct
from tests.insights.history import AGENTS, ELSEWHERE, History
from tests.insights.test_roll_up import COUNTED, people, summed, whole

MADE_UP = {*AGENTS, ELSEWHERE}
#: More than are gathered at once.
RUNS = 640


@pytest.fixture(scope="module")
def made_up(running: Plant) -> None:
    """A history beside that of the plant; nobody takes its open runs up."""
    owner = ReviewGroup.objects.get(slug="finance")
    decided_by = [running.operator, running.reviewer, running.second_reviewer]
    History(1, decided_by, owner, leased=timedelta(days=1_000)).write(RUNS)


@pytest.fixture
def counting(plant: Plant, made_up: None) -> Iterator[Plant]:
    """The plant with workers that count, and nothing counted."""
    Progress.objects.all().delete()
    for derived in (RunFact, Figure, PersonFigure, Touched):
        derived.objects.all().delete()
    plant.start("background")
    yield plant
    plant.kill("background")


def ours(figures: dict[Any, Any]) -> dict[Any, Any]:
    """Those of the made-up history: what the plant does goes on meanwhile."""
    return {key: each for key, each in figures.items() if key[1] in MADE_UP}


@pytest.mark.parametrize("point", ["insights.gathered", "insights.summed"])
def test_a_worker_killed_while_it_counts_leaves_sums_as_a_loop_over_all_rows_finds_them(
    counting: Plant, point: str
) -> None:
    counting.arm("worker", point)
    queues.count()
    counting.struck("worker", point)
    # What was about to commit is not there; what was committed before is.
    if point == "insights.gathered":
        assert not RunFact.objects.exists()
    else:
        assert RunFact.objects.exists()
        assert not Figure.objects.exists()
    killed_at = database_now()

    def caught_up() -> bool:
        # Once a minute the scheduler asks for it; a test does more often.
        queues.count()
        return Progress.objects.filter(caught_up_at__gt=killed_at).exists()

    counting.wait_for(caught_up, what="all of it is counted")
    window = timedelta(hours=settings.COUNTERSIGN.success_hours)
    found = Direct(now=database_now(), window=window, agents=MADE_UP)
    assert ours(summed()) == found.figures
    assert ours(people()) == {
        key: {name: each[name] for name in COUNTED} for key, each in found.people.items()
    }
    this_month = database_now().date().replace(day=1)
    months = {key: sums for key, sums in whole(found.figures).items() if key[0] < this_month}
    assert ours(summed("m")) == months
