"""A simulated run: the model and the gate are real, its calls are answered, and nothing comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.callers import Caller
from agents import registry
from agents.context import refusal_message, result_message
from agents.models import EffectRecord, Memory, ResourceClaim, Run, Step
from agents.openings import for_action
from agents.services.claim import Lease
from agents.services.dispatch import note_intent
from agents.services.park import Ask, park
from agents.services.start_child import start_child
from agents.services.start_simulated import start_simulated
from agents.simulation import GivenAnswer
from agents.simulation_errors import InEarnest
from agents.states import StepKind, Unanswered
from agents.tools import Trust
from approvals.models import ApprovalRequest
from approvals.schemas import Opening
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter
from tests.model_server import ModelServer, Script, call, calls, final, judged

PAY = judged({"account": "A1", "amount": "5.00"})
PAID = result_message({"reference": "R7"}, trust=Trust.TRUSTED, as_of="2026-11-01T00:00:00+00:00")
LETTER = result_message("Pay!", trust=Trust.UNTRUSTED, as_of="2026-11-01T00:00:00+00:00")


def given(tool: str, output: dict[str, Any], **more: Any) -> GivenAnswer:
    return GivenAnswer(tool=tool, output=output, **more)


def simulate(counter: Counter, script: Script, *answers: GivenAnswer, **more: Any) -> Run:
    """Start a simulated run of the teller, and advance it as far as it goes."""
    counter.model.follow(script)
    caller = Caller.of_session(counter.operator)
    run = start_simulated(agent="teller", input="Pay.", answers=answers, caller=caller, **more)
    return counter.go_on(run)


def told(run: Run, name: str) -> list[dict[str, Any]]:
    """What the agent was told of its calls of this tool."""
    return [step.output or {} for step in Step.objects.filter(run=run, name=name).in_order()]


def test_calls_are_answered_as_given_and_nothing_is_reached(counter: Counter, bank: Bank) -> None:
    run = simulate(
        counter,
        [
            calls(call("read_letter", judged({"account": "A1"}))),
            calls(call("pay", PAY, id="p1")),
            calls(call("pay", judged({"account": "A2", "amount": "9.00"}))),
            final(summary="paid", relies_on=["p1"]),
        ],
        given("read_letter", LETTER),
        given(
            "pay",
            refusal_message("rejected", "rejected", "No."),
            arguments={"account": "A2"},
            partial=True,
            when="reviewed",
            state="refused",
            problem="rejected",
        ),
        given("pay", PAID, arguments={"account": "A1", "amount": "5.00"}),
    )
    assert (run.state, run.output) == ("succeeded", {"summary": "paid"})
    assert told(run, "read_letter") == [LETTER]
    assert [each["status"] for each in told(run, "pay")] == ["done", "rejected"]
    assert (run.tainted, run.tainted_by) == (True, ["read_letter"])
    assert (run.model_calls, run.tool_calls) == (4, 3)
    verdicts = [
        (step.judgement or {})["verdict"]["outcome"] for step in run.steps.filter(name="pay")
    ]
    assert verdicts == ["review", "review"]
    assert bank.sent == []
    assert not EffectRecord.objects.filter(run=run).exists()
    assert not ApprovalRequest.objects.filter(run_id=run.pk).exists()
    assert run not in Run.objects.real()


def test_a_call_that_nothing_answers_ends_it_or_is_said_to_be_simulated(counter: Counter) -> None:
    script = [
        calls(call("pay", PAY, id="p1")),
        calls(call("read_balance", judged({"account": "A1"}))),
        calls(call("ask_human", {"question": "Why?", "answer_type": "text", "choices": []})),
        final(summary="paid", relies_on=["p1"]),
    ]
    ended = simulate(counter, script)
    assert (ended.state, (ended.failure or {})["code"]) == ("failed", "unanswered")
    run = simulate(counter, script, unanswered=Unanswered.SIMULATE)
    assert run.state == "succeeded"
    (paid,), (read,), (asked,) = (told(run, n) for n in ("pay", "read_balance", "ask_human"))
    assert (paid["status"], paid["would"]) == ("simulated", "ask_people")
    assert (read["status"], read["code"]) == ("simulated", "not_recorded")
    assert asked["status"] == "no_answer"


def test_what_would_ask_a_person_ends_it(counter: Counter) -> None:
    run = simulate(counter, [final(summary="paid", relies_on=["p1"])])
    assert (run.state, (run.failure or {})["code"]) == ("failed", "answer_unfounded")
    assert not ApprovalRequest.objects.filter(run_id=run.pk).exists()
    looping = [calls(call("read_balance", judged({"account": "A1"})))] * 1_002
    balance = result_message("1", trust=Trust.TRUSTED, as_of="2026-11-01T00:00:00+00:00")
    capped = simulate(counter, looping, given("read_balance", balance, times=None))
    assert (capped.state, (capped.failure or {})["code"]) == ("failed", "cap_reached")


def held(run: Run) -> Lease:
    """A lease of the run, as if a worker were at it."""
    Run.objects.filter(pk=run.pk).update(
        state="running", finished_at=None, lease_expires_at=run.created_at
    )
    return Lease(run.pk, run.epoch, run.wake_seq, "test")


def opening_of(run: Run) -> Opening:
    """What the parked run asks for."""
    step = run.steps.get(kind=StepKind.TOOL)
    row = Run.objects.select_related("agent__owner_group", "agent_version").get(pk=run.pk)
    agent = registry.find("teller")
    assert agent is not None
    tool = agent.tool(step.name)
    assert tool is not None
    return for_action(agent, row, step, tool, [], run.created_at)


def test_the_database_and_the_engine_refuse_it_whatever_acts_in_earnest(
    counter: Counter, bank: Bank
) -> None:
    run = simulate(counter, [calls(call("pay", PAY)), final(summary="x")], given("pay", PAID))
    step = Step.objects.get(run=run, kind=StepKind.TOOL)
    real = counter.start([final(summary="x")])
    parked = counter.start([calls(call("pay", PAY)), final(summary="x")])
    rows: list[Any] = [
        ResourceClaim(resource="r", step=step, run=run, since=run.created_at),
        EffectRecord(
            run=run, step=step, digest="d", effect_class="opaque", idempotency_key="k", epoch=1
        ),
        Memory(agent=run.agent, key="k", text="t", run=run, step=step, created_at=run.created_at),
        Run(
            agent=run.agent,
            agent_version=run.agent_version,
            initiator=run.initiator,
            input={},
            input_digest="d",
            title="t",
            parent=run,
            created_at=run.created_at,
        ),
    ]
    for row in rows:
        with pytest.raises(IntegrityError, match="simulated"), transaction.atomic():
            row.save(force_insert=True)
    request = ApprovalRequest.objects.filter(run_id=parked.pk)
    with pytest.raises(IntegrityError, match="simulated"), transaction.atomic():
        request.update(run_id=run.pk)
    tool = next(tool for tool in teller(bank).tools if tool.name == "pay")
    with pytest.raises(InEarnest):
        note_intent(run, step, tool, None, step.input_digest)
    with pytest.raises(InEarnest):
        park(held(run), [Ask(step, opening_of(parked))])
    with pytest.raises(InEarnest):
        start_child(held(run), step, tool, teller(bank), deepest=1)
    for change in ({"simulated": False}, {"parent": real}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Run.objects.filter(pk=run.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.filter(pk=real.pk).update(simulated=True)


def test_a_worker_of_an_older_release_leaves_it_alone(
    counter: Counter, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller.of_session(counter.operator)
    run = start_simulated(agent="teller", input="Pay.", answers=[], caller=caller)
    first = Step.objects.get(run=run, seq=1)
    assert (first.kind, first.schema) == (StepKind.SIMULATION, Step.SIMULATION_SCHEMA)
    monkeypatch.setattr(Step, "SCHEMA", Step.CONTEXT_SCHEMA)
    model.follow([final(summary="x")])
    left = counter.go_on(run)
    assert (left.state, bool(left.left), model.requests) == ("ready", True, [])
