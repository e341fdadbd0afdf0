"""Wake-ups that are doubled, late or lost; Redis and PostgreSQL that go and come back."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from redis import Redis

from agents.models import Run
from agents.queues import RESUMES, RUNS, wake
from tests.faults.plant import Plant


def drained(plant: Plant) -> bool:
    """Whether no wake-up is left in the queues."""
    with Redis.from_url(plant.process.redis_url) as client:
        return not any(client.llen(f"rq:queue:{queue}") for queue in (RESUMES, RUNS))


def test_doubled_late_and_disordered_wake_ups_change_nothing(plant: Plant) -> None:
    ticket, run = plant.parked([("post", "20.00"), ("book", "30.00")])
    before = Run.objects.get(pk=run.pk)
    for seq in (9, before.wake_seq, 0, before.wake_seq, 9):
        wake(run.pk, seq, RESUMES)
        wake(run.pk, seq, RUNS)
    plant.wait_for(lambda: drained(plant), what="the wake-ups were taken")
    assert Run.objects.get(pk=run.pk).epoch == before.epoch
    plant.approve(run)
    for seq in (3, 0, 3, 1, 2):
        wake(run.pk, seq, RESUMES)
        wake(run.pk, seq, RUNS)
    plant.wait_until(run, "succeeded")
    assert len(plant.done(ticket)) == len(set(plant.done(ticket))) == 2


def test_a_wake_up_for_a_run_that_ended_changes_nothing(plant: Plant) -> None:
    ticket, run = plant.parked([("post", "20.00")])
    plant.approve(run)
    plant.wait_until(run, "succeeded")
    ended = Run.objects.get(pk=run.pk)
    wake(run.pk, ended.wake_seq + 1, RESUMES)
    plant.wait_for(lambda: drained(plant), what="the wake-up was taken")
    # One that comes after it in the same queue is done, so the first was.
    other, following = plant.parked([("book", "20.00")])
    plant.approve(following)
    plant.wait_until(following, "succeeded")
    now = Run.objects.get(pk=run.pk)
    assert (now.version, now.epoch, now.state) == (ended.version, ended.epoch, "succeeded")
    assert (len(plant.done(ticket)), len(plant.done(other))) == (1, 1)


@pytest.mark.parametrize("how", ["flushed", "restarted"])
def test_queued_running_and_parked_runs_survive_a_redis_that_forgets_everything(
    plant: Plant, how: str
) -> None:
    waiting, parked = plant.parked([("post", "20.00")])
    busy, running = plant.parked([("pay", "20.00")])
    plant.recorder.holds[busy] = threading.Event()
    plant.approve(running)
    plant.wait_for(lambda: plant.recorder.of(busy), what="the call is under way")
    idle = [
        worker
        for name in ("resumes", "runs")
        for worker in plant.workers_of(name)
        if not Run.objects.filter(pk=running.pk, lease_owner__endswith=f":{worker}").exists()
    ]
    for worker in idle:
        os.kill(worker, signal.SIGSTOP)
    fresh, queued = plant.start_works([("book", "2.00")])
    if how == "flushed":
        with Redis.from_url(plant.process.redis_url) as client:
            client.flushall()
    else:
        plant.redis.stop()
        plant.redis.start()
    for worker in idle:
        os.kill(worker, signal.SIGCONT)
    plant.recorder.holds[busy].set()
    plant.wait_until(queued, "succeeded")
    plant.wait_until(running, "succeeded")
    plant.wait_until(parked, "waiting")
    plant.approve(parked)
    plant.wait_until(parked, "succeeded")
    assert [len(set(plant.done(ticket))) for ticket in (waiting, busy, fresh)] == [1, 1, 1]
    assert len(plant.done(waiting)) == 1


def test_idle_workers_outlive_a_restart_of_postgresql(plant: Plant) -> None:
    ticket, run = plant.parked([("post", "20.00")])
    plant.restart_postgres()
    plant.approve(run)
    plant.wait_until(run, "succeeded")
    assert len(plant.done(ticket)) == 1


@pytest.mark.parametrize(
    ("tool", "end"), [("pay", "succeeded"), ("order", "succeeded"), ("post", "waiting")]
)
def test_postgresql_restarts_while_a_worker_is_in_a_call_and_the_call_keeps_its_promise(
    plant: Plant, tool: str, end: str
) -> None:
    ticket, run = plant.parked([(tool, "20.00")])
    plant.recorder.holds[ticket] = threading.Event()
    plant.approve(run)
    plant.wait_for(lambda: plant.recorder.of(ticket), what="the call is under way")
    plant.restart_postgres()
    plant.recorder.holds[ticket].set()
    assert plant.wait_until(run, "succeeded", "waiting") == end
    keys = plant.done(ticket)
    assert len(set(keys)) == 1
    assert len(keys) <= (2 if tool == "pay" else 1)
