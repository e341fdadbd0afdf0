"""The web process dies at each point of a decision: it is taken once or not at all, and never lost."""

from __future__ import annotations

from http.client import RemoteDisconnected
from uuid import uuid4

import pytest

from approvals.models import Vote
from tests.faults.plant import Plant
from tests.harness.client import ApiClient


@pytest.fixture
def web(plant: Plant) -> Plant:
    """The plant with a web process that answers."""
    return open_door(plant)


def open_door(plant: Plant) -> Plant:
    if not plant.is_running("web"):
        plant.start("web")
        plant.wait_for(lambda: "web" not in plant.missing(), 60, "the web process answers")
    return plant


def cut_off(web: Plant, person: ApiClient, path: str, body: dict[str, object]) -> None:
    """Decide, and lose the answer with the web process; then it comes back."""
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        person.post(path, body)
    web.running["web"].wait(20)
    open_door(web)


@pytest.mark.parametrize(
    ("point", "taken"),
    [("decision.before_commit", False), ("wake.unsent", True), ("wake.sent", True)],
)
def test_a_decision_whose_process_died_is_whole_or_not_there_and_may_be_sent_again(
    web: Plant, point: str, taken: bool
) -> None:
    ticket, run = web.parked([("post", "20.00")])
    person = ApiClient(web, web.reviewer)
    (request,) = [person.get(f"approvals/{each.pk}") for each in web.pending(run)]
    seen = {name: request[name] for name in ("revision", "digest", "shown_sha256")}
    body = {"verdict": "approve", "nonce": uuid4().hex, **seen}
    path = f"approvals/{request['id']}/decisions"
    web.arm("web", point)
    cut_off(web, person, path, body)
    assert Vote.objects.filter(request_id=request["id"]).exists() == taken
    status, answer = person.post(path, body)
    assert status == 200, answer
    assert Vote.objects.filter(request_id=request["id"]).count() == 1
    web.wait_until(run, "succeeded")
    assert len(web.done(ticket)) == 1
