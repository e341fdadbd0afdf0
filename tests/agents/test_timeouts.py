"""Calls that take too long: the worker goes on, and what the class of the tool allows is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from time import monotonic
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from accounts.models import User
from agents import registry
from agents.authoring import Tool
from agents.models import EffectRecord, Run, Step
from agents.tool_threads import TimedOut, ToolThreads, threads
from agents.worker_loop import worn_out
from tests.agents.bank import Bank, Receipt
from tests.agents.conftest import Counter
from tests.agents.test_effects import PAY, approved, killed_while_sending
from tests.model_server import call, calls, final, judged

SHORT = 0.2
WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


@pytest.fixture
def hang() -> Iterator[Callable[[], None]]:
    """Does not come back before the test has ended."""
    ended = threading.Event()
    yield lambda: (ended.wait(60), None)[1]
    ended.set()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No thread was left behind before the test, nor is after it."""
    threads.forget()
    yield
    threads.forget()


def hurried(name: str) -> Tool:
    """A tool of the teller, with little time."""
    tool = registry.get("teller").tool(name)
    assert tool is not None
    tool.timeout_seconds = SHORT
    return tool


def test_a_read_that_takes_too_long_has_failed_and_the_run_goes_on(
    counter: Counter, hang: Callable[[], None]
) -> None:
    tool = hurried("read_balance")
    tool.function = lambda ctx, account: hang()
    read = call("read_balance", judged({"account": "A1"}))
    run = counter.start([calls(read), final(summary="ok")])
    step = Step.objects.get(run=run, name="read_balance")
    assert (run.state, step.state, step.problem) == ("succeeded", "failed", "timed_out")
    assert "longer than 0.2 seconds" in counter.model.requests[-1]["messages"][-1]["content"]
    assert worn_out()


def once_hanging(bank: Bank, hang: Callable[[], None]) -> None:
    """The bank's next payment hangs; those after it do not."""
    left = [hang]
    bank.trouble = lambda: left.pop()() if left else None


def test_an_idempotent_call_that_takes_too_long_is_sent_again_with_the_same_key(
    counter: Counter, bank: Bank, reviewer: User, hang: Callable[[], None]
) -> None:
    hurried("pay")
    once_hanging(bank, hang)
    run = counter.go_on(approved(counter, reviewer, "pay"))
    assert run.state == "succeeded"
    assert (len(bank.sent), len({key for key, _, _ in bank.sent})) == (2, 1)


@pytest.mark.parametrize("known", [True, False])
def test_a_queryable_call_that_takes_too_long_is_looked_up(
    counter: Counter, bank: Bank, reviewer: User, hang: Callable[[], None], known: bool
) -> None:
    tool = hurried("order")
    once_hanging(bank, hang)
    looker = tool.looker
    assert looker is not None

    def arrives(*given: Any) -> Any:
        if known:
            bank.known[bank.sent[0][0]] = Receipt(reference="R1")
        return looker(*given)

    tool.looker = arrives
    run = counter.go_on(approved(counter, reviewer, "order"))
    assert (run.state, len(bank.sent)) == ("succeeded" if known else "waiting", 1)
    state = EffectRecord.objects.get(run=run).state
    assert state == ("succeeded" if known else "in_doubt")


