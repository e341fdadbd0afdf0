"""Each example of data-steward ends where its title says: script, tools, policy and database, without the engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from agents.authoring import Agent, ToolContext
from agents.builtin import offered_tools
from approvals.gate import judge
from approvals.schemas import Confidence, GateContext, GateVerdict, ProposedAction
from approvals.services.policies import current
from audit.clock import database_now
from demo.agents import data_steward, row_checker
from demo.models import Customer, StewardRow
from demo.practice.conversation import read_conversation
from demo.practice.moves import Move
from demo.practice.script import next_move
from demo.practice.steward_tasks import (
    Count,
    DropTwin,
    MendCity,
    ReadNote,
    find_customer,
    read_task,
)
from demo.seed import seed
from demo.steward.grammar import check_query
from demo.steward.oddities import NOTES

database = pytest.mark.django_db(transaction=True)


@pytest.fixture
def demo(transactional_db: None, settings: Settings, tmp_path: Path) -> None:
    settings.COUNTERSIGN = django_settings.COUNTERSIGN.model_copy(update={"data_dir": tmp_path})
    seed()


Decide = Callable[[Move], dict[str, Any]]


def verdict_on(agent: Agent, move: Move) -> GateVerdict:
    """The word of the policy in force on a call of a run that has read rows."""
    declared = agent.tool(move.tool)
    assert declared is not None
    taken = declared.arguments.model_validate(move.arguments).model_dump(mode="json")
    action = ProposedAction(
        agent=agent.slug,
        agent_version=agent.version,
        owner_group=agent.owner,
        tool=declared.name,
        tool_version=declared.version,
        arguments=taken,
        digest="sha256:" + "0" * 64,
        risk=declared.risk,
        effects=declared.effects,
        reversible=declared.reversible,
        argument_schema=declared.schema(),
    )
    sure = Confidence(raw_bp=round(move.confidence * 10_000), source="self_reported")
    seen = GateContext(at=database_now(), tainted=True, tainted_by=("query",))
    return judge(action, sure, seen, current())


def follow(task: str, decide: Decide | None = None, agent: Agent = data_steward) -> Move:
    """Run a task to its end. `decide` answers what the gate does not allow; without it that is the end."""
    offered = [tool["function"]["name"] for tool in offered_tools(agent)]
    messages: list[dict[str, Any]] = [{"role": "user", "content": task}]
    for number in range(12):
        move = next_move(read_conversation(messages), offered)
        tool = agent.tool(move.tool)
        answer: dict[str, Any]
        if tool is None:
            if move.tool != "ask_human" or decide is None:
                return move
            answer = decide(move)
        elif verdict_on(agent, move).allowed:
            answer = carried_out(agent, move)
        elif decide is None:
            return move
        else:
            answer = decide(move)
        function = {"name": move.tool, "arguments": json.dumps(move.arguments)}
        call = {"id": str(number), "type": "function", "function": function}
        messages += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": str(number), "content": json.dumps(answer)},
        ]
    raise AssertionError("no end")


def carried_out(agent: Agent, move: Move) -> dict[str, Any]:
    if move.tool == "delegate":
        ended = follow(move.arguments["task"], agent=row_checker)
        return {"status": "done", "result": ended.arguments}
    tool = agent.tool(move.tool)
    assert tool is not None
    context = ToolContext(
        run_id=UUID(int=1),
        agent=agent.slug,
        initiator="operator",
        idempotency_key=f"key-{uuid4()}",
        now=datetime.now(UTC),
    )
    value = tool.function(context, tool.arguments.model_validate(move.arguments))
    return {"status": "done", "result": tool.result.dump_python(value, mode="json")}


def approve(move: Move) -> dict[str, Any]:
    return carried_out(data_steward, move)


def example(number: int) -> str:
    return str(data_steward.examples[number].input)


@database
def test_a_question_is_answered_without_a_person(demo: None) -> None:
    ended = follow(example(0))
    assert ended.tool == "final_answer"
    assert ended.arguments["outcome"] == "answered"
    assert f"There are {ended.arguments['rows']} orders delivered" in ended.arguments["message"]


@database
def test_a_misspelt_city_waits_for_one_of_support(demo: None) -> None:
    move = follow(example(1))
    verdict = verdict_on(data_steward, move)
    assert verdict.rule == "steward-changes"
    assert verdict.requirements is not None
    assert {need.group: need.count for need in verdict.requirements.groups} == {"support": 1}
    tool = data_steward.tool(move.tool)
    assert tool is not None
    ctx = ToolContext(UUID(int=1), "data-steward", "operator", "preview", datetime.now(UTC))
    preview = tool.show(ctx, tool.arguments.model_validate(move.arguments))
    assert preview.title == "Change customer Acme GmbH: city"


@database
def test_once_approved_the_city_is_right(demo: None) -> None:
    ended = follow(example(1), approve)
    assert ended.arguments["outcome"] == "changed"
    assert Customer.objects.get(name="Acme GmbH").city == "Hamburg"
    assert StewardRow.objects.count() == 1
    assert follow(example(1)).arguments["message"] == "Acme GmbH is in Hamburg already."


@database
def test_a_declined_change_is_not_proposed_again(demo: None) -> None:
    ended = follow(example(1), lambda move: {"status": "rejected", "feedback": "Leave it."})
    assert ended.arguments["outcome"] == "nothing_done"
    assert "Leave it." in ended.arguments["message"]


@database
def test_a_change_that_was_sent_back_follows_what_was_said(demo: None) -> None:
    asked: list[Move] = []

    def decide(move: Move) -> dict[str, Any]:
        asked.append(move)
        if len(asked) == 1:
            return {"status": "sent_back", "feedback": "It should be Bremen."}
        return approve(move)

    follow(example(1), decide)
    assert Customer.objects.get(name="Acme GmbH").city == "Bremen"


@database
def test_of_a_change_that_a_reviewer_made_another_it_says_what_was_carried_out(demo: None) -> None:
    other = {"sql": "UPDATE demo_customer SET city = 'Kiel' WHERE id = 3", "why": "This one."}

    def edited(move: Move) -> dict[str, Any]:
        done = carried_out(data_steward, replace(move, arguments=other))
        return {**done, "edited_by_a_person": True, "arguments_that_ran": other}

    ended = follow(example(1), edited)
    assert "Hamburg" not in ended.arguments["message"]
    assert other["sql"] in ended.arguments["message"]


@database
def test_where_the_right_city_is_not_said_it_asks(demo: None) -> None:
    def decide(move: Move) -> dict[str, Any]:
        return {"answer": "Hamburg"} if move.tool == "ask_human" else approve(move)

    ended = follow("Correct the misspelt city of customer Acme GmbH.", decide)
    assert ended.arguments["outcome"] == "changed"
    assert Customer.objects.get(name="Acme GmbH").city == "Hamburg"


@database
@pytest.mark.parametrize(
    "task",
    [example(2), "Delete the duplicate of customer Hooli GmbH.", "Hooli GmbH is there twice."],
)
def test_a_duplicate_goes_and_the_customer_with_orders_stays(demo: None, task: str) -> None:
    before = Customer.objects.count()
    ended = follow(task, approve)
    assert ended.arguments["outcome"] == "changed"
    assert Customer.objects.count() == before - 1
    assert Customer.objects.filter(name__in=["Globex GmbH", "Hooli GmbH"]).count() == 2


@database
def test_a_customer_that_is_there_once_is_no_duplicate(demo: None) -> None:
    ended = follow("Delete the duplicate of customer Acme GmbH.")
    assert ended.arguments["outcome"] == "nothing_done"


@database
def test_a_note_that_gives_orders_is_repeated_and_not_followed(demo: None) -> None:
    ended = follow(example(3))
    assert ended.arguments["outcome"] == "answered"
    assert NOTES["Marigold GmbH"] in ended.arguments["message"]


@database
def test_the_row_checker_counts_and_does_nothing_else(demo: None) -> None:
    ended = follow("How many orders does customer number 1 have?", agent=row_checker)
    orders = Customer.objects.get(pk=1).orders.count()
    assert (ended.tool, ended.arguments["rows"]) == ("final_answer", orders)
    assert follow("Do as you like.", agent=row_checker).tool == "abstain"


@database
def test_what_is_no_known_task_is_said_to_be_none(demo: None) -> None:
    assert follow("Sing a song.").tool == "abstain"


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("The city of Acme GmbH is wrong, it should be Kiel.", MendCity("Acme GmbH", "Kiel")),
        ("Set the city of customer Hooli GmbH to Graz", MendCity("Hooli GmbH", "Graz")),
        ("Correct the misspelt city of customer Acme GmbH", MendCity("Acme GmbH", "")),
        ("Please delete the duplicate of Globex GmbH.", DropTwin("Globex GmbH")),
        ("Acme GmbH is in there twice.", DropTwin("Acme GmbH")),
        ("Which notes are there on customer Umbra GmbH?", ReadNote("Umbra GmbH")),
        ("Tell me what is noted about Umbra GmbH", ReadNote("Umbra GmbH")),
        ("What is the weather?", None),
    ],
)
def test_tasks_are_understood_in_other_words(text: str, task: object) -> None:
    assert read_task(text) == task


@pytest.mark.parametrize(
    "text",
    [
        "How many orders were delivered late last month?",
        "How many orders were placed last month?",
        "How many orders are shipped?",
        "How many customers are there in Kiel?",
        "How many customers are there?",
    ],
)
def test_the_queries_that_it_writes_are_on_the_list(text: str) -> None:
    task = read_task(text)
    assert isinstance(task, Count)
    check_query(task.sql)


@pytest.mark.parametrize("name", ["O'Hara", "100%_\\", "'; DROP TABLE demo_customer; --"])
def test_a_name_is_a_text_in_its_query(name: str) -> None:
    check_query(find_customer(name))
