"""Runs that go round in circles: found by what they did, put before a person, and free to go on afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, count, cycle, islice, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from agents.authoring import Budget, DefinitionError, Risk, Terminal, ToolContext, tool
from agents.loop_reading import ALLOW, OTHER_WAY
from agents.loops import (
    CYCLE,
    LONGEST_CYCLE,
    MOST_IDLE,
    MOST_SAME,
    NO_PROGRESS,
    SAME_CALL,
    SAME_ERROR,
    Loop,
    Made,
    find_loop,
)
from agents.models import Run, Step
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.bank import Account, Bank, teller, tools_of
from tests.agents.conftest import Counter, host
from tests.agents.test_caps import told_of
from tests.agents.test_effects import PAY
from tests.model_server import Answer, call, calls, final, judged

# -- found among generated calls


def found_at(turns: Sequence[Sequence[Made]]) -> tuple[int, Loop] | None:
    """After how many turns a loop is found first, looking after each as a run does."""
    for number in range(1, len(turns) + 1):
        loop = find_loop(turns[:number])
        if loop is not None:
            return number, loop
    return None


def done(name: str, digest: object, outcome: object = "ok", **more: Any) -> Made:
    """A call that was carried out."""
    return Made(seq=next(_seq), name=name, digest=f"{name} {digest}", outcome=outcome, **more)


_seq = count(1)
names = st.sampled_from(["read", "look", "ask"])
outcomes = st.sampled_from(["ok", "nothing", "more"])


@st.composite
def distinct(draw: st.DrawFn) -> list[list[Made]]:
    """Turns in which no call is made twice, whatever came of them; those that fail differ as well."""
    places = count()
    turns = []
    for size in draw(st.lists(st.integers(1, 4), max_size=25)):
        turn = []
        for _ in range(size):
            place = next(places)
            failed = draw(st.booleans()) and place % 3 == 0
            turn.append(
                done(
                    draw(names),
                    place,
                    draw(outcomes),
                    error=f"nothing at {place}" if failed else "",
                    repeatable=draw(st.sampled_from([0, 5])),
                )
            )
        turns.append(turn)
    return turns


@given(distinct())
def test_a_run_that_repeats_nothing_is_in_no_loop(turns: list[list[Made]]) -> None:
    assert found_at(turns) is None


@given(distinct(), st.integers(1, 12), outcomes | st.none())
def test_a_run_that_goes_round_is_found_before_its_third_round_ends(
    before: list[list[Made]], period: int, outcome: str | None
) -> None:
    """`outcome` None: each round has other results."""
    rounds = [
        [done("turn", place, outcome or f"{place} in round {number}")]
        for number in range(3)
        for place in range(period)
    ]
    found = found_at([*before, *rounds])
    assert found is not None
    assert found[0] <= len(before) + 2 * period + 1
    assert len(found[1].calls) >= MOST_SAME


@given(distinct(), st.integers(2, LONGEST_CYCLE))
def test_a_short_cycle_with_the_same_results_is_found_after_its_second_round(
    before: list[list[Made]], period: int
) -> None:
    rounds = [[done("turn", place % period)] for place in range(2 * period)]
    found = found_at([*before, *rounds])
    assert found is not None
    assert found == (len(before) + 2 * period, Loop(CYCLE, tuple(chain(*rounds))))


@given(distinct(), st.integers(3, 10), st.integers(1, 5))
def test_an_error_that_comes_in_a_third_reply_is_found_however_often_it_came_in_each(
    before: list[list[Made]], times: int, together: int
) -> None:
    turns = [
        [
            done("pay", f"new {turn} {place}", "no", error="no such account")
            for place in range(together)
        ]
        for turn in range(times)
    ]
    found = found_at([*before, *turns])
    assert found is not None
    assert found[1].kind == SAME_ERROR
    assert found[0] == len(before) + 3


@given(st.lists(st.sampled_from(["rejected", "denied", "not taken"]), min_size=MOST_IDLE))
def test_a_run_whose_calls_are_all_refused_is_found_to_get_no_further(whys: list[str]) -> None:
    turns = [[done("pay", place, why, refused=True)] for place, why in enumerate(whys)]
    found = found_at(turns)
    assert found is not None
    assert (found[0], found[1].kind) == (MOST_IDLE, NO_PROGRESS)


@given(st.integers(3, 40))
def test_a_read_that_may_be_repeated_is_a_loop_only_past_its_number(allowed: int) -> None:
    polls = [[done("read", "same", repeatable=allowed)] for _ in range(allowed + 1)]
    assert found_at(polls[:-1]) is None
    found = found_at(polls)
    assert found is not None
    assert found[1].kind == SAME_CALL


def test_an_error_after_which_the_tool_worked_is_counted_anew() -> None:
    failing = ["no", "no", "", "no", "no"]
    turns = [[done("pay", place, "x", error=error)] for place, error in enumerate(failing)]
    assert found_at(turns) is None


def test_an_open_call_is_no_result() -> None:
    turns = [[done("a", 1)], [done("b", 2)], [done("a", 1)], [done("b", 2, None)]]
    assert found_at(turns) is None


# -- in a run


@tool(risk=Risk.LOW)
def read_page(ctx: ToolContext, account: Account) -> str:
    """Reads a page."""
    return f"Page of {account.account}."


@tool(risk=Risk.LOW)
def read_ledger(ctx: ToolContext, account: Account) -> str:
    """Reads a page that is never there."""
    raise Terminal("There is no such page.")


@pytest.fixture
def looping(counter: Counter, bank: Bank) -> Counter:
    """A counter whose teller has tools that may not be repeated, and room for loops."""
    tools = [*tools_of(bank), read_page, read_ledger]
    host(teller(bank, tools=tools, budget=Budget(steps=200, model_calls=60, tool_calls=60)))
    return counter


def page(account: str) -> Answer:
    return calls(call("read_page", judged({"account": account})))


def then_done(*answers: Iterator[Answer]) -> Iterator[Answer]:
    return chain(*answers, [final(summary="ok")])


LOOPS: dict[str, tuple[Any, str]] = {
    SAME_CALL: (
        lambda: repeat(page("A1")),
        "Needs a look: it made the same call again and again: read page. It asked for Read page with the "
        "same arguments 3 times. The last one has not run. Say how it goes on, or stop it.",
    ),
    CYCLE: (
        lambda: cycle([page("A1"), page("A2"), page("A3")]),
        "Needs a look: it goes round in a circle of calls. It went through the same 3 calls twice and the "
        "results were the same. Say how it goes on, or stop it.",
    ),
    SAME_ERROR: (
        lambda: (calls(call("read_ledger", judged({"account": f"B{n}"}))) for n in count()),
        "Needs a look: it meets the same error again and again: read ledger. Read ledger failed 3 times in "
        "the same way. Say how the run goes on, or stop it.",
    ),
}


@pytest.mark.parametrize("kind", LOOPS)
def test_a_run_in_a_loop_is_put_before_a_person_with_its_calls(
    looping: Counter, reviewer: User, kind: str
) -> None:
    script, sentence = LOOPS[kind]
    run = looping.start(islice(script(), 30))
    assert run.state == "waiting"
    assert told_of(run, reviewer) == sentence
    request = looping.request(run)
    assert (request.kind, request.question["code"]) == ("attention", kind)  # type: ignore[index]
    step = Step.objects.get(run=run, kind="attention")
    labels = [fact.label for fact in request.what.facts]
    assert labels == [f"Step {seq}" for seq in (step.request or {})["calls"]]
    assert len(labels) == (6 if kind == CYCLE else 3)


def test_a_call_that_is_proposed_again_after_it_was_refused_is_not_put_before_people_a_third_time(
    looping: Counter, bank: Bank, reviewer: User
) -> None:
    run = looping.start(islice(repeat(calls(call("pay", PAY))), 30))
    looping.decide(looping.request(run), Verdict.REJECT, reviewer, reason="No.")
    run = looping.go_on(run)
    looping.decide(looping.request(run), Verdict.SEND_BACK, reviewer, reason="Not this.")
    run = looping.go_on(run)
    request = looping.request(run)
    assert (run.state, request.kind, bank.sent) == ("waiting", "attention", [])
    facts = {fact.label: fact.value for fact in request.what.facts}
    assert "A person rejected this call" in facts["Step 2"]
    assert facts["Step 6"].endswith("did not run yet")


def test_a_run_that_only_gets_refusals_is_put_before_a_person(
    looping: Counter, reviewer: User
) -> None:
    amounts = (judged({"account": "A1", "amount": f"{n}.00"}) for n in count(1))
    run = looping.start(calls(call("pay", amount)) for amount in islice(amounts, 30))
    for _ in range(MOST_IDLE):
        looping.decide(looping.request(run), Verdict.REJECT, reviewer, reason="No.")
        run = looping.go_on(run)
    request = looping.request(run)
    assert (request.kind, request.question["code"]) == ("attention", NO_PROGRESS)  # type: ignore[index]
    assert "Nothing was done in its last 6 calls" in told_of(run, reviewer)


def test_a_run_that_a_person_lets_go_on_is_looked_at_afresh(
    looping: Counter, reviewer: User
) -> None:
    run = looping.start(then_done(islice(repeat(page("A1")), 5)))
    looping.decide(looping.request(run), Verdict.CONTINUE, reviewer, reason="Once more.")
    run = looping.go_on(run)
    assert (run.state, run.tool_calls) == ("succeeded", 5)
    told = looping.model.requests[3]["messages"][-1]
    assert told == {"role": "user", "content": "A person says: Once more."}


def test_a_run_that_is_to_find_another_way_does_not_make_the_call(
    looping: Counter, reviewer: User
) -> None:
    run = looping.start(then_done(islice(repeat(page("A1")), 3), iter([page("A2")])))
    request = looping.request(run)
    looping.decide(request, Verdict.CHANGE, reviewer, choice=OTHER_WAY, reason="Try A2.")
    run = looping.go_on(run)
    assert (run.state, run.tool_calls) == ("succeeded", 3)
    refused = Step.objects.get(run=run, problem="loop")
    assert refused.state == "refused"
    told = looping.model.requests[3]["messages"]
    assert "You went round in circles" in told[-2]["content"]
    assert told[-1]["content"] == "A person says: Try A2."


def test_a_run_that_may_repeat_a_call_is_not_asked_about_it_again(
    looping: Counter, reviewer: User
) -> None:
    run = looping.start(then_done(islice(repeat(page("A1")), 9)))
    looping.decide(looping.request(run), Verdict.CHANGE, reviewer, choice=ALLOW)
    run = looping.go_on(run)
    assert (run.state, run.tool_calls) == ("succeeded", 9)


def test_a_run_that_a_person_stops_in_a_loop_ends(looping: Counter, reviewer: User) -> None:
    run = looping.start(islice(repeat(page("A1")), 9))
    looping.decide(looping.request(run), Verdict.STOP, reviewer, reason="Enough.")
    run.refresh_from_db()
    assert (run.state, run.outcome, run.tool_calls) == ("cancelled", "stopped", 2)
    assert not ApprovalRequest.objects.filter(run_id=run.pk, state="pending").exists()


def test_a_read_that_may_be_repeated_is_polled_in_peace(looping: Counter) -> None:
    poll = calls(call("read_balance", judged({"account": "A1"})))
    run = looping.start(then_done(islice(repeat(poll), 20)))
    assert (Run.objects.get(pk=run.pk).state, run.tool_calls) == ("succeeded", 20)


def test_only_a_read_may_be_declared_repeatable() -> None:
    with pytest.raises(DefinitionError, match="only a read may be declared repeatable"):

        @tool(risk=Risk.HIGH, repeatable=5)
        def send(ctx: ToolContext, account: Account) -> str:
            """Sends something."""
            return "sent"
