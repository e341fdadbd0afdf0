"""Open pages hear of every step of a run as it is journalled."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from redis import Redis

from accounts.callers import Caller
from accounts.hints import CHANNEL, EVERYTHING, publish
from accounts.models import User
from agents.authoring import Budget
from agents.models import Run
from agents.services.change_goal import change_goal
from agents.services.control import cancel_run, pause_run, resume_run
from agents.services.message_run import message_run
from agents.services.take_over import take_over
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.test_effects import PAY
from tests.model_server import call, calls, error, final, judged

READ = judged({"account": "A1"})
PATIENCE = 10
Heard = Callable[[Run], list[tuple[int, str]]]


@pytest.fixture
def heard(transactional_db: None, redis_client: Redis) -> Heard:
    """`heard(run)`: the hints about the run so far, as (version, kind), newest last."""
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(CHANNEL)
    listener.get_message(timeout=PATIENCE)

    def read(run: Run) -> list[tuple[int, str]]:
        # By the way that hints go, so that it comes after all of them.
        publish([EVERYTHING], {"topic": "run", "id": "end", "version": 0, "kind": "end"})
        found = []
        while message := listener.get_message(timeout=PATIENCE):
            hint = orjson.loads(message["data"])["hint"]
            if hint["id"] == "end":
                break
            if hint["id"] == str(run.pk):
                found.append((hint["version"], hint["kind"]))
        return found

    return read


def test_a_model_call_is_seen_when_it_begins_at_each_failed_attempt_and_when_it_ends(
    heard: Heard, counter: Counter
) -> None:
    run = counter.start([error(500), final(summary="ok")])
    told = heard(run)
    # Begun, failed once, answered with what ends it.
    assert [kind for _, kind in told] == ["started", *["stepped"] * 2, "ended"]
    versions = [version for version, _ in told]
    assert versions == sorted(set(versions))
    assert versions[-1] == run.version


def test_a_limit_that_was_raised_is_seen(
    heard: Heard, counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(tool_calls=1)))
    read = call("read_balance", READ)
    run = counter.start([calls(read, read), final(summary="ok")])
    before = heard(run)[-1][0]
    counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={"tool_calls": 5})
    counter.go_on(run)
    told = heard(run)
    # Woken, raised, the second call and the next model call begun, answered with what ends it.
    assert [kind for _, kind in told] == ["woken", *["stepped"] * 2, "ended"]
    versions = [before, *(version for version, _ in told)]
    assert versions == sorted(set(versions))


def test_what_people_do_to_a_run_is_seen(heard: Heard, counter: Counter, operator: User) -> None:
    run = counter.start([calls(call("pay", PAY))])
    caller, before = Caller.of_session(operator), heard(run)[-1][0]
    moves: dict[str, Callable[[], object]] = {
        "messaged": lambda: message_run(run_id=run.pk, text="Hurry.", caller=caller),
        "paused": lambda: pause_run(run_id=run.pk, reason="", caller=caller),
        "resumed": lambda: resume_run(run_id=run.pk, caller=caller),
        "taken_over": lambda: take_over(run_id=run.pk, reason="", caller=caller),
        "goal_changed": lambda: change_goal(run_id=run.pk, text="Pay nobody.", caller=caller),
        "ended": lambda: cancel_run(run_id=run.pk, reason="", caller=caller),
    }
    for kind, move in moves.items():
        move()
        versions, kinds = zip(*heard(run), strict=True)
        assert kind in kinds
        assert min(versions) > before
        before = max(versions)
