"""What an agent spends, while its workers die or race each other to spend the last of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from agents.agent_budgets import spent_by
from agents.agent_limits import AgentLimits
from agents.models import HostedAgent, Run, Step
from agents.services.set_limits import set_limits
from agents.usage import most_tokens_in
from audit.clock import database_now
from tests.faults.plant import TEST, Plant

RUNS = 6
WORKERS = 3
"""Two of the pool that resumes, one of the pool that begins: each has one call under way at most."""


def spent() -> int:
    """Tokens that the agent has spent today, by its sums."""
    hosted = HostedAgent.objects.get(slug="works")
    return spent_by(hosted.pk, database_now())["day_tokens"]


def charged(*runs: Run) -> int:
    """Tokens that these runs have spent, by their journals."""
    steps = Step.objects.filter(run__in=runs)
    return sum(step.tokens_in + step.tokens_out for step in steps)


@pytest.fixture
def unlimited(plant: Plant) -> Iterator[None]:
    """The agent's limits are taken back at the end."""
    yield
    set_limits(slug="works", limits=AgentLimits(), caller=TEST)


@pytest.mark.parametrize("point", ["reply.before_commit", "reply.committed", "job.done"])
def test_a_reply_is_charged_to_its_agent_once_wherever_its_worker_dies(
    plant: Plant, point: str
) -> None:
    before = spent()
    plant.arm("worker", point)
    _, run = plant.start_works([("pay", "20.00")])
    plant.struck("worker", point)
    plant.wait_until(run, "waiting")
    assert spent() - before == charged(run) > 0


def test_workers_that_race_for_the_last_of_a_budget_pass_it_by_a_call_each_at_most(
    plant: Plant, unlimited: None
) -> None:
    runs = [plant.parked([("pay", "20.00")])[1] for _ in range(RUNS)]
    before, first = spent(), max(charged(run) for run in runs)
    # Room for what the next call may take at most, and after it for no other.
    needed = most_tokens_in(plant.model.requests[-1]) + settings.COUNTERSIGN.model_reply_tokens
    room = needed + first // 2
    limits = AgentLimits.model_validate({"day": {"tokens": before + room}, "over_percent": 0})
    set_limits(slug="works", limits=limits, caller=TEST)
    for run in runs:
        plant.approve(run)

    def settled() -> bool:
        at_limit = Step.objects.filter(run__in=runs, kind="budget", state="waiting").count()
        return at_limit + ended(runs) == RUNS

    plant.wait_for(settled, what="each run has ended or stands at the limit")
    assert 1 <= ended(runs) <= WORKERS
    assert spent() - before == charged(*runs) - RUNS * first <= room + (WORKERS - 1) * needed
    names = Step.objects.filter(run__in=runs, kind="budget").values_list("name", flat=True)
    assert set(names) == {"day_tokens"}


def ended(runs: list[Run]) -> int:
    """How many of the runs have come to their end."""
    return Run.objects.filter(pk__in=[run.pk for run in runs], state="succeeded").count()
