"""Who dies while reading back what was done, or while taking it back."""

from __future__ import annotations

import pytest

from accounts.callers import Caller
from agents.models import EffectRecord, Run
from agents.services.ask_undo import ask_undo
from tests.faults.plant import Plant


@pytest.mark.parametrize("point", ["look.begun", "look.ended"])
@pytest.mark.parametrize(
    ("tool", "state", "effect"),
    [("weigh", "succeeded", "succeeded"), ("seal", "waiting", "in_doubt")],
)
def test_a_worker_that_dies_while_it_reads_back_has_done_it_once_and_no_other_does_it_again(
    plant: Plant, tool: str, state: str, effect: str, point: str
) -> None:
    ticket, run = plant.parked([(tool, "20.00")])
    plant.arm("worker", point)
    plant.approve(run)
    plant.struck("worker", point)
    plant.wait_for(lambda: plant.effect_of(run).state == effect, what=f"the effect is {effect}")
    assert plant.wait_until(run, "succeeded", "waiting") == state
    assert len(plant.done(ticket)) == 1


def undone(plant: Plant, tool: str, point: str) -> tuple[str, EffectRecord]:
    """What a run did is to be taken back, which is approved, and the worker dies at the point."""
    ticket, run = plant.parked([(tool, "20.00")])
    plant.approve(run)
    plant.wait_until(run, "succeeded")
    done = plant.effect_of(run)
    operator = Caller.of_session(plant.operator)
    ask_undo(run_id=run.pk, effect_id=done.pk, reason="By mistake.", caller=operator)
    undoing = Run.objects.get(undoes=done)
    plant.wait_until(undoing, "waiting")
    plant.arm("worker", point)
    plant.approve(undoing)
    plant.struck("worker", point)
    plant.wait_until(undoing, "succeeded", "waiting")
    return ticket, plant.effect_of(undoing)


@pytest.mark.parametrize("point", ["undo.begun", "call.sent", "result.before_commit"])
def test_an_undo_whose_worker_dies_takes_back_under_one_key(plant: Plant, point: str) -> None:
    ticket, undo = undone(plant, "lend", point)
    assert undo.state == "succeeded"
    made = [call for call in plant.recorder.of(ticket) if call.tool == "undo_lend"]
    assert {call.key for call in made} == {undo.idempotency_key}
    assert [call.tool for call in plant.recorder.of(ticket)].count("lend") == 1


@pytest.mark.parametrize(
    ("point", "times"), [("undo.begun", 0), ("call.sent", 1), ("result.before_commit", 1)]
)
def test_an_opaque_undo_whose_worker_dies_is_not_made_again_and_a_person_is_asked(
    plant: Plant, point: str, times: int
) -> None:
    ticket, undo = undone(plant, "lock", point)
    plant.wait_for(
        lambda: EffectRecord.objects.get(pk=undo.pk).state == "in_doubt", what="it is in doubt"
    )
    (asked,) = plant.pending(undo.run)
    assert asked.kind == "in_doubt"
    made = [call for call in plant.recorder.of(ticket) if call.tool == "undo_lock"]
    assert len(made) == times
