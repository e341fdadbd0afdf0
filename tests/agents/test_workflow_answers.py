"""The answer of a workflow that a person sends back: read by the state it names, or put before a person."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from agents.authoring import AskModel, Asserts, Done, FlowContext, Move, Tool, Workflow
from agents.models import Run, Step
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, tools_of
from tests.agents.conftest import Counter, host
from tests.agents.flows import Closed, Wish, answered, clerk, lone
from tests.agents.saying import say
from tests.model_server import ModelServer

LIE, TRUTH = "Paid.", "Nothing was paid."


def paying(bank: Bank) -> tuple[list[Tool], Asserts]:
    """The bank's tools, and that the answer “Paid.” asserts one of them."""
    tools = tools_of(bank)
    pay = next(tool for tool in tools if tool.name == "pay")
    return tools, Asserts(pay, when={"summary": [LIE]})


def hosted(bank: Bank, flow: Workflow) -> None:
    tools, asserted = paying(bank)
    host(clerk(flow, bank, tools=tools, asserts=[asserted]))


def reading(seen: list[FlowContext]) -> Workflow:
    """read (the model is asked) → close, which says that it paid; sent back, it reads anew."""
    flow = Workflow(start="read")

    @flow.state(to=["close"], asks=Wish)
    def read(ctx: FlowContext) -> Move:
        """Have the model read it, with what a reviewer said."""
        said = ctx.last.feedback if ctx.last is not None else ""
        return AskModel(f"What is wanted? {said}".strip(), ctx.input.text, then="close")

    @flow.state(to=["read"], ends=True)
    def close(ctx: FlowContext) -> Move:
        """Say what was done."""
        seen.append(ctx)
        lie = ctx["read"].account == "A1"
        return Done(Closed(summary=LIE if lie else TRUTH), sent_back="read")

    return flow


def sent_back(counter: Counter, run: Run, reviewer: User, reason: str = "It was not.") -> Run:
    request = counter.request(run)
    assert (request.kind, run.state) == ("result", "waiting")
    counter.decide(request, Verdict.SEND_BACK, reviewer, reason=reason)
    return counter.go_on(run)


def states_of(run: Run) -> list[str]:
    return [step.name for step in Step.objects.filter(run=run, kind="state").in_order()]


def test_an_answer_that_was_sent_back_goes_to_the_state_that_reads_the_feedback(
    counter: Counter, bank: Bank, reviewer: User, model: ModelServer
) -> None:
    seen: list[FlowContext] = []
    hosted(bank, reading(seen))
    run = counter.start([answered(), answered(account="A2")])
    run = sent_back(counter, run, reviewer)
    assert "What is wanted? It was not." in model.requests[1]["messages"][1]["content"]
    assert (run.state, run.output) == ("succeeded", {"summary": TRUTH})
    assert states_of(run) == ["read", "close", "read", "close"]
    outcome = seen[1].results["close"]
    assert (outcome.status, outcome.feedback, outcome.done) == ("sent_back", "It was not.", False)


def truthful_when_told(ctx: FlowContext) -> Move:
    """Closes at once; in other words once somebody did not accept the first ones."""
    told = ctx.last is not None and ctx.last.feedback == "It was not."
    return Done(Closed(summary=TRUTH if told else LIE))


@pytest.fixture
def blunt(counter: Counter, bank: Bank) -> Counter:
    """A workflow that names no state for an answer that is sent back."""
    flow = lone(truthful_when_told, to=(), ends=True)
    flow.states.pop("close")
    hosted(bank, flow)
    return counter


def test_an_answer_that_was_sent_back_goes_to_a_person_where_no_state_reads_the_feedback(
    blunt: Counter, reviewer: User
) -> None:
    run = sent_back(blunt, blunt.start([]), reviewer)
    request = blunt.request(run)
    assert (request.kind, request.title) == ("attention", "Clerk: its answer was sent back")
    facts: dict[str, Any] = {fact.label: fact.value for fact in request.what.facts}
    assert facts == {"State": "first", "Feedback": "It was not."}
    blunt.decide(request, Verdict.CONTINUE, reviewer)
    run = blunt.go_on(run)
    assert (run.state, run.output) == ("succeeded", {"summary": TRUTH})


def test_an_answer_that_is_sent_back_again_is_put_before_a_person_again(
    blunt: Counter, reviewer: User
) -> None:
    run = sent_back(blunt, blunt.start([]), reviewer, reason="No.")
    blunt.decide(blunt.request(run), Verdict.CONTINUE, reviewer)
    run = sent_back(blunt, blunt.go_on(run), reviewer)
    assert blunt.request(run).kind == "attention"


def test_an_answer_that_was_not_taken_since_somebody_spoke_is_given_again(
    blunt: Counter, reviewer: User, operator: User
) -> None:
    run = blunt.start([])
    blunt.decide(blunt.request(run), Verdict.ACCEPT, reviewer)
    say(run, operator)
    run = blunt.go_on(run)
    assert (run.state, run.output) == ("succeeded", {"summary": LIE})
    assert states_of(run) == ["first"]


def test_an_answer_may_only_go_back_to_a_state_that_its_own_declares(
    counter: Counter, bank: Bank
) -> None:
    flow = lone(lambda ctx: Done(Closed(summary=TRUTH), sent_back="close"), to=(), ends=True)
    flow.states.pop("close")
    hosted(bank, flow)
    request = counter.request(counter.start([]))
    facts = {fact.label: fact.value for fact in request.what.facts}
    assert "does not declare in `to`" in facts["What went wrong"]
