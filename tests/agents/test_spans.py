"""What spans hold of runs: codes and counts; content only where it is asked for, and even then not all."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from accounts.models import User
from agents.masking import SENSITIVE
from agents.models import Run
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_sensitive_nowhere import (  # noqa: F401
    FIRST,
    SECOND,
    assert_clean,
    begun,
    saying,
    sends,
    trusted,
    vault,
)
from tests.harness.collecting import InMemory, collected
from tests.model_server import call, calls, final, judged

PAYS = judged({"account": "DE-4711", "amount": "9.00"})
SECRET = "hunter2-of-the-bank"


def facts(spans: InMemory, name: str) -> dict[str, Any]:
    (span,) = spans.named(name)
    return dict(span.attributes or {})


def paid(counter: Counter, reviewer: User, text: str = "Please pay.") -> Run:
    """A run that reads, pays with approval, and ends."""
    reads = call("read_balance", judged({"account": "DE-4711"}))
    run = counter.start([calls(reads), calls(call("wire", PAYS)), final(summary="Paid.")], text)
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    return counter.go_on(run)


def test_spans_say_what_was_done_in_the_words_of_the_conventions_and_hold_no_content(
    counter: Counter, reviewer: User
) -> None:
    with collected() as spans:
        run = paid(counter, reviewer)
    assert run.state == "succeeded"
    assert {span.context.trace_id for span in spans.spans()} == {run.pk.int}
    chat = spans.named("chat scripted")[0].attributes or {}
    assert {
        name: chat[name] for name in chat if name.startswith("gen_ai.") and not name.endswith(".id")
    } == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "scripted",
        "gen_ai.response.model": "scripted",
        "gen_ai.response.finish_reasons": ("tool_calls",),
        "gen_ai.usage.input_tokens": chat["gen_ai.usage.input_tokens"],
        "gen_ai.usage.output_tokens": chat["gen_ai.usage.output_tokens"],
        "gen_ai.usage.cache_read.input_tokens": 0,
    }
    first, _ = spans.named("invoke_agent teller")
    assert (first.attributes or {})["gen_ai.agent.id"] == "teller"
    assert UUID(str((first.attributes or {})["gen_ai.conversation.id"])) == run.pk
    assert facts(spans, "gate wire")["countersign.gate.outcome"] == "review"
    assert facts(spans, "execute_tool wire")["gen_ai.operation.name"] == "execute_tool"
    assert facts(spans, "park")["countersign.run.state"] == "waiting"
    assert facts(spans, "decide")["countersign.decision.verdict"] == "approve"
    for kept in ("DE-4711", "9.00", "Please pay", "Paid.", "confidence"):
        assert kept not in spans.text(), kept


def test_a_call_that_fails_says_so_by_a_code_and_without_its_words(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    def refuse() -> None:
        raise ValueError("account DE-4711 is empty")

    bank.trouble = refuse
    with collected() as spans:
        paid(counter, reviewer)
    (failed,) = spans.named("execute_tool wire")
    assert (failed.attributes or {})["error.type"] == "tool_raised"
    assert not failed.status.is_ok
    assert "is empty" not in spans.text()


def test_content_is_there_where_it_is_asked_for_without_secrets_and_scores(
    counter: Counter, reviewer: User, settings: Settings
) -> None:
    held = settings.COUNTERSIGN.tool_secrets | {"bank": SECRET}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"tool_secrets": held})
    with collected(content=True) as spans:
        run = paid(counter, reviewer, "Please pay the rent.")
    asked = json.loads(
        str((spans.named("chat scripted")[-1].attributes or {})["gen_ai.input.messages"])
    )
    assert any("Please pay the rent." in json.dumps(message) for message in asked)
    given = json.loads(str(facts(spans, "execute_tool wire")["gen_ai.tool.call.arguments"]))
    assert given == {"account": "DE-4711", "amount": "9.00"}
    assert "reference" in str(facts(spans, "execute_tool wire")["gen_ai.tool.call.result"])
    answered = str((spans.named("chat scripted")[0].attributes or {})["gen_ai.output.messages"])
    assert "DE-4711" in answered
    assert "confidence" not in "".join(
        str((s.attributes or {}).get("gen_ai.output.messages")) for s in spans.spans()
    )
    assert run.state == "succeeded"
    with collected(content=True) as spans:
        counter.start([final(summary=f"It is {SECRET}.")], "Tell it.")
    assert "[secret: bank]" in spans.text()
    assert SECRET not in spans.text()


@pytest.mark.usefixtures("vault")
def test_of_an_agent_with_sensitive_arguments_nothing_but_their_names_is_sent(
    counter: Counter,
    trusted: User,  # noqa: F811
) -> None:
    with collected(content=True) as spans:
        run = begun(
            counter,
            saying(call("look_for", {"name": FIRST, "confidence": 0.99, "rationale": FIRST})),
            saying(sends(7), sends(13), sends(14, SECOND), sends(15)),
            final(summary=f"Sent to {FIRST}"),
        )
        while run.state == "waiting":
            for request in ApprovalRequest.objects.filter(run_id=run.pk, state="pending"):
                counter.decide(request, Verdict.APPROVE, trusted)
            run = counter.go_on(run)
    assert_clean(spans.text(), "spans")
    sent = spans.named("execute_tool transfer")
    assert sent, "something was sent"
    for span in sent:
        given = json.loads(str((span.attributes or {})["gen_ai.tool.call.arguments"]))
        assert given["recipient"] == SENSITIVE
        assert given["amount"].startswith("left out")
