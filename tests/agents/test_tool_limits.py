"""Tools that may be called only so often, and tools that fail again and again: all workers count together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse
from pydantic import ValidationError
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from agents import registry
from agents.authoring import Rate, Retryable, Terminal, Tool
from agents.execution import Done, Failed
from agents.models import EffectRecord, Run, Step, ToolHealth
from agents.services.break_circuit import note_outcome, seconds_left, take_probe
from agents.services.spend_allowance import spend_allowance
from agents.sweep import sweep_once
from approvals.models import ApprovalRequest
from approvals.services.expire import past_execution
from approvals.vocabulary import Verdict
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter
from tests.agents.test_effects import PAY, approved
from tests.model_server import call, calls, final, judged

READ = call("read_balance", judged({"account": "A1"}))
Steps = Callable[[Run], list[Step]]


def tool_of(name: str) -> Tool:
    tool = registry.get("teller").tool(name)
    assert tool is not None
    return tool


def hours_pass(run: Run) -> Run:
    """Let the run's sleep end, and whatever its tools wait for."""
    ToolHealth.objects.update(
        refilled_at=F("refilled_at") - timedelta(hours=9),
        open_until=F("open_until") - timedelta(hours=9),
    )
    Run.objects.filter(pk=run.pk).update(wake_at=F("created_at"))
    assert sweep_once()["sleepers_woken"] == 1
    return run


def test_a_tool_that_may_not_be_called_yet_lets_its_run_sleep_until_it_may(
    counter: Counter, steps_of: Steps
) -> None:
    tool_of("read_balance").rate = Rate(calls=1, seconds=3600)
    run = counter.start([calls(READ, READ), final(summary="ok")])
    assert (run.state, run.sleeps) == ("sleeping", 0)
    # It waits for no person: that time is not counted as such.
    assert run.parked_at is None
    assert [step.state for step in steps_of(run)[1:]] == ["succeeded", "proposed"]
    assert run.wake_at is not None
    assert 3500 < (run.wake_at - run.created_at).total_seconds() < 3700
    assert counter.go_on(hours_pass(run)).state == "succeeded"


