"""Workflows: code decides what comes next, and the model answers at marked points alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from accounts.callers import Caller
from accounts.models import User
from agents.authoring import (
    Abstain,
    AskModel,
    AskPerson,
    Budget,
    Call,
    Done,
    FlowContext,
    Go,
    Move,
    Terminal,
    Tool,
    Workflow,
)
from agents.models import EffectRecord, Run, Step
from agents.services.change_goal import change_goal
from agents.services.lift_switch import lift_switch
from agents.services.message_run import message_run
from agents.services.set_switch import set_switch
from agents.states import SwitchScope
from approvals.vocabulary import Verdict
from tests.agents.bank import Account, Bank, Payment, tools_of
from tests.agents.conftest import TEST, Counter, host
from tests.agents.flows import Closed, Wish, answered, clerk, flow_of, lone
from tests.model_server import Answer, ModelServer, call, calls, final, judged, says

Steps = Callable[[Run], list[Step]]


@pytest.fixture
def desk(counter: Counter, bank: Bank) -> Counter:
    """The counter, with the clerk at it."""
    host(clerk(flow_of(bank), bank))
    return counter


def tool_of(bank: Bank, name: str) -> Tool:
    return next(tool for tool in tools_of(bank) if tool.name == name)


def hosted(bank: Bank, flow: Workflow, **changes: Any) -> None:
    host(clerk(flow, bank, **changes))


def shape(steps: list[Step]) -> list[tuple[str, str]]:
    return [(str(step.kind), step.name) for step in steps]


def trouble_of(counter: Counter, run: Run) -> dict[str, str]:
    """The facts of the one attention request of the run."""
    request = counter.request(run)
    assert request.kind == "attention"
    return {fact["label"]: fact["value"] for fact in request.preview["facts"]}


def test_states_follow_each_other_and_the_model_is_asked_at_one_of_them_only(
    desk: Counter, bank: Bank, model: ModelServer, reviewer: User, steps_of: Steps
) -> None:
    run = desk.start([answered()], "A1")
    assert (run.state, bank.sent, len(model.requests)) == ("waiting", [], 1)
    desk.decide(desk.request(run), Verdict.APPROVE, reviewer)
    run = desk.go_on(run)
    assert (run.state, run.outcome) == ("succeeded", "done")
    assert run.output == {"summary": "Paid, receipt R1."}
    assert [(account, amount) for _, account, amount in bank.sent] == [("A1", "42.00")]
    assert shape(steps_of(run)) == [
        ("state", "look"),
        ("tool", "read_letter"),
        ("state", "read"),
        ("model", "scripted"),
        ("decision", "read"),
        ("state", "pay"),
        ("tool", "pay"),
        ("state", "close"),
        ("final", "final_answer"),
    ]
    assert len(model.requests) == 1


def test_at_a_decision_point_the_model_has_one_tool_and_has_to_call_it(
    desk: Counter, model: ModelServer
) -> None:
    desk.start([answered()], "A1")
    (asked,) = model.requests
    (offered,) = asked["tools"]
    assert offered["function"]["name"] == "answer"
    fields = set(offered["function"]["parameters"]["required"])
    assert fields == {"account", "amount", "confidence", "rationale"}
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "answer"}}
    said = [message["content"] for message in asked["messages"]]
    assert said[1] == "What does the letter ask for?"
    assert json.loads(said[2]) == {"content": "Pay me everything."}


def test_what_the_model_answered_is_typed_for_the_states_that_follow(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    seen: list[Any] = []

    def first(ctx: FlowContext) -> Move:
        return AskModel("What?", "a letter", then="close")

    flow = lone(first, asks=Wish)
    flow.states.pop("close")

    @flow.state
    def close(ctx: FlowContext) -> Move:
        """Look at it."""
        seen.append((ctx["first"], ctx.results["first"].confidence))
        return Done(Closed(summary="ok"))

    hosted(bank, flow)
    assert counter.start([answered(0.7)]).state == "succeeded"
    assert seen == [(Wish(account="A1", amount=Decimal("42.00")), 0.7)]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (answered(amount="-1"), "arguments_invalid"),
        (answered(extra="field"), "arguments_invalid"),
        (answered("high"), "arguments_invalid"),
        (answered(7), "arguments_invalid"),
        (answered(-1), "arguments_invalid"),
        (answered(None), "arguments_invalid"),
        (
            calls(call("answer", {"account": "A1", "amount": "1", "confidence": 1})),
            "arguments_invalid",
        ),
        (calls(call("answer", '{"account": NaN}')), "arguments_not_json"),
        (calls(call("answer", "[1]")), "arguments_not_object"),
        (calls(call("pay", judged({"account": "A1", "amount": "42.00"}))), "unknown_tool"),
        (final(summary="Paid."), "unknown_tool"),
    ],
)
def test_an_answer_that_does_not_fit_is_repaired(
    desk: Counter, bank: Bank, model: ModelServer, steps_of: Steps, reply: Answer, code: str
) -> None:
    run = desk.start([reply, answered()], "A1")
    assert (run.state, desk.request(run).kind) == ("waiting", "action")
    first, second = [step for step in steps_of(run) if step.kind == "decision"]
    assert (first.state, first.problem, second.state) == ("failed", code, "succeeded")
    told = model.requests[1]["messages"][-1]
    assert (told["role"], code in told["content"]) == ("tool", True)
    assert bank.sent == []


def test_several_answers_at_once_are_none(desk: Counter, model: ModelServer) -> None:
    wish = judged({"account": "A1", "amount": "42.00"})
    run = desk.start([calls(call("answer", wish), call("answer", wish)), answered()], "A1")
    assert desk.request(run).kind == "action"
    told = [m for m in model.requests[1]["messages"] if m["role"] == "tool"]
    assert ["too_many_calls" in message["content"] for message in told] == [True, True]


def test_a_reply_in_words_is_asked_for_again(desk: Counter, model: ModelServer) -> None:
    run = desk.start([says("It wants 42."), answered()], "A1")
    assert desk.request(run).kind == "action"
    assert "calling answer" in model.requests[1]["messages"][-1]["content"]


def test_repairs_at_a_decision_point_are_bounded_and_then_a_person_looks(
    desk: Counter, model: ModelServer, reviewer: User
) -> None:
    run = desk.start(lambda _request: answered(amount="much"), "A1")
    assert (run.state, len(model.requests)) == ("waiting", 3)
    request = desk.request(run)
    assert request.question["code"] == "repairs_exhausted"
    model.follow([answered()])
    desk.decide(request, Verdict.CONTINUE, reviewer)
    assert desk.request(desk.go_on(run)).kind == "action"


@pytest.mark.parametrize(("confidence", "state"), [(0.79, "waiting"), (0.80, "succeeded")])
def test_a_call_is_as_sure_as_the_least_sure_decision_that_it_rests_on(
    counter: Counter, bank: Bank, confidence: float, state: str
) -> None:
    flow = Workflow(start="one")

    @flow.state(to=["two"], asks=Wish)
    def one(ctx: FlowContext) -> Move:
        """Ask."""
        return AskModel("First?", "x", then="two")

    @flow.state(to=["act"], asks=Wish)
    def two(ctx: FlowContext) -> Move:
        """Ask again."""
        return AskModel("Second?", "x", then="act")

    @flow.state(to=["close"])
    def act(ctx: FlowContext) -> Move:
        """Call."""
        account = Account(account=ctx["two"].account)
        return Call(tool_of(bank, "read_balance"), account, then="close")

    @flow.state
    def close(ctx: FlowContext) -> Move:
        """End."""
        return Done(Closed(summary="ok"))

    hosted(bank, flow)
    assert counter.start([answered(confidence), answered(0.99)]).state == state


def acting(bank: Bank, **more: Any) -> Workflow:
    """A decision, then a call made with these words of the author."""
    flow = Workflow(start="first")

    @flow.state(to=["act"], asks=Wish)
    def first(ctx: FlowContext) -> Move:
        """Ask."""
        return AskModel("What?", "x", then="act")

    @flow.state(to=["close"])
    def act(ctx: FlowContext) -> Move:
        """Call."""
        account = Account(account="A1")
        return Call(tool_of(bank, "read_balance"), account, then="close", **more)

    @flow.state
    def close(ctx: FlowContext) -> Move:
        """End."""
        return Done(Closed(summary="ok"))

    return flow


@pytest.mark.parametrize(
    ("more", "sure", "state"),
    [
        ({}, 0.5, "waiting"),
        ({"rests_on": ["first"]}, 0.5, "waiting"),
        ({"rests_on": []}, 0.5, "succeeded"),
        ({"confidence": 1.0}, 0.5, "waiting"),
        ({"confidence": 0.5}, 0.99, "waiting"),
        ({"rests_on": [], "confidence": 0.5}, 0.99, "waiting"),
    ],
)
def test_an_author_can_lower_the_confidence_of_a_call_and_not_raise_it(
    counter: Counter, bank: Bank, more: dict[str, Any], sure: float, state: str
) -> None:
    hosted(bank, acting(bank, **more))
    assert counter.start([answered(sure)]).state == state


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"rests_on": ["nowhere"]}, "which the model was not asked"),
        ({"confidence": 1.1}, "no number from 0 to 1"),
        ({"confidence": float("nan")}, "no number from 0 to 1"),
    ],
)
def test_a_call_that_rests_on_nothing_known_is_not_made(
    counter: Counter, bank: Bank, more: dict[str, Any], said: str
) -> None:
    hosted(bank, acting(bank, **more))
    facts = trouble_of(counter, counter.start([answered()]))
    assert said in facts["What went wrong"]


def test_a_state_knows_how_often_it_was_entered(
    counter: Counter, bank: Bank, steps_of: Steps
) -> None:
    def first(ctx: FlowContext) -> Move:
        return Go("first" if ctx.visits < 2 else "close")

    hosted(bank, lone(first, to=("first", "close")))
    run = counter.start([])
    assert [name for _, name in shape(steps_of(run))][:4] == ["first", "first", "first", "close"]


def test_a_call_that_no_model_had_a_part_in_says_that_code_declared_it(
    desk: Counter, steps_of: Steps
) -> None:
    run = desk.start([answered(0.9)], "A1")
    look, pay = [step for step in steps_of(run) if step.kind == "tool"]
    assert look.judgement is not None
    assert pay.judgement is not None
    assert look.judgement["confidence"]["source"] == "declared"
    assert look.judgement["confidence"]["raw_bp"] == 10_000
    assert pay.judgement["confidence"]["source"] == "self_reported"
    assert pay.judgement["confidence"]["raw_bp"] == 9_000


def test_a_rejected_call_ends_the_run_where_the_workflow_has_no_state_for_it(
    desk: Counter, bank: Bank, reviewer: User, model: ModelServer
) -> None:
    run = desk.start([answered()], "A1")
    desk.decide(desk.request(run), Verdict.REJECT, reviewer, reason="Not ours.")
    run = desk.go_on(run)
    assert (run.state, run.outcome, bank.sent) == ("succeeded", "abstained", [])
    assert run.output == {"reason": "A person rejected it, at the state pay: Not ours."}
    assert len(model.requests) == 1


def test_a_call_that_was_sent_back_goes_to_the_state_that_reads_the_feedback(
    desk: Counter, bank: Bank, reviewer: User, model: ModelServer
) -> None:
    run = desk.start([answered(), answered(account="A2")], "A1")
    desk.decide(desk.request(run), Verdict.SEND_BACK, reviewer, reason="Use A2.")
    run = desk.go_on(run)
    assert "A reviewer says: Use A2." in model.requests[1]["messages"][1]["content"]
    assert desk.request(run).arguments["account"] == "A2"
    assert bank.sent == []


def test_a_call_that_was_sent_back_goes_to_a_person_where_no_state_reads_the_feedback(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    payment = Payment(account="A1", amount=Decimal(5))
    hosted(bank, lone(lambda ctx: Call(tool_of(bank, "pay"), payment, then="close")))
    run = counter.start([])
    counter.decide(counter.request(run), Verdict.SEND_BACK, reviewer, reason="Look again.")
    run = counter.go_on(run)
    assert trouble_of(counter, run)["Feedback"] == "Look again."
    counter.decide(counter.request(run), Verdict.CONTINUE, reviewer)
    run = counter.go_on(run)
    assert (counter.request(run).kind, bank.sent) == ("action", [])


def test_an_edited_call_runs_as_edited_and_the_next_state_sees_that(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    seen: list[Any] = []
    payment = Payment(account="A1", amount=Decimal(5))
    flow = lone(lambda ctx: Call(tool_of(bank, "pay"), payment, then="close"))
    flow.states.pop("close")

    @flow.state
    def close(ctx: FlowContext) -> Move:
        """Look at it."""
        last = ctx.last
        assert last is not None
        seen.append((last.edited, last.arguments["amount"]))
        return Done(Closed(summary="ok"))

    hosted(bank, flow)
    run = counter.start([])
    less = {"account": "A1", "amount": "4.00"}
    counter.decide(counter.request(run), Verdict.EDIT, reviewer, arguments=less, reason="Less.")
    counter.decide(counter.request(run), Verdict.APPROVE, second_reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert [amount for _, _, amount in bank.sent] == ["4.00"]
    assert seen == [(True, "4.00")]


def test_another_outcome_goes_where_the_call_says_otherwise(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    payment = Payment(account="A1", amount=Decimal(5))
    move = Call(tool_of(bank, "pay"), payment, then="close", otherwise="close")
    hosted(bank, lone(lambda ctx: move))
    run = counter.start([])
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    assert counter.go_on(run).output == {"summary": "rejected: None"}


def test_a_tool_that_failed_goes_to_a_person_and_is_called_again_after_that(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    payment = Payment(account="A1", amount=Decimal(5))
    hosted(bank, lone(lambda ctx: Call(tool_of(bank, "pay"), payment, then="close")))

    def refuse() -> None:
        raise Terminal("The account is closed.")

    bank.trouble = refuse
    run = counter.start([])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert trouble_of(counter, run)["What became of it"] == "The account is closed."
    bank.trouble = None
    counter.decide(counter.request(run), Verdict.CONTINUE, reviewer)
    run = counter.go_on(run)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "succeeded"


def test_a_call_that_a_kill_switch_denied_is_made_once_that_is_lifted_and_a_person_says_so(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    payment = Payment(account="A1", amount=Decimal(5))
    move = Call(tool_of(bank, "pay"), payment, then="close", otherwise="close")
    hosted(bank, lone(lambda ctx: move))
    switch = set_switch(scope=SwitchScope.TOOL, tool="pay", reason="Incident.", caller=TEST)
    run = counter.start([])
    assert "Incident." in trouble_of(counter, run)["What became of it"]
    lift_switch(switch_id=switch.pk, reason="It is over.", caller=TEST)
    counter.decide(counter.request(run), Verdict.CONTINUE, reviewer)
    run = counter.go_on(run)
    assert (counter.request(run).kind, bank.sent) == ("action", [])


def test_a_person_is_asked_and_the_next_state_has_the_answer(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    ask = AskPerson("How many?", answer_type="number", then="close")
    hosted(bank, lone(lambda ctx: ask))
    run = counter.start([])
    request = counter.request(run)
    assert (request.kind, request.preview["title"]) == ("question", "How many?")
    counter.decide(request, Verdict.ANSWER, reviewer, answer=3)
    assert counter.go_on(run).output == {"summary": "answered: 3"}


def test_a_state_may_go_on_without_asking_anybody(counter: Counter, bank: Bank) -> None:
    hosted(bank, lone(lambda ctx: Go("close", why="Nothing to do.")))
    assert counter.start([]).output == {"summary": "went_on: None"}


def test_a_state_may_say_that_it_cannot_be_done(counter: Counter, bank: Bank) -> None:
    hosted(bank, lone(lambda ctx: Abstain("No such account."), ends=True))
    run = counter.start([])
    assert (run.outcome, run.output) == ("abstained", {"reason": "No such account."})


def boom(ctx: FlowContext) -> Move:
    raise RuntimeError("the secret is 4711")


class Sloppy(BaseModel):
    """An answer that is not the agent's."""

    words: str


