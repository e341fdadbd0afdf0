"""What operators say to a run, for tests."""

from __future__ import annotations

from typing import Any

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run, RunMessage
from agents.services.change_goal import change_goal
from agents.services.message_run import message_run
from agents.services.take_over import take_over
from audit.models import Disclosure, Event
from tests.agents.conftest import Counter
from tests.agents.test_effects import PAY
from tests.model_server import ModelServer, call, calls, final

GOAL = "Do not pay. Only read the balance."


def by(user: User) -> Caller:
    """The person in their browser."""
    return Caller.of_session(user)


def say(run: Run, user: User, text: str = "The account is right.") -> RunMessage:
    """Send the run a message."""
    return message_run(run_id=run.pk, text=text, caller=by(user))


def changed(run: Run, user: User, text: str = GOAL) -> Run:
    """Give the run another task."""
    return change_goal(run_id=run.pk, text=text, caller=by(user))


def taken(run: Run, user: User, reason: str = "I call the customer first.") -> Run:
    """Take the run over."""
    return take_over(run_id=run.pk, reason=reason, caller=by(user))


def told(model: ModelServer) -> list[dict[str, Any]]:
    """The newest conversation that the model was sent, without the instructions."""
    messages: list[dict[str, Any]] = model.requests[-1]["messages"]
    return messages[1:]


def parked(counter: Counter, tool: str = "wire") -> Run:
    """A run that waits for a decision on a payment."""
    run = counter.start([calls(call(tool, PAY)), final(summary="Done.")])
    assert run.state == "waiting"
    return run


def discloses(type: str) -> set[str]:
    """What the one event of this type keeps apart, by name."""
    event = Event.objects.get(type=type)
    return set(Disclosure.objects.filter(event=event.pk).values_list("name", flat=True))
