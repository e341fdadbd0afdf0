"""A worker dies while the scores of a call are gathered: nothing that is stored is asked for again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from agents.models import Run
from approvals.models import ApprovalRequest
from approvals.policies import load
from approvals.services.policies import current
from approvals.services.publish import publish
from audit.actors import Actor
from tests.faults.plant import Plant

TEST = Actor.system("test")
SCORES = {
    "agents": {"works": {"source": "verifier", "also": ["agreement"], "samples": 3}},
}
POINTS = (
    *((f"score.begun.{source}", source) for source in ("verifier", "agreement")),
    *((f"score.before_commit.{source}", source) for source in ("verifier", "agreement")),
    *((f"score.committed.{source}", "") for source in ("verifier", "agreement")),
    *((f"judgement.{moment}", "") for moment in ("before_commit", "committed")),
)


@pytest.fixture
def scored(plant: Plant) -> Iterator[Plant]:
    """The plant under a policy that has every call of its agent scored."""
    before = current()
    document = {**before.policy.document(), "scores": SCORES}
    publish(document=load(document), base_version=before.version, caller=TEST, why="For a test.")
    yield plant
    publish(document=before.policy, base_version=current().version, caller=TEST, why="Over.")


def asked(plant: Plant, since: int) -> Counter[str]:
    """How often the model was asked, by what for."""
    return Counter(
        "verifier"
        if "response_format" in request
        else "agreement"
        if "seed" in request
        else "agent"
        for request in plant.model.requests[since:]
    )


@pytest.mark.parametrize(("point", "again"), POINTS)
def test_a_worker_killed_while_a_call_is_scored_loses_nothing_and_asks_for_nothing_twice(
    scored: Plant, point: str, again: str
) -> None:
    since = len(scored.model.requests)
    scored.arm("worker", point)
    ticket, run = scored.start_works([("post", "20.00")])
    scored.struck("worker", point)
    scored.wait_until(run, "waiting")
    expected = Counter(agent=1, verifier=1, agreement=2)
    if again and point.startswith("score.before_commit"):
        # The answer had come and was not stored yet.
        expected[again] += 1
    assert asked(scored, since) == expected
    request = ApprovalRequest.objects.get(run_id=run.pk)
    assert request.signals == {"self_reported": 9_500, "verifier": 10_000, "agreement": 10_000}
    steps = list(run.steps.filter(kind="score").order_by("seq"))
    assert [step.name for step in steps] == ["verifier", "agreement", "agreement"]
    assert sum(len(step.attempts) for step in steps) == bool(again)
    assert scored.done(ticket) == []
    scored.approve(run)
    scored.wait_until(run, "succeeded")
    assert len(scored.done(ticket)) == 1
    assert Run.objects.get(pk=run.pk).model_calls == 5