UNFIT: list[tuple[str, Callable[[FlowContext], Any], str]] = [
    ("raises", boom, "RuntimeError"),
    ("no move", lambda ctx: "close", "no move"),
    ("elsewhere", lambda ctx: Go("elsewhere"), "elsewhere"),
    ("undeclared end", lambda ctx: Done(Closed(summary="x")), "declared as a state that may"),
    ("undeclared question", lambda ctx: AskModel("?", "x", then="close"), "decision point"),
    ("unknown result", lambda ctx: ctx["close"], "KeyError"),
    ("no JSON", lambda ctx: AskModel("?", float("nan"), then="close"), "decision point"),
]


@pytest.mark.parametrize(("name", "move", "said"), UNFIT, ids=[name for name, _, _ in UNFIT])
def test_a_state_that_fails_parks_for_a_person_and_never_loops(
    counter: Counter,
    bank: Bank,
    reviewer: User,
    steps_of: Steps,
    name: str,
    move: Callable[[FlowContext], Any],
    said: str,
) -> None:
    hosted(bank, lone(move))
    run = counter.start([])
    assert run.state == "waiting"
    facts = trouble_of(counter, run)
    assert facts["State"] == "first"
    assert said in facts["What went wrong"]
    assert "4711" not in json.dumps(facts)
    counter.decide(counter.request(run), Verdict.CONTINUE, reviewer)
    run = counter.go_on(run)
    assert (run.state, shape(steps_of(run))) == ("waiting", [("attention", "state_failed")] * 2)