def test_an_opaque_call_that_takes_too_long_is_in_doubt_and_its_late_answer_changes_nothing(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    hurried("wire")
    late, answered = threading.Event(), threading.Event()
    take = bank.take

    def slow(*given: Any) -> Receipt:
        late.wait(60)
        receipt = take(*given)
        answered.set()
        return receipt

    bank.take = slow  # type: ignore[method-assign]
    run = counter.go_on(approved(counter, reviewer, "wire"))
    late.set()
    assert answered.wait(10)
    assert (run.state, counter.request(run).kind) == ("waiting", "in_doubt")
    assert "longer than" in Step.objects.get(run=run, kind="in_doubt").request["why"]  # type: ignore[index]
    assert EffectRecord.objects.get(run=run).state == "in_doubt"


def test_a_lookup_that_takes_too_long_has_told_nothing(
    counter: Counter, bank: Bank, reviewer: User, hang: Callable[[], None]
) -> None:
    run = killed_while_sending(counter, bank, reviewer, "order")
    tool = hurried("order")
    tool.looker = lambda ctx, payment: hang()
    assert counter.request(counter.go_on(run)).kind == "in_doubt"
    assert worn_out()


def test_a_read_back_that_takes_too_long_has_found_nothing(
    counter: Counter, bank: Bank, reviewer: User, hang: Callable[[], None]
) -> None:
    tool = hurried("pay")
    tool.verifier = lambda ctx, payment, receipt: hang()
    run = counter.go_on(approved(counter, reviewer, "pay"))
    assert counter.request(run).kind == "in_doubt"
    assert worn_out()


def test_a_preview_that_takes_too_long_is_said_in_the_request(
    counter: Counter, bank: Bank, hang: Callable[[], None]
) -> None:
    tool = hurried("pay")
    tool.previewer = lambda ctx, payment: hang()
    request = counter.request(counter.start([calls(call("pay", PAY))]))
    assert "TimedOut" in str(request.preview)


def test_a_state_token_that_takes_too_long_sends_the_call_back_to_review(
    counter: Counter, bank: Bank, reviewer: User, hang: Callable[[], None]
) -> None:
    tool = hurried("pay")
    tokens = iter([lambda: "same"])
    tool.token_reader = lambda ctx, payment: next(tokens, hang)()
    run = counter.go_on(approved(counter, reviewer, "pay"))
    assert (counter.request(run).revision, bank.sent) == (2, [])


def test_locks_that_take_too_long_refuse_the_call(
    counter: Counter, bank: Bank, hang: Callable[[], None]
) -> None:
    tool = hurried("pay")
    tool.lock_namer = lambda payment: hang()
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    assert Step.objects.get(run=run, name="pay").problem == "locks_unknown"


@pytest.mark.django_db(transaction=True)
def test_a_transactional_call_whose_statement_takes_too_long_did_nothing(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    hurried("book")

    def slow() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")

    bank.trouble = slow
    run = counter.go_on(approved(counter, reviewer, "book"))
    step = Step.objects.get(run=run, name="book")
    assert (run.state, step.state, step.problem) == ("succeeded", "failed", "timed_out")
    assert EffectRecord.objects.get(run=run).state == "failed"


@pytest.mark.django_db(transaction=True)
def test_a_transactional_call_that_stands_still_gives_the_runs_row_back(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    hurried("book")
    run = approved(counter, reviewer, "book")
    bank.trouble = lambda: row_is_free_within(10, run)
    run = counter.go_on(run)
    step = Step.objects.get(run=run, name="book")
    assert (run.state, step.state, step.problem) == ("succeeded", "failed", "timed_out")


def row_is_free_within(seconds: float, run: Run) -> None:
    """Wait, asking over another connection, until somebody else could lock the run's row."""

    def ask() -> None:
        ends = monotonic() + seconds
        while monotonic() < ends:
            try:
                with transaction.atomic():
                    Run.objects.select_for_update(nowait=True).get(pk=run.pk)
                    return
            except OperationalError:
                continue
        raise AssertionError("the row is still locked")

    ToolThreads().call(seconds + 5, ask)


def test_a_caller_hears_what_the_function_returns_or_raises_and_lends_its_context() -> None:
    mine = ToolThreads()
    WHO.set("caller")
    assert mine.call(5, WHO.get) == "caller"
    with pytest.raises(KeyboardInterrupt):
        mine.call(5, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    first, second = (mine.call(5, threading.get_ident) for _ in range(2))
    assert first == second != threading.get_ident()
    assert mine.left_behind == 0


@pytest.mark.django_db
def test_a_function_has_a_database_connection_that_is_not_the_callers() -> None:
    mine = ToolThreads()
    assert mine.call(5, lambda: connections["default"]) is not connections["default"]


def test_a_thread_whose_call_took_too_long_is_replaced(hang: Callable[[], None]) -> None:
    mine = ToolThreads()
    first = mine.call(5, threading.get_ident)
    with pytest.raises(TimedOut):
        mine.call(SHORT, hang)
    assert mine.call(5, threading.get_ident) != first
    assert mine.left_behind == 1


def test_two_callers_at_once_have_a_thread_each() -> None:
    mine = ToolThreads()
    inside, seen = threading.Barrier(2, timeout=10), []
    callers = [
        threading.Thread(
            target=lambda: seen.append(
                mine.call(10, lambda: (inside.wait(), threading.get_ident())[1])
            )
        )
        for _ in range(2)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert len(set(seen)) == 2
