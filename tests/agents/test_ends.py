"""How runs end or stand still, and the sentence by which the timeline says why: what `test_caps` and others leave."""

from __future__ import annotations

from itertools import count, takewhile

import pytest

from accounts.callers import Caller
from accounts.models import User
from agents.authoring import Budget
from agents.models import AgentSpend, HostedAgent, Run
from agents.timeline import read_timeline, read_window
from agents.timeline_rows import Row
from approvals.vocabulary import Verdict
from audit.clock import database_now
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.lines import Line, child_of, hand
from tests.agents.test_caps import reads, told_of
from tests.agents.test_delegate import line
from tests.agents.test_effects import PAY
from tests.model_server import call, calls, final, judged

__all__ = ["line"]


def rows_of(run: Run, person: User) -> list[Row]:
    return read_timeline(run, Caller.of_session(person), now=database_now()).rows


def all_rows_of(run: Run, person: User) -> list[Row]:
    """As a reader finds them who scrolls from the first window to the last."""
    caller, now = Caller.of_session(person), database_now()
    found = (read_window(run, number, caller, now=now) for number in count(1))
    return [
        row for window in takewhile(lambda each: each is not None, found) for row in window.rows
    ]


def ending(run: Run, person: User) -> str:
    """The newest line of the run's timeline, with how it stands."""
    row = rows_of(run, person)[-1]
    return f"{row.title}. {row.state}."


def test_a_run_of_two_hundred_steps_ends_with_its_answer_and_one_that_may_take_fewer_says_so(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(steps=200, model_calls=200, tool_calls=200, tokens=10**9)))
    run = counter.start([*reads(99), final(summary="ok")])
    assert (run.state, run.step_count) == ("succeeded", 199)
    assert ending(run, reviewer) == "Gave its final answer. Done."
    run = counter.start(reads(200))
    assert (run.state, run.step_count) == ("waiting", 200)
    assert told_of(run, reviewer) == "Reached its limit of steps. It has taken 200 of 200 steps."


def test_fifty_parallel_calls_stand_line_by_line_before_the_answer(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(steps=100, tool_calls=60)))
    made = [call("read_balance", judged({"account": f"A{place}"})) for place in range(50)]
    run = counter.start([calls(*made), final(summary="ok")])
    assert run.state == "succeeded"
    rows = all_rows_of(run, reviewer)
    told = [f"{row.title}. {row.about}. {row.state}." for row in rows if row.step.kind == "tool"]
    assert told == [f"Read balance. A{place}. Done." for place in range(50)]
    assert ending(run, reviewer) == "Gave its final answer. Done."


def test_sub_agents_three_deep_say_to_whom_the_work_went_and_that_it_is_done(
    line: Line, reviewer: User
) -> None:
    line.agent("third", final(summary="3"))
    line.agent("second", calls(hand("third")), final(summary="2"), delegates=["third"])
    line.agent("first", calls(hand("second")), final(summary="1"), delegates=["second"])
    caps = Budget(depth=3)
    line.agent("head", calls(hand("first")), final(summary="0"), delegates=["first"], budget=caps)
    run = line.start("head")
    for to in ("First", "Second", "Third"):
        (handed,) = [row for row in rows_of(run, reviewer) if row.step.kind == "delegate"]
        assert (handed.title, handed.state) == (f"Handed work to {to}", "Done")
        assert handed.child is not None
        assert handed.child.words == f"{to}: succeeded"
        assert ending(run, reviewer) == "Gave its final answer. Done."
        run = child_of(run)


def test_a_line_that_is_as_deep_as_it_may_be_says_so(line: Line, reviewer: User) -> None:
    line.agent("ping", *[calls(hand("pong"))] * 3, delegates=["pong"])
    line.agent("pong", *[calls(hand("ping"))] * 3, delegates=["ping"])
    line.start("ping")
    assert told_of(Run.objects.get(depth=2), reviewer) == (
        "Reached its limit of levels of agents. "
        "It stands at level 2 of agents that hand work on, and 2 is the deepest."
    )


def test_a_run_that_handed_on_as_much_as_it_may_says_so(line: Line, reviewer: User) -> None:
    line.agent("clerk", final(summary="a"), final(summary="b"))
    two = calls(hand("clerk"), hand("clerk", "The other one."))
    line.agent("desk", two, delegates=["clerk"], budget=Budget(children=1))
    assert told_of(line.start("desk"), reviewer) == (
        "Reached its limit of runs handed to other agents. "
        "It has handed 1 of 1 runs to other agents."
    )


def test_a_run_that_has_used_its_tokens_says_so(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    Run.objects.filter(pk=run.pk).update(tokens_in=150_000, tokens_out=50_000)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert told_of(run, reviewer) == (
        "Reached its limit of tokens. It has used 200,000 of 200,000 tokens."
    )


BUDGETS = {
    "day_tokens": (
        "Reached its limit of its agent's tokens for the day. "
        "All runs of its agent have used 50 of the 50 tokens for today (UTC)."
    ),
    "month_tokens": (
        "Reached its limit of its agent's tokens for the month. "
        "All runs of its agent have used 50 of the 50 tokens for this month (UTC)."
    ),
    "day_cost_micros": (
        "Reached its limit of its agent's money for the day. "
        "All runs of its agent have spent $0.00005 of the $0.00005 for today (UTC)."
    ),
    "month_cost_micros": (
        "Reached its limit of its agent's money for the month. "
        "All runs of its agent have spent $0.00005 of the $0.00005 for this month (UTC)."
    ),
}


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_run_whose_agent_has_spent_its_budget_says_so(
    counter: Counter, bank: Bank, reviewer: User, budget: str
) -> None:
    host(teller(bank))
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    span, measure = budget.split("_", 1)
    hosted = HostedAgent.objects.get(slug="teller")
    AgentSpend.objects.filter(agent=hosted).delete()
    spent = {"day": database_now().date(), "part": 0, "tokens": 50, "cost_micros": 50}
    AgentSpend.objects.create(agent=hosted, **spent)
    HostedAgent.objects.filter(pk=hosted.pk).update(limits={span: {measure: 50}})
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    run = counter.go_on(run)
    told = told_of(run, reviewer)
    assert run.state == "waiting"
    assert told.startswith(BUDGETS[budget]), told


def test_a_run_that_gets_no_further_says_so(counter: Counter, bank: Bank, reviewer: User) -> None:
    host(teller(bank, budget=Budget(steps=200, model_calls=60)))
    run = counter.start(
        calls(call("pay", judged({"account": "A1", "amount": f"{n}.00"}))) for n in range(1, 10)
    )
    for _ in range(6):
        counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
        run = counter.go_on(run)
    assert told_of(run, reviewer) == (
        "Needs a look: it gets no further. Nothing was done in its last 6 calls: they were refused, or told it "
        "what it knew. Say how it goes on, or stop it."
    )