def test_an_approved_call_that_may_not_be_sent_yet_has_no_intent_and_lapses_in_time(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    tool = tool_of("pay")
    tool.rate = Rate(calls=1, seconds=3600)
    assert spend_allowance(tool) == 0
    run = counter.go_on(approved(counter, reviewer, "pay"))
    assert (run.state, bank.sent) == ("sleeping", [])
    assert not EffectRecord.objects.exists()
    request = ApprovalRequest.objects.get(run_id=run.pk)
    assert request.state == "approved"
    ApprovalRequest.objects.filter(pk=request.pk).update(execute_by=F("created_at"))
    assert past_execution(request.pk)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("succeeded", [])


def test_people_are_asked_although_another_call_may_not_be_made_yet(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    tool = tool_of("read_balance")
    tool.rate = Rate(calls=1, seconds=3600)
    spend_allowance(tool)
    run = counter.start([calls(READ, call("pay", PAY)), final(summary="ok")])
    assert run.state == "sleeping"
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("sleeping", 1)


def test_a_call_that_is_sent_again_counts_too(counter: Counter, bank: Bank, reviewer: User) -> None:
    tool = tool_of("pay")
    tool.rate = Rate(calls=2, seconds=3600)
    troubles = iter([True, True, False])

    def busy() -> None:
        if next(troubles):
            raise Retryable("The bank is busy.")

    bank.trouble = busy
    assert counter.go_on(approved(counter, reviewer, "pay")).state == "succeeded"
    assert len(bank.sent) == 3
    assert spend_allowance(tool) > 3000


@pytest.mark.django_db(transaction=True)
def test_workers_that_count_at_once_never_count_too_little(bank: Bank) -> None:
    tool = tool_of("pay")
    tool.rate = Rate(calls=5, seconds=3600)
    begin, waits = threading.Barrier(8, timeout=20), []

    def spend() -> None:
        begin.wait()
        waits.append(spend_allowance(tool))
        connection.close()

    workers = [threading.Thread(target=spend) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert sorted(wait == 0 for wait in waits) == [False] * 3 + [True] * 5


@pytest.mark.parametrize(
    "given", [{"calls": 0, "seconds": 1}, {"calls": 1, "seconds": float("inf")}]
)
def test_a_rate_that_allows_nothing_or_everything_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rate(**given)


# -- failing again and again -----------------------------------------------------------------------


def fails(error: Exception) -> Callable[..., Any]:
    def fail(*_given: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [Retryable("Busy."), OSError("gone")], ids=["retryable", "raised"]
)
def test_after_failures_in_a_row_runs_that_want_the_tool_sleep(
    counter: Counter, steps_of: Steps, error: Exception
) -> None:
    tool_of("read_balance").function = fails(error)
    run = counter.start([calls(*[READ] * 6), final(summary="ok")])
    assert run.state == "sleeping"
    assert [step.state for step in steps_of(run)[1:]] == ["failed"] * 5 + ["proposed"]
    opened = Event.objects.get(type="breaker.opened")
    assert opened.stream == "agent:teller"
    other = counter.start([calls(READ), final(summary="ok")])
    assert (other.state, other.model_calls) == ("sleeping", 1)
    assert other.wake_at is not None
    assert (other.wake_at - other.created_at).total_seconds() > 50


def test_a_refusal_of_the_tool_is_no_failure(counter: Counter) -> None:
    tool_of("read_balance").function = fails(Terminal("There is no such account."))
    run = counter.start([calls(*[READ] * 6), final(summary="ok")])
    assert run.state == "succeeded"
    assert not ToolHealth.objects.exists()


def test_a_success_in_between_begins_the_count_anew(counter: Counter, steps_of: Steps) -> None:
    answers = iter([False] * 4 + [True] + [False] * 4 + [True])

    def sometimes(*_given: object) -> dict[str, str]:
        if not next(answers):
            raise Retryable("Busy.")
        return {"account": "A1", "balance": "1.00"}

    tool_of("read_balance").function = sometimes
    run = counter.start([calls(*[READ] * 10), final(summary="ok")])
    assert (run.state, ToolHealth.objects.get().failures) == ("succeeded", 0)


def test_a_failure_that_the_next_sending_made_good_is_not_counted_on(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    left = [Retryable("busy")]

    def busy_once() -> None:
        if left:
            raise left.pop()

    bank.trouble = busy_once
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 2
    assert [health.failures for health in ToolHealth.objects.all()] == [0]


def opened(counter: Counter) -> Run:
    """A run that sleeps because the balance could not be read five times."""
    tool = tool_of("read_balance")
    well = tool.function
    tool.function = fails(Retryable("Busy."))
    run = counter.start([calls(*[READ] * 6), final(summary="ok")])
    tool.function = well
    return run


def test_one_call_finds_out_and_its_success_lets_all_go_on(counter: Counter) -> None:
    run = hours_pass(opened(counter))
    tool = tool_of("read_balance")
    first, second = uuid4(), uuid4()
    assert (seconds_left(tool, first), take_probe(tool, first)) == (0.0, True)
    assert not take_probe(tool, second)
    assert seconds_left(tool, second) == 5.0
    assert take_probe(tool, first)
    assert counter.go_on(run).state == "sleeping"
    assert counter.go_on(hours_pass(run)).state == "succeeded"
    assert seconds_left(tool, second) is None
    assert Event.objects.filter(type="breaker.closed").count() == 1


def test_a_call_that_finds_out_and_fails_doubles_the_time(counter: Counter) -> None:
    run = opened(counter)
    tool_of("read_balance").function = fails(Retryable("Busy."))
    left = seconds_left(tool_of("read_balance"), uuid4())
    assert left is not None
    assert 55 < left <= 60
    counter.go_on(hours_pass(run))
    left = seconds_left(tool_of("read_balance"), uuid4())
    assert left is not None
    assert 115 < left <= 120


def test_the_time_grows_no_further_than_the_settings_say(
    counter: Counter, settings: Settings
) -> None:
    opened(counter)
    tool, step = tool_of("read_balance"), Step.objects.filter(name="read_balance").first()
    assert step is not None
    ToolHealth.objects.update(failures=60, probe=step.pk)
    note_outcome(step.run, step, tool, Failed("timed_out", ""))
    left = seconds_left(tool, uuid4())
    assert left is not None
    assert 3500 < left <= 3600


def test_a_late_failure_of_a_call_from_before_changes_nothing(counter: Counter) -> None:
    run = opened(counter)
    step = Step.objects.filter(run=run, name="read_balance").first()
    assert step is not None
    note_outcome(run, step, tool_of("read_balance"), Failed("timed_out", ""))
    assert ToolHealth.objects.get().failures == 5


def test_a_call_that_finds_out_and_is_refused_lets_the_next_one_try(counter: Counter) -> None:
    run = opened(counter)
    tool_of("read_balance").function = fails(Terminal("No such account."))
    counter.go_on(hours_pass(run))
    assert seconds_left(tool_of("read_balance"), uuid4()) == 0.0


def test_an_approved_call_waits_while_its_tool_is_left_alone(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "pay")
    step = Step.objects.get(run=run, name="pay")
    for _ in range(5):
        note_outcome(run, step, tool_of("pay"), Failed("timed_out", ""))
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("sleeping", [])
    assert not EffectRecord.objects.exists()
    assert counter.go_on(hours_pass(run)).state == "succeeded"


def test_a_tool_that_is_well_costs_no_query(
    counter: Counter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    run = counter.start([calls(READ), final(summary="ok")])
    step = Step.objects.filter(run=run).last()
    assert step is not None
    vars(run)["troubled"] = []
    with django_assert_num_queries(0):
        note_outcome(run, step, tool_of("read_balance"), Done({}))
        assert spend_allowance(tool_of("read_balance")) == 0


def test_the_agents_page_and_the_api_say_how_its_tools_are(
    counter: Counter, operator: User
) -> None:
    tool_of("pay").rate = Rate.per_minute(30)
    run = opened(counter)
    client = Client()
    client.force_login(operator)
    tools = client.get("/api/v1/agents/teller").json()["tools"]
    health = {tool["name"]: tool["health"]["breaker"] for tool in tools}
    assert (health["read_balance"], health["pay"]) == ("open", "closed")
    page = client.get(reverse("agent-detail", args=["teller"])).content.decode()
    assert "it is left alone" in page
    assert "It may be called 30 times in 1 min" in page
    page = client.get(reverse("run-detail", args=[run.pk])).content.decode()
    assert "Read balance failed again and again" in page


def test_tools_of_one_name_in_two_modules_are_two_tools(bank: Bank) -> None:
    ours = teller(bank).tool("pay")
    assert ours is not None
    assert ours.key == "tests.agents.bank.pay"