def test_the_output_has_to_be_the_agents(counter: Counter, bank: Bank) -> None:
    hosted(bank, lone(lambda ctx: Done(Sloppy(words="x")), ends=True))
    facts = trouble_of(counter, counter.start([]))
    assert facts["What went wrong"] == "ValidationError"


def test_a_tool_of_another_agent_is_not_called(counter: Counter, bank: Bank) -> None:
    tool = tool_of(bank, "pay")
    payment = Payment(account="A1", amount=Decimal(5))
    tools = [each for each in tools_of(bank) if each.name != "pay"]
    hosted(bank, lone(lambda ctx: Call(tool, payment, then="close")), tools=tools)
    facts = trouble_of(counter, counter.start([]))
    assert "no tool of its agent" in facts["What went wrong"]


def test_a_state_that_hangs_is_left_and_a_person_looks(
    counter: Counter, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.flow_steps.STATE_SECONDS", 0.05)
    free = threading.Event()
    hosted(bank, lone(lambda ctx: Go("close") if free.wait(20) else Go("first")))
    facts = trouble_of(counter, counter.start([]))
    free.set()
    assert facts["What went wrong"] == "TimedOut"


def test_a_workflow_that_goes_round_stops_at_its_limit_of_steps(
    counter: Counter, bank: Bank
) -> None:
    flow = lone(lambda ctx: Go("first"), to=("first", "close"))
    hosted(bank, flow, budget=Budget(steps=7))
    run = counter.start([])
    assert (counter.request(run).kind, run.step_count) == ("budget", 7)


def test_a_step_of_the_workflow_is_entered_once_however_often_a_worker_takes_the_run_up(
    desk: Counter, reviewer: User, model: ModelServer, steps_of: Steps
) -> None:
    run = desk.start([answered()], "A1")
    before = shape(steps_of(run))
    for _ in range(3):
        Run.objects.filter(pk=run.pk).update(state="ready", ready_at=None)
        desk.go_on(run)
    assert shape(steps_of(run)) == before
    assert len(model.requests) == 1


def test_what_a_person_tells_a_run_is_read_by_the_states_and_by_the_model(
    counter: Counter, bank: Bank, reviewer: User, model: ModelServer
) -> None:
    flow = Workflow(start="wait")

    @flow.state(to=["read"])
    def wait(ctx: FlowContext) -> Move:
        """Ask."""
        return AskPerson("Ready?", answer_type="yes_no", then="read")

    @flow.state(to=["close"], asks=Wish)
    def read(ctx: FlowContext) -> Move:
        """Read."""
        return AskModel("What?", "x", then="close")

    @flow.state
    def close(ctx: FlowContext) -> Move:
        """End."""
        return Done(Closed(summary=" ".join(ctx.said)))

    hosted(bank, flow)
    run = counter.start([answered()])
    message_run(run_id=run.pk, text="Mind the date.", caller=Caller.of_session(counter.operator))
    counter.decide(counter.request(run), Verdict.ANSWER, reviewer, answer=True)
    run = counter.go_on(run)
    assert run.output == {"summary": "A person says: Mind the date."}
    assert "Mind the date." in json.dumps(model.requests[0]["messages"])


def test_a_new_task_is_no_task_of_a_workflow_and_a_person_looks(
    desk: Counter, reviewer: User, bank: Bank
) -> None:
    run = desk.start([answered()], "A1")
    change_goal(run_id=run.pk, text="Pay A9 instead.", caller=Caller.of_session(desk.operator))
    run = desk.go_on(run)
    request = desk.request(run)
    assert (request.kind, request.question["code"]) == ("attention", "flow_goal_changed")
    # It is called by what it goes on with.
    assert Run.objects.get(pk=run.pk).title == run.title
    desk.decide(request, Verdict.CONTINUE, reviewer)
    run = desk.go_on(run)
    assert desk.request(run).question["code"] == "call_not_done"
    assert bank.sent == []


def test_the_answer_lists_every_call_that_was_done(
    desk: Counter, reviewer: User, steps_of: Steps
) -> None:
    run = desk.start([answered()], "A1")
    desk.decide(desk.request(run), Verdict.APPROVE, reviewer)
    steps = steps_of(desk.go_on(run))
    done = [step.call_id for step in steps if step.kind == "tool"]
    assert steps[-1].request == {"relies_on": done}
    assert len(set(done)) == 2


def test_the_payment_of_a_workflow_is_an_effect_like_any_other(
    desk: Counter, reviewer: User
) -> None:
    run = desk.start([answered()], "A1")
    request = desk.request(run)
    assert request.rationale == "The letter asks."
    assert [item["result"] for item in request.evidence][1] == {
        "account": "A1",
        "amount": "42.00",
    }
    desk.decide(request, Verdict.APPROVE, reviewer)
    desk.go_on(run)
    effect = EffectRecord.objects.get(run=run)
    assert (effect.state, effect.approval_id) == ("succeeded", request.pk)


def test_what_a_letter_says_taints_a_workflow_as_it_taints_any_run(desk: Counter) -> None:
    run = desk.start([answered()], "A1")
    assert (run.tainted, run.tainted_by) == (True, ["read_letter"])
    assert "tainted" in [reason["code"] for reason in desk.request(run).reasons]
