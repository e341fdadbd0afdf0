"""A worker dies at each point of carrying out an approved call: each effect class keeps its promise."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.faults.plant import WORKERS, Plant

TOOLS = ("book", "pay", "order", "post")
BEFORE_INTENT = ("job.popped", "run.claiming", "intent.before_commit")
AFTER_INTENT = ("run.claimed", "intent.committed")
AFTER_SENDING = ("call.sent", "call.returned", "result.before_commit")


def approved_and_struck(plant: Plant, tool: str, point: str) -> tuple[str, object]:
    """An approved call whose worker dies at the point; the run's ticket, and where it came to rest."""
    ticket, run = plant.parked([(tool, "20.00")])
    plant.arm("worker", point)
    plant.approve(run)
    plant.struck("worker", point)
    state = plant.wait_until(run, "succeeded", "waiting")
    kinds = [request.kind for request in plant.pending(run)]
    return ticket, (state, kinds, plant.effect_of(run).state)


DONE = ("succeeded", [], "succeeded")
IN_DOUBT = ("waiting", ["in_doubt"], "in_doubt")


@pytest.mark.parametrize("point", BEFORE_INTENT)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_worker_killed_before_the_intent_commits_has_done_nothing_and_the_next_does_it_once(
    plant: Plant, tool: str, point: str
) -> None:
    ticket, end = approved_and_struck(plant, tool, point)
    assert end == DONE
    assert len(plant.done(ticket)) == 1


@pytest.mark.parametrize("point", AFTER_INTENT)
@pytest.mark.parametrize(
    ("tool", "end", "times"),
    [("book", DONE, 1), ("pay", DONE, 1), ("order", IN_DOUBT, 0), ("post", IN_DOUBT, 0)],
)
def test_a_worker_killed_between_intent_and_call_leaves_no_more_than_its_class_allows(
    plant: Plant, tool: str, end: object, times: int, point: str
) -> None:
    ticket, ended = approved_and_struck(plant, tool, point)
    assert ended == end
    assert len(plant.done(ticket)) == times


@pytest.mark.parametrize("point", AFTER_SENDING)
@pytest.mark.parametrize(
    ("tool", "end", "times"), [("book", DONE, 1), ("order", DONE, 1), ("post", IN_DOUBT, 1)]
)
def test_a_call_that_was_sent_when_its_worker_died_is_never_made_again(
    plant: Plant, tool: str, end: object, times: int, point: str
) -> None:
    ticket, ended = approved_and_struck(plant, tool, point)
    assert ended == end
    assert len(plant.done(ticket)) == times


@pytest.mark.parametrize("point", AFTER_SENDING)
def test_an_idempotent_call_whose_worker_died_is_sent_again_with_the_same_key(
    plant: Plant, point: str
) -> None:
    ticket, ended = approved_and_struck(plant, "pay", point)
    assert ended == DONE
    keys = plant.done(ticket)
    assert (len(keys), len(set(keys))) == (2, 1)


@pytest.mark.parametrize("point", ["result.committed", "job.done"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_worker_killed_after_the_result_committed_leaves_nothing_to_do_again(
    plant: Plant, tool: str, point: str
) -> None:
    ticket, ended = approved_and_struck(plant, tool, point)
    assert ended == DONE
    assert len(plant.done(ticket)) == 1


@pytest.mark.parametrize("tool", TOOLS)
def test_a_call_that_the_gate_allows_keeps_the_same_promise(plant: Plant, tool: str) -> None:
    plant.arm("worker", "call.returned")
    ticket, run = plant.start_works([(tool, "2.00")])
    plant.struck("worker", "call.returned")
    state = plant.wait_until(run, "succeeded", "waiting")
    assert state == ("waiting" if tool == "post" else "succeeded")
    assert len(set(plant.done(ticket))) == 1
    assert len(plant.done(ticket)) == (2 if tool == "pay" else 1)


@pytest.mark.parametrize("name", WORKERS)
def test_every_process_says_aloud_that_fault_points_are_on(plant: Plant, name: str) -> None:
    # From its command line: a stack's process is forked from one that has said it.
    process = subprocess.Popen(
        plant.programs[name].arguments,
        cwd=plant.project,
        env=plant.environment_of(name),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        assert any("Fault points are on" in line for line in process.stdout)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
