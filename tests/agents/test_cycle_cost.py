"""What an approval cycle asks of PostgreSQL: statements and transactions of each part, which no machine changes."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

from accounts.callers import Caller
from accounts.models import User
from agents.services.start_run import start_run
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_effects import PAY
from tests.model_server import call, calls, final

# Each transaction that wrote waits for a disk, and each statement for a round trip: more of either slows every run.
MOST = {
    "start": {"statements": 3, "transactions": 1},
    "park": {"statements": 31, "transactions": 6},
    "decide": {"statements": 16, "transactions": 1},
    "execute and finish": {"statements": 22, "transactions": 4},
}


@pytest.mark.django_db(transaction=True)
def test_a_cycle_takes_no_more_statements_and_transactions_than_its_budget(
    counter: Counter, bank: Bank, operator: User, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: dict[str, Tally[str]] = {}
    wrapper: Any = type(connections["default"])
    commit = wrapper._commit

    def one_cycle(cycle: int) -> None:
        counter.model.follow([calls(call("wire", PAY)), final(summary="Paid.")])
        caller = Caller.of_session(operator)
        with counted("start"):
            run, _ = start_run(agent="teller", input=f"Pay {cycle}.", caller=caller)
        with counted("park"):
            counter.go_on(run)
        request = counter.request(run)
        with counted("decide"):
            counter.decide(request, Verdict.APPROVE, reviewer)
        with counted("execute and finish"):
            run = counter.go_on(run)
        assert (run.state, len(bank.sent)) == ("succeeded", cycle)

    @contextmanager
    def counted(part: str) -> Iterator[None]:
        tally = spent[part] = Tally()

        def state(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
            tally["statements"] += 1
            # By itself, a statement is a transaction too.
            tally["transactions"] += not connection.in_atomic_block
            return execute(sql, params, many, context)

        def committed(connected: Any) -> None:
            tally["transactions"] += 1
            commit(connected)

        monkeypatch.setattr(wrapper, "_commit", committed)
        with connection.execute_wrapper(state):
            yield
        monkeypatch.setattr(wrapper, "_commit", commit)

    # The first one makes what is made once for each process.
    one_cycle(1)
    one_cycle(2)
    over = {
        part: dict(tally)
        for part, tally in spent.items()
        if any(tally[name] > most for name, most in MOST[part].items())
    }
    assert over == {}
