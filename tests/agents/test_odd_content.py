"""What models and tools may write and a journal cannot keep: mended or told, never a run that is stuck."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from accounts.callers import Caller
from accounts.models import User
from agents.authoring import Risk, Terminal, ToolContext, Trust, tool
from agents.errors import InvalidInput
from agents.models import Run, Step
from agents.services.start_run import start_run
from approvals.vocabulary import Verdict
from tests.agents.bank import Account, Bank, Payment, teller, tools_of
from tests.agents.conftest import Counter, host
from tests.model_server import Answer, ModelServer, call, calls, completion, final, judged

Steps = Callable[[Run], list[Step]]
PAY = judged({"account": "A1", "amount": "42.00"})
HUGE = 2**60


class Lot(BaseModel):
    """So many of a thing."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    count: int


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (judged({"account": "A\x001", "amount": "1.00"}), "arguments_invalid"),
        (judged({"account": "A1", "amount": "1.00", "f\x00st": True}), "arguments_invalid"),
        ('{"account": "A\x001"', "arguments_not_json"),
        ('{"account": "\\ud800"}', "arguments_not_json"),
        ('{"account": ' + "[" * 500 + "]" * 500 + "}", "arguments_not_json"),
    ],
)
def test_arguments_that_no_journal_keeps_go_back_to_the_model(
    counter: Counter, bank: Bank, steps_of: Steps, arguments: Any, code: str
) -> None:
    run = counter.start([calls(call("pay", arguments)), final(summary="ok")])
    assert run.state == "succeeded"
    assert steps_of(run)[1].problem == code
    assert bank.sent == []


def test_a_number_too_large_for_a_digest_goes_back_to_the_model_however_it_was_written(
    counter: Counter, bank: Bank, steps_of: Steps
) -> None:
    @tool(risk=Risk.LOW)
    def count_out(ctx: ToolContext, lot: Lot) -> str:
        """Count money out."""
        return "counted"

    host(teller(bank, tools=[*tools_of(bank), count_out]))
    run = counter.start(
        [calls(call("count_out", judged({"count": str(HUGE)}))), final(summary="ok")]
    )
    assert run.state == "succeeded"
    assert steps_of(run)[1].problem == "arguments_invalid"


def test_a_rationale_with_a_nul_is_kept_without_it(counter: Counter) -> None:
    odd = {"account": "A1", "amount": "1.00", "confidence": 0.9, "rationale": "as\x00asked"}
    run = counter.start([calls(call("pay", odd))])
    assert counter.request(run).rationale == "as\ufffdasked"


@pytest.mark.parametrize("name", ["p\x00y", "\ud800", "x" * 300, ""])
def test_a_name_that_no_tool_has_is_told_to_the_model(
    counter: Counter, steps_of: Steps, name: str
) -> None:
    run = counter.start([calls(call(name, {})), final(summary="ok")])
    assert run.state == "succeeded"
    assert steps_of(run)[1].problem == "unknown_tool"


@pytest.mark.parametrize("ids", [("same", "same"), ("", ""), ("a\x00", "b"), ("x" * 300, "y")])
def test_every_result_finds_its_call_whatever_ids_the_model_gave(
    counter: Counter, model: ModelServer, ids: tuple[str, str]
) -> None:
    asked = [call("read_balance", judged({"account": f"A{n}"})) for n in (1, 2)]
    for each, given in zip(asked, ids, strict=True):
        each["id"] = given
    run = counter.start([calls(*asked), final(summary="ok")])
    assert run.state == "succeeded"
    messages = model.requests[1]["messages"]
    named = [made["id"] for made in messages[2]["tool_calls"]]
    told = [(m["tool_call_id"], json.loads(m["content"])) for m in messages if m["role"] == "tool"]
    assert len(set(named)) == 2
    assert [to for to, _ in told] == named
    assert [content["result"]["account"] for _, content in told] == ["A1", "A2"]


@pytest.mark.parametrize("content", [[{"type": "text", "n": HUGE}], 7, {"n": HUGE}, "a\x00b"])
def test_words_of_an_odd_form_do_not_stop_the_run(counter: Counter, content: Any) -> None:
    asked = call("read_balance", judged({"account": "A1"}))
    reply = completion({"content": content, "tool_calls": [asked]}, created=HUGE, more="\ud800")
    assert counter.start([reply, final(summary="ok")]).state == "succeeded"


@pytest.mark.parametrize("value", ["\u00b2", "9" * 400, "-1", "soon"])
def test_a_nonsense_retry_after_counts_as_absent(counter: Counter, value: str) -> None:
    body = json.dumps({"error": {"message": "slow"}}).encode()
    headers = {"Retry-After": value}
    run = counter.start([Answer(429, body, headers), final(summary="ok")])
    assert run.state == "succeeded"


@pytest.mark.parametrize("result", ["a\x00b", "\ud800", HUGE])
def test_a_result_that_no_journal_keeps_is_mended_and_later_shown_as_evidence(
    counter: Counter, bank: Bank, result: Any
) -> None:
    @tool(risk=Risk.LOW, trust=Trust.TRUSTED)
    def read_oddly(ctx: ToolContext, account: Account) -> Any:
        """Read something odd."""
        return {"value": result}

    host(teller(bank, tools=[*tools_of(bank), read_oddly]))
    reads = calls(call("read_oddly", judged({"account": "A1"})))
    run = counter.start([reads, calls(call("pay", PAY)), final(summary="ok")])
    assert run.state == "waiting"
    assert isinstance(counter.request(run).evidence[0]["result"]["value"], str)


def test_a_result_that_is_no_json_is_an_error_and_not_a_crash(
    counter: Counter, bank: Bank, steps_of: Steps
) -> None:
    @tool(risk=Risk.LOW)
    def read_bytes(ctx: ToolContext, account: Account) -> Any:
        """Read what is no text."""
        return {"value": b"\xff"}

    host(teller(bank, tools=[*tools_of(bank), read_bytes]))
    run = counter.start([calls(call("read_bytes", judged({"account": "A1"}))), final(summary="ok")])
    assert run.state == "succeeded"
    assert steps_of(run)[1].problem == "result_invalid"


def test_an_error_text_with_a_nul_reaches_the_agent(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    def refuse() -> None:
        raise Terminal("no\x00such account")

    bank.trouble = refuse
    run = counter.start([calls(call("wire", PAY)), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert "such account" in counter.model.requests[-1]["messages"][-1]["content"]


def test_a_preview_and_a_state_token_with_a_nul_still_open_the_request(
    counter: Counter, bank: Bank
) -> None:
    agent = teller(bank)
    wire = agent.tool("wire")
    assert wire is not None
    wire.previewer = lambda ctx, payment: f"Wire to\x00{payment.account}"

    @wire.state_token
    def read(ctx: ToolContext, payment: Payment) -> str:
        return "as\x00it stands"

    host(agent)
    run = counter.start([calls(call("wire", PAY))])
    assert counter.request(run).title == "Wire to\ufffdA1"


def test_an_input_with_a_nul_is_refused(bank: Bank, operator: User) -> None:
    with pytest.raises(InvalidInput):
        start_run(agent="teller", input="Pay\x00me.", caller=Caller.of_session(operator))
    assert Run.objects.count() == 0
