"""What is done in the transaction of what came before it, and what keeps it from that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from agents.authoring import Risk, ToolContext, Trust, tool
from agents.context import build_context
from agents.conversations import read_requests
from agents.models import EffectRecord, Run, Step
from agents.runner import advance
from agents.services import begin_next
from agents.services.call_model import digest_of
from agents.services.control import cancel_run, pause_run
from agents.services.record_reply import record_reply
from agents.services.settle import settle_effect
from tests.agents.bank import Account, Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.saying import by, say, told
from tests.agents.test_effects import approved
from tests.agents.test_kill_switches import switch
from tests.model_server import ModelServer, call, calls, final, judged

ODD = {"zz": 1e16, "a": 1.50, "list": [{"bb": -0.0, "a": None}], "é": "ä"}


def just_before(patch: pytest.MonkeyPatch, what: str, act: Callable[[], object]) -> None:
    """Do something once, right before that is done."""
    do, left = {"settle_effect": settle_effect, "record_reply": record_reply}[what], [act]
    place = {"settle_effect": "agents.effects", "record_reply": "agents.model_steps"}[what]

    def raced(*args: Any, **given: Any) -> Any:
        if left:
            left.pop()()
        return do(*args, **given)  # type: ignore[operator]

    patch.setattr(f"{place}.{what}", raced)


def done_to(find: Callable[[], Run], what: str, operator: User) -> Callable[[], object]:
    def act() -> None:
        run = find()
        match what:
            case "said":
                say(run, operator, "One thing more.")
            case "paused":
                pause_run(run_id=run.pk, reason="", caller=by(operator))
            case "cancelled":
                cancel_run(run_id=run.pk, reason="", caller=by(operator))
            case "switched":
                switch("global")

    return act


@pytest.mark.parametrize(
    ("what", "state", "asked"),
    [
        ("said", "succeeded", 2),
        ("paused", "ready", 1),
        ("cancelled", "cancelled", 1),
        ("switched", "ready", 1),
    ],
)
def test_what_happens_while_a_call_is_made_comes_before_the_next_model_call(
    counter: Counter,
    model: ModelServer,
    bank: Bank,
    operator: User,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    state: str,
    asked: int,
) -> None:
    run = approved(counter, reviewer, "wire")
    just_before(monkeypatch, "settle_effect", done_to(Run.objects.get, what, operator))
    run = counter.go_on(run)
    assert (run.state, len(model.requests), len(bank.sent)) == (state, asked, 1)
    assert Step.objects.filter(run=run, kind="model").count() == asked
    assert EffectRecord.objects.get(run=run).state == "succeeded"
    if what == "said":
        assert told(model)[-1]["content"] == "A person says: One thing more."


@pytest.mark.parametrize(
    ("what", "state"), [("paused", "ready"), ("cancelled", "cancelled"), ("switched", "ready")]
)
def test_what_happens_while_the_model_writes_its_answer_comes_before_the_end(
    counter: Counter,
    operator: User,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    state: str,
) -> None:
    just_before(monkeypatch, "record_reply", done_to(Run.objects.get, what, operator))
    run = counter.start([final(summary="ok")])
    assert (run.state, run.output) == (state, None)
    step = Step.objects.get(run=run, kind="final")
    assert step.state == ("refused" if what == "cancelled" else "proposed")


def test_a_process_that_is_to_stop_begins_no_model_call_with_a_result(
    counter: Counter,
    model: ModelServer,
    bank: Bank,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, asked = approved(counter, reviewer, "pay"), list[bool]()
    just_before(monkeypatch, "settle_effect", lambda: asked.append(True))
    advance(run.pk, owner="test", stopping=lambda: bool(asked))
    run.refresh_from_db()
    assert (run.state, len(model.requests), len(bank.sent)) == ("ready", 1, 1)
    assert Step.objects.filter(run=run, kind="model").count() == 1
    assert counter.go_on(run).state == "succeeded"


@pytest.mark.parametrize("trouble", ["SELECT 1/0", ""])
def test_a_result_is_journalled_though_what_comes_next_cannot_be_begun(
    counter: Counter,
    model: ModelServer,
    bank: Bank,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
) -> None:
    run, failed = approved(counter, reviewer, "wire"), list[str]()

    def fail(*args: Any, **given: Any) -> None:
        failed.append(trouble)
        with connection.cursor() as cursor:
            cursor.execute(trouble or "SELECT 1")
        raise RuntimeError

    monkeypatch.setattr(begin_next, "note_model_call", fail)
    run = counter.go_on(run)
    assert (run.state, len(failed), len(bank.sent)) == ("succeeded", 1, 1)
    assert (run.tool_calls, run.model_calls, len(model.requests)) == (1, 2, 2)
    assert EffectRecord.objects.get(run=run).state == "succeeded"


def test_an_answer_is_journalled_though_the_run_cannot_end_with_it(
    counter: Counter, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("agents.services.record_reply.end_with", fail)
    run = counter.start([final(summary="ok")])
    assert (run.state, run.model_calls, len(model.requests)) == ("succeeded", 1, 1)
    assert Step.objects.filter(run=run).count() == 2


def test_what_a_model_is_asked_together_with_a_result_is_what_the_journal_tells_later(
    counter: Counter, bank: Bank
) -> None:
    @tool(risk=Risk.LOW, trust=Trust.TRUSTED)
    def read_balance(ctx: ToolContext, account: Account) -> dict[str, Any]:
        """The balance of an account, as its bank writes it."""
        return ODD

    agent = teller(bank, tools=[read_balance])
    host(agent)
    read = call("read_balance", judged({"account": "A1"}))
    run = counter.start([calls(read), final(summary="ok")])
    assert run.state == "succeeded"
    steps = list(Step.objects.filter(run=run).in_order())
    second = steps[2]
    sent = read_requests(run, [second.seq])[second.seq]
    assert sent == build_context(agent, run, steps[:2]).request
    assert digest_of(sent) == second.input_digest
