"""Who comes back too late, who dies in a batch, and what dies again and again."""

from __future__ import annotations

import os
import signal

import pytest
from django.db.models import F
from django.db.models.functions import Now

from agents.models import Run
from tests.faults.plant import Plant


def overtaken(plant: Plant, tool: str, point: str) -> tuple[str, Run, str]:
    """A worker stood still past its lease at the point; another took the run over; then it woke."""
    ticket, run = plant.parked([(tool, "20.00")])
    plant.arm("worker", point, "stop")
    plant.approve(run)
    frozen = plant.struck("worker", point)
    state = plant.wait_until(run, "succeeded", "waiting")
    os.kill(frozen, signal.SIGCONT)
    plant.wait_for(lambda: lost(plant, run), what="the late worker has seen that it is late")
    assert plant.wait_until(run, "succeeded", "waiting") == state
    return ticket, run, state


def lost(plant: Plant, run: Run) -> bool:
    """Whether a worker has said that it lost the lease of the run."""
    said = (plant.log_of("resumes") + plant.log_of("runs")).splitlines()
    return any("lease_lost" in line and str(run.pk) in line for line in said)


@pytest.mark.parametrize("point", ["run.claimed", "intent.committed"])
@pytest.mark.parametrize(
    ("tool", "times", "effect"),
    [
        ("book", 1, "succeeded"),
        ("pay", 1, "succeeded"),
        ("order", 0, "in_doubt"),
        ("post", 0, "in_doubt"),
    ],
)
def test_a_worker_that_stood_still_before_the_call_finds_itself_overtaken_and_does_not_call(
    plant: Plant, tool: str, times: int, effect: str, point: str
) -> None:
    ticket, run, _ = overtaken(plant, tool, point)
    assert len(plant.done(ticket)) == times
    assert plant.effect_of(run).state == effect


@pytest.mark.parametrize(("tool", "effect"), [("order", "succeeded"), ("post", "in_doubt")])
def test_a_worker_that_stood_still_in_the_call_writes_nothing_when_it_comes_back(
    plant: Plant, tool: str, effect: str
) -> None:
    ticket, run, _ = overtaken(plant, tool, "call.sent")
    assert len(plant.done(ticket)) == 1
    assert plant.effect_of(run).state == effect
    assert plant.effect_of(run).epoch < Run.objects.get(pk=run.pk).epoch


@pytest.mark.parametrize(
    ("tool", "verdict", "effect"),
    [("post", "happened", "succeeded"), ("post", "did_not", "failed")],
)
def test_a_call_whose_answer_was_lost_is_in_doubt_until_a_person_has_found_out(
    plant: Plant, tool: str, verdict: str, effect: str
) -> None:
    ticket, run = plant.parked([(tool, "20.00")])
    plant.recorder.deaf.add(ticket)
    plant.approve(run)
    plant.wait_for(lambda: [each.kind for each in plant.pending(run)] == ["in_doubt"])
    (doubt,) = plant.pending(run)
    plant.decide(doubt, verdict)
    plant.wait_until(run, "succeeded")
    assert (len(plant.done(ticket)), plant.effect_of(run).state) == (1, effect)


def test_a_queryable_call_whose_answer_was_lost_is_looked_up_and_settled(plant: Plant) -> None:
    ticket, run = plant.parked([("order", "20.00")])
    plant.recorder.deaf.add(ticket)
    plant.approve(run)
    plant.wait_until(run, "succeeded")
    assert (len(plant.done(ticket)), plant.effect_of(run).state) == (1, "succeeded")


def test_an_idempotent_call_whose_answers_are_lost_is_repeated_with_one_key_and_then_asked_about(
    plant: Plant,
) -> None:
    ticket, run = plant.parked([("pay", "20.00")])
    plant.recorder.deaf.add(ticket)
    plant.approve(run)
    plant.wait_for(lambda: [each.kind for each in plant.pending(run)] == ["in_doubt"])
    keys = plant.done(ticket)
    assert (len(keys), len(set(keys))) == (3, 1)


def asleep(plant: Plant, number: int) -> list[Run]:
    """Runs whose sleep is over, with no scheduler to see it."""
    runs = [plant.parked([("pay", "20.00")])[1] for _ in range(number)]
    plant.kill("scheduler")
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(
        state="sleeping", wake_at=Now(), parked_at=None
    )
    return [Run.objects.get(pk=run.pk) for run in runs]


@pytest.mark.parametrize("point", ["sweep.row_done._rouse", "sweep.unsent"])
def test_a_scheduler_killed_in_the_middle_of_a_batch_leaves_the_rest_to_the_next(
    plant: Plant, point: str
) -> None:
    runs = asleep(plant, 3)
    if point == "sweep.unsent":
        # Ready, noted as told to a worker, and nobody was told.
        Run.objects.filter(pk__in=[run.pk for run in runs]).update(
            state="ready", wake_at=None, ready_at=Now()
        )
    plant.arm("scheduler", point)
    plant.start("scheduler")
    plant.struck("scheduler", point)
    plant.running["scheduler"].wait(60)
    plant.start("scheduler")
    for run in runs:
        plant.wait_until(run, "waiting")
        plant.approve(run)
    for run in runs:
        plant.wait_until(run, "succeeded")


def test_two_schedulers_with_the_same_batch_wake_each_sleeper_once(plant: Plant) -> None:
    runs = asleep(plant, 4)
    plant.arm("scheduler", "sweep.row_done._rouse", "stop")
    plant.start("scheduler")
    slow = plant.struck("scheduler", "sweep.row_done._rouse")
    plant.start("second scheduler")
    for run in runs:
        plant.wait_until(run, "waiting")
    plant.kill("second scheduler")
    os.kill(slow, signal.SIGCONT)
    # What only the first can wake is woken, so it is through with its old batch.
    _, last = plant.parked([("pay", "20.00")])
    Run.objects.filter(pk=last.pk).update(state="sleeping", wake_at=Now(), parked_at=None)
    plant.wait_until(last, "waiting")
    for run in runs:
        assert Run.objects.get(pk=run.pk).wake_seq == run.wake_seq + 1


def test_a_run_that_kills_its_workers_again_and_again_is_shown_to_a_person(plant: Plant) -> None:
    plant.arm("worker", "run.claimed")
    _, run = plant.start_works([("pay", "20.00")])
    for _ in range(5):
        plant.struck("worker", "run.claimed")
        plant.arm("worker", "run.claimed")
    plant.struck("worker", "run.claimed")
    plant.wait_until(run, "waiting")
    assert [request.kind for request in plant.pending(run)] == ["attention"]
    assert Run.objects.filter(pk=run.pk, epoch__gte=F("stalled_claims") + 6).exists()
