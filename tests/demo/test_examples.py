"""Each example ends where its title says: script, tools and policy together, without the engine."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings as django_settings
from django.core import mail
from pytest_django import Settings

from agents.authoring import ToolContext
from agents.definitions import BUILT_IN
from approvals.schemas import GateVerdict
from demo.agents import refund_desk
from demo.models import Refund
from demo.practice.conversation import read_conversation
from demo.practice.moves import Move
from demo.practice.script import next_move
from demo.seed import seed
from tests.demo.judging import judged
from tests.demo.running_provider import Process

pytestmark = pytest.mark.django_db
OFFERED = [tool.name for tool in refund_desk.tools] + sorted(BUILT_IN)


@pytest.fixture(autouse=True)
def demo(settings: Settings, tmp_path: Path, provider: Process) -> None:
    settings.COUNTERSIGN = django_settings.COUNTERSIGN.model_copy(
        update={"data_dir": tmp_path, "demo_provider_url": provider.url}
    )
    seed()


def follow(ticket: str) -> tuple[Move, GateVerdict | None]:
    """Run a ticket until somebody is asked or it ends: the last move, and the gate's word if it asks."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": ticket}]
    for number in range(10):
        move = next_move(read_conversation(messages), OFFERED)
        tool = refund_desk.tool(move.tool)
        if tool is None:
            return move, None
        verdict = judged(move.tool, round(move.confidence * 10_000), **move.arguments)
        if not verdict.allowed:
            return move, verdict
        context = ToolContext(
            run_id=UUID(int=1),
            agent="refund-desk",
            initiator="operator",
            idempotency_key=f"key-{uuid4()}",
            now=datetime.now(UTC),
        )
        value = tool.function(context, tool.arguments.model_validate(move.arguments))
        result = tool.result.dump_python(value, mode="json")
        function = {"name": move.tool, "arguments": json.dumps(move.arguments)}
        call = {"id": str(number), "type": "function", "function": function}
        content = json.dumps({"status": "done", "result": result})
        messages += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": str(number), "content": content},
        ]
    raise AssertionError("no end")


def ticket(number: int) -> str:
    return str(refund_desk.examples[number].input)


def people(verdict: GateVerdict | None) -> dict[str, int]:
    assert verdict is not None
    assert verdict.requirements is not None
    return {need.group: need.count for need in verdict.requirements.groups}


def test_the_first_example_waits_for_one_of_finance() -> None:
    move, verdict = follow(ticket(0))
    assert move.tool == "issue_refund"
    assert move.arguments["amount"] == "420.00"
    assert people(verdict) == {"finance": 1}


def test_once_approved_the_first_example_asks_for_nothing_more() -> None:
    talk = [
        {"role": "user", "content": ticket(0)},
        *done("look_up_order", {"order": "ORD-10001"}, {"total": "1", "refundable": "1"}),
        *done("read_refund_rules", {}, {"window_days": 90}),
        *done("issue_refund", {"order": "ORD-10001", "amount": "420.00"}, {"amount": "420.00"}),
    ]
    assert next_move(read_conversation(talk), OFFERED).tool == "final_answer"


def done(name: str, arguments: dict[str, Any], result: dict[str, Any]) -> list[dict[str, Any]]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    content = json.dumps({"status": "done", "result": result})
    return [
        {
            "role": "assistant",
            "tool_calls": [{"id": name, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": name, "content": content},
    ]


def test_the_small_clear_example_runs_by_itself(provider: Process) -> None:
    move, verdict = follow(ticket(1))
    assert (move.tool, verdict) == ("final_answer", None)
    assert move.arguments["outcome"] == "refunded"
    assert [call["body"]["amount"] for call in provider.calls()] == ["38.50"]
    assert Refund.objects.filter(order__number="ORD-10002").count() == 1
    assert mail.outbox == []


def test_the_small_clear_example_can_be_run_again_and_again(provider: Process) -> None:
    for _ in range(3):
        assert follow(ticket(1))[0].arguments["outcome"] == "refunded"
    assert len(provider.calls()) == 3


def test_the_small_unclear_example_is_paused_by_its_confidence(provider: Process) -> None:
    move, verdict = follow(ticket(2))
    assert move.tool == "issue_refund"
    assert move.confidence < 0.80
    assert people(verdict) == {"@owner": 2}
    assert provider.calls() == []


def test_the_example_without_an_order_asks() -> None:
    assert follow(ticket(3))[0].tool == "ask_human"


def test_the_old_example_is_declined_by_the_rules(provider: Process) -> None:
    move, _ = follow(ticket(4))
    assert move.tool == "final_answer"
    assert move.arguments["outcome"] == "declined"
    assert provider.calls() == []


def test_the_last_example_refunds_and_writes_a_mail() -> None:
    move, verdict = follow(ticket(5))
    assert (move.tool, verdict) == ("final_answer", None)
    (sent,) = mail.outbox
    assert "€49.00" in sent.body
