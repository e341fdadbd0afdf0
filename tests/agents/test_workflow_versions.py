"""A workflow as part of its agent's definition: mistakes in it, its version, and a deploy under a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from accounts.models import User
from agents import registry
from agents.authoring import Category, DefinitionError, FlowContext, Go, Move, Workflow
from agents.checks import check_agents
from agents.models import AgentVersion, Run, Step
from agents.version_changes import changes_between
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.flows import Wish, answered, clerk, flow_of
from tests.agents.test_versions import attention_of
from tests.model_server import ModelServer


def machine(start: str, **states: Sequence[str]) -> Workflow:
    """A machine of these states, each with those it leads to."""
    flow = Workflow(start=start)
    for name, to in states.items():

        def state(ctx: FlowContext) -> Move:
            """Go on."""
            return Go("")

        state.__name__ = name
        flow.state(to=to)(state)
    return flow


@pytest.mark.parametrize(
    ("flow", "said", "hint"),
    [
        (machine("b", a=()), "starts at b, which is no state", "start at one of a"),
        (machine("a"), "starts at a, which is no state", "Declare the state"),
        (machine("a", a=["c"]), "its state a leads to c, which is no state", "out of `to`"),
        (machine("a", a=(), b=()), "its state b is never reached", "or delete it"),
        (machine("a", a=["a"]), "its state a never comes to an end", "ends=True"),
        (machine("a", a=["b", "c"], b=["b"], c=()), "its state b never comes to an end", "ends"),
    ],
)
def test_check_says_what_is_wrong_with_a_machine_and_what_to_change(
    bank: Bank, flow: Workflow, said: str, hint: str
) -> None:
    registry.unregister("teller")
    registry.register(clerk(flow, bank))
    messages = [m for m in check_agents(None) if m.id == "agents.E103"]
    assert any(said in m.msg and hint in str(m.hint) for m in messages)


def test_check_has_nothing_to_say_of_a_sound_machine(bank: Bank) -> None:
    registry.unregister("teller")
    registry.register(clerk(flow_of(bank), bank))
    assert [m for m in check_agents(None) if "teller" in m.msg] == []


@pytest.mark.parametrize(
    ("agent", "id"),
    [
        (lambda bank: teller(bank, category=Category.WORKFLOW), "agents.E101"),
        (lambda bank: clerk(flow_of(bank), bank, category=Category.BOUNDED), "agents.E102"),
    ],
)
def test_check_asks_for_a_workflow_where_the_category_says_one_and_nowhere_else(
    bank: Bank, agent: Callable[[Bank], Any], id: str
) -> None:
    registry.unregister("teller")
    registry.register(agent(bank))
    assert id in [message.id for message in check_agents(None)]


class Open(BaseModel):
    """An answer that takes fields it does not know."""

    words: str


class Sure(BaseModel):
    """An answer with a field of ours."""

    model_config = ConfigDict(extra="forbid")
    confidence: float


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("Look", {}, "lower_snake_case"),
        ("a", {}, "declared twice"),
        ("b", {"to": "a"}, "list of names"),
        ("b", {"asks": Open}, "forbid"),
        ("b", {"asks": Sure}, "asked for at every decision point"),
    ],
)
def test_a_state_that_cannot_work_is_refused_where_it_is_declared(
    name: str, more: dict[str, Any], said: str
) -> None:
    flow = machine("a", a=())

    def state(ctx: FlowContext) -> Move:
        """Go on."""
        return Go("")

    state.__name__ = name
    with pytest.raises(DefinitionError, match=said):
        flow.state(**more)(state)


def test_the_code_of_a_state_is_part_of_the_version_and_its_looks_are_not() -> None:
    one, other, third = (Workflow(start="a") for _ in range(3))

    @one.state
    def a(ctx: FlowContext) -> Move:
        """Go."""
        return Go("b")

    def again() -> None:
        @other.state
        def a(ctx: FlowContext) -> Move:
            """Go on, in other words."""
            # With a comment.
            return Go(
                "b",
            )

    def changed() -> None:
        @third.state
        def a(ctx: FlowContext) -> Move:
            """Go."""
            return Go("c")

    again()
    changed()
    sources = [flow.describe()["states"][0]["source"] for flow in (one, other, third)]
    assert sources[0] == sources[1] != sources[2]


def test_the_machine_is_recorded_with_the_version_of_its_agent(desk: Counter, bank: Bank) -> None:
    version = AgentVersion.objects.get(digest=clerk(flow_of(bank), bank).version)
    flow = version.definition["flow"]
    assert flow["start"] == "look"
    assert [state["name"] for state in flow["states"]] == ["look", "read", "pay", "close"]
    assert [bool(state["asks"]) for state in flow["states"]] == [False, True, False, False]
    assert flow["states"][1]["asks"] == Wish.model_json_schema()
    assert flow["states"][2]["to"] == ["read", "close"]
    assert version.definition["schema"] == 2


def test_an_agent_without_a_workflow_is_recorded_as_it_always_was(bank: Bank) -> None:
    definition = teller(bank).definition
    assert definition["schema"] == 1
    assert "flow" not in definition


def test_what_changed_in_a_workflow_is_said_in_sentences(bank: Bank) -> None:
    old = clerk(flow_of(bank), bank).definition
    new = clerk(flow_of(bank, changed=True), bank).definition
    assert changes_between(old, new) == ["Its state close changed: its code."]
    other = clerk(machine("look", look=()), bank).definition
    said = changes_between(old, other)
    assert "Its workflow has the state pay no more." in said
    assert any("Its state look changed:" in each for each in said)


@pytest.fixture
def desk(counter: Counter, bank: Bank) -> Counter:
    """The counter, with the clerk at it."""
    host(clerk(flow_of(bank), bank))
    return counter


def test_a_run_whose_workflow_changed_stands_until_a_person_lets_it_go_on_with_the_new_one(
    desk: Counter, bank: Bank, reviewer: User, model: ModelServer
) -> None:
    run = desk.start([answered()], "A1")
    desk.decide(desk.request(run), Verdict.APPROVE, reviewer)
    host(clerk(flow_of(bank, changed=True), bank))
    request = attention_of(desk, run)
    assert bank.sent == []
    assert [way["value"] for way in request.question["choices"]] == ["use_new"]
    said = [fact["value"] for fact in request.preview["facts"]]
    assert "Its state close changed: its code." in said
    desk.decide(request, Verdict.CHANGE, reviewer, choice="use_new")
    run = desk.go_on(run)
    assert run.output == {"summary": "Paid, says the new release."}
    assert len(bank.sent) == 1
    assert len(model.requests) == 1


def test_a_changed_prompt_alone_does_not_stop_a_workflow(
    desk: Counter, bank: Bank, reviewer: User
) -> None:
    run = desk.start([answered()], "A1")
    desk.decide(desk.request(run), Verdict.APPROVE, reviewer)
    host(clerk(flow_of(bank), bank, instructions="You read letters with care."))
    assert desk.go_on(run).output == {"summary": "Paid, receipt R1."}


def test_a_run_whose_next_state_is_gone_waits_for_a_person(
    desk: Counter, bank: Bank, reviewer: User
) -> None:
    run = desk.start([answered()], "A1")
    desk.decide(desk.request(run), Verdict.APPROVE, reviewer)
    flow = flow_of(bank)
    flow.states.pop("close")
    host(clerk(flow, bank))
    desk.decide(attention_of(desk, run), Verdict.CHANGE, reviewer, choice="use_new")
    run = desk.go_on(run)
    request = desk.request(run)
    assert (request.kind, request.question["code"]) == ("attention", "state_gone")
    assert {"label": "State", "value": "close"} in request.preview["facts"]


def test_an_older_release_leaves_a_workflows_journal_alone(
    desk: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = desk.start([answered()], "A1")
    monkeypatch.setattr(Step, "SCHEMA", 3)
    Run.objects.filter(pk=run.pk).update(state="ready", ready_at=None)
    run = desk.go_on(run)
    # It is left to processes of the release that wrote it.
    assert (run.state, run.left is not None) == ("ready", True)
