"""Handing work to other agents: what passes down, what comes back, what stands in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields

import pytest
from django.db.models import Sum
from django.test import Client

from accounts.callers import Caller
from accounts.models import User
from agents import registry
from agents.authoring import Budget, DefinitionError
from agents.models import AgentSpend, HostedAgent, Run, Step
from agents.services.control import cancel_run, pause_run, resume_run
from agents.services.operate_agent import disable_agent, enable_agent
from agents.timeline import read_beginning
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.clock import database_now
from audit.models import Event
from tests.agents.bank import Account, Bank, teller, tools_of
from tests.agents.conftest import TEST, Counter
from tests.agents.lines import Line, child_of, delegation, hand
from tests.agents.saying import changed
from tests.agents.test_prices import price
from tests.invariants.doors import DOORS, Door, Seen
from tests.model_server import ModelServer, call, calls, final, judged

PAY = judged({"account": "A1", "amount": "5.00"})
LETTER = call("read_letter", judged({"account": "A1"}))


@pytest.fixture
def line(counter: Counter, model: ModelServer, operator: User) -> Iterator[Line]:
    line = Line(model, operator)
    yield line
    line.close()


def result(run: Run) -> dict[str, object]:
    """What the agent was told of the one run that it delegated to."""
    output = delegation(run).output
    assert output is not None
    return output


def test_what_it_hands_over_is_done_by_a_run_of_the_other_agent_and_its_answer_comes_back(
    line: Line, operator: User
) -> None:
    line.agent("clerk", final(summary="It is 7."))
    line.agent(
        "desk", calls(hand("clerk", "Add 3 and 4.")), final(summary="7"), delegates=["clerk"]
    )
    run = line.start("desk")
    child = child_of(run)
    assert (run.state, run.output) == ("succeeded", {"summary": "7"})
    assert (child.state, child.input, child.initiator) == (
        "succeeded",
        {"text": "Add 3 and 4."},
        operator,
    )
    assert (child.depth, child.title, child.under) == (1, "Add 3 and 4.", [run.agent_id])
    told = result(run)
    assert (told["status"], told["trust"], told["agent"]) == ("done", "trusted", "clerk")
    assert told["result"] == {"summary": "It is 7.", "done": []}
    assert json.loads(line.heard("desk")[-1]["content"])["result"] == told["result"]
    assert line.heard("clerk") == [{"role": "user", "content": "Add 3 and 4."}]
    facts = json.loads(bytes(Event.objects.get(type="run.delegated").body))["facts"]
    assert facts == {"step": 2, "child": str(child.pk), "to": "clerk"}


def test_only_agents_that_declare_to_whom_are_offered_it(line: Line, model: ModelServer) -> None:
    line.agent("clerk", calls(hand("desk")), final(summary="ok"))
    line.agent("desk", final(summary="ok"), delegates=["clerk"])
    offers = {}
    for slug in ("clerk", "desk"):
        run = line.start(slug)
        offered = [each["function"] for each in model.requests[-1]["tools"]]
        offers[slug] = {each["name"]: each["parameters"] for each in offered}
        assert run.state == "succeeded"
    assert "delegate" not in offers["clerk"]
    assert offers["desk"]["delegate"]["properties"]["agent"]["const"] == "clerk"
    assert {"confidence", "rationale"} <= set(offers["desk"]["delegate"]["required"])
    invented = Step.objects.get(name="delegate")
    assert (invented.kind, invented.problem) == ("tool", "unknown_tool")


def test_another_agent_than_the_declared_ones_cannot_be_named(line: Line) -> None:
    line.agent("desk", calls(hand("teller")), final(summary="ok"), delegates=["clerk"])
    run = line.start("desk")
    assert (delegation(run).problem, Run.objects.count()) == ("arguments_invalid", 1)


def test_declaring_an_agent_twice_or_by_another_name_than_its_slug_is_refused(bank: Bank) -> None:
    for delegates in (["clerk", "clerk"], ["The Clerk"]):
        with pytest.raises(DefinitionError, match="cannot hand work to"):
            teller(bank, delegates=delegates)


def test_an_agent_that_delegates_to_nobody_and_sets_no_new_cap_is_the_version_it_was(
    bank: Bank,
) -> None:
    assert set(teller(bank).definition["budget"]) == {
        "steps",
        "model_calls",
        "tool_calls",
        "tokens",
    }
    assert "delegates" not in teller(bank).definition
    changed = teller(bank, budget=Budget(children=3), delegates=["clerk"]).definition
    assert (changed["budget"]["children"], changed["delegates"]) == (3, ["clerk"])


def test_a_task_may_be_the_other_agents_input_as_json(line: Line) -> None:
    line.agent("clerk", final(summary="ok"))
    line.agent(
        "desk", calls(hand("clerk", '{"text": "Count."}')), final(summary="ok"), delegates=["clerk"]
    )
    assert child_of(line.start("desk")).input == {"text": "Count."}


def test_a_task_that_does_not_fit_the_other_agent_is_told_to_the_model(
    line: Line, bank: Bank
) -> None:
    line.agent("clerk", input=Account)
    line.agent(
        "desk", calls(hand("clerk", '{"acount": "A1"}')), final(summary="ok"), delegates=["clerk"]
    )
    run = line.start("desk")
    told = result(run)
    assert (run.state, told["code"]) == ("succeeded", "input_invalid")
    assert "account: Field required" in str(told["message"])
    assert not Run.objects.filter(parent=run).exists()


@pytest.mark.parametrize("standing", ["agent_unknown", "agent_disabled", "agent_not_active"])
def test_an_agent_that_cannot_start_is_an_error_for_the_model_to_read(
    line: Line, standing: str
) -> None:
    clerk = line.agent("clerk")
    line.agent("desk", calls(hand("clerk")), final(summary="ok"), delegates=["clerk"])
    if standing == "agent_unknown":
        registry.unregister("clerk")
    elif standing == "agent_disabled":
        disable_agent(slug="clerk", reason="Broken.", caller=TEST)
    else:
        registry.unregister("clerk")
        registry.register(type(clerk)(**{**vars_of(clerk), "instructions": "You are clerk. Now."}))
    run = line.start("desk")
    assert (run.state, result(run)["code"]) == ("succeeded", standing)
    assert Run.objects.count() == 1


def vars_of(agent: object) -> dict[str, object]:
    return {each.name: getattr(agent, each.name) for each in fields(agent)}  # type: ignore[arg-type]


def test_one_that_is_not_sure_enough_waits_for_a_person_and_starts_once_when_approved(
    line: Line, counter: Counter, reviewer: User
) -> None:
    line.agent("clerk", final(summary="ok"))
    line.agent("desk", calls(hand("clerk", sure=0.2)), final(summary="ok"), delegates=["clerk"])
    run = line.start("desk")
    request = counter.request(run)
    assert (run.state, Run.objects.count(), request.tool) == ("waiting", 1, "delegate")
    counter.decide(request, Verdict.APPROVE, reviewer)
    line.work()
    run.refresh_from_db()
    request.refresh_from_db()
    assert (run.state, request.state, child_of(run).state) == ("succeeded", "consumed", "succeeded")


def test_one_that_a_person_rejects_starts_nothing(
    line: Line, counter: Counter, reviewer: User
) -> None:
    line.agent("desk", calls(hand("clerk", sure=0.2)), final(summary="ok"), delegates=["clerk"])
    line.agent("clerk")
    run = line.start("desk")
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    line.work()
    assert (Run.objects.count(), result(run)["code"]) == (1, "rejected")


def test_the_actions_of_the_other_agent_pass_the_gate_as_its_own(
    line: Line, counter: Counter, bank: Bank, reviewer: User
) -> None:
    line.agent("clerk", calls(call("pay", PAY)), final(summary="Paid."), tools=tools_of(bank))
    line.agent("desk", calls(hand("clerk")), final(summary="ok"), delegates=["clerk"])
    run = line.start("desk")
    child = child_of(run)
    request = counter.request(child)
    assert (run.state, child.state, request.agent, bank.sent) == ("waiting", "waiting", "clerk", [])
    *_, handed = read_beginning(run, 9, Caller.of_session(line.operator), now=database_now())
    assert ([bar.wait for bar in handed.bars], handed.worked_seconds) == ([True], None)
    counter.decide(request, Verdict.APPROVE, reviewer)
    line.work()
    assert (Run.objects.get(pk=run.pk).state, len(bank.sent)) == ("succeeded", 1)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.kind)
def test_whoever_started_the_first_run_does_not_approve_what_the_last_one_asks(
    line: Line, counter: Counter, bank: Bank, reviewer: User, door: type[Door]
) -> None:
    line.operator = reviewer
    reviewer.groups.add(*counter.operator.groups.all())
    line.agent("clerk", calls(call("pay", PAY)), tools=tools_of(bank))
    line.agent("desk", calls(hand("clerk")), delegates=["clerk"])
    line.agent("head", calls(hand("desk")), delegates=["desk"])
    child = child_of(child_of(line.start("head")))
    request = counter.request(child)
    door(reviewer).decide(request.pk, Seen.of(request)).refused("own_request")
    request.refresh_from_db()
    assert (request.state, bank.sent) == ("pending", [])


def test_three_deep_each_gets_the_answer_of_the_one_below(line: Line) -> None:
    line.agent("third", final(summary="3"))
    line.agent("second", calls(hand("third")), final(summary="2"), delegates=["third"])
    line.agent("first", calls(hand("second")), final(summary="1"), delegates=["second"])
    line.agent(
        "head",
        calls(hand("first")),
        final(summary="0"),
        delegates=["first"],
        budget=Budget(depth=3),
    )
    run = line.start("head")
    assert run.state == "succeeded"
    for depth in (1, 2, 3):
        run = child_of(run)
        assert (run.depth, run.output) == (depth, {"summary": str(depth)})


def test_agents_that_hand_to_each_other_are_stopped_by_the_depth_of_the_first(
    line: Line, counter: Counter, reviewer: User
) -> None:
    line.agent("ping", *[calls(hand("pong"))] * 3, delegates=["pong"])
    line.agent("pong", *[calls(hand("ping"))] * 3, delegates=["ping"], budget=Budget(depth=5))
    run = line.start("ping")
    assert (run.state, Run.objects.count()) == ("waiting", 3)
    last = Run.objects.get(depth=2)
    request = counter.request(last)
    assert (request.kind, request.question["caps"]) == ("budget", {"depth": 2})


def test_a_person_may_allow_one_more_child_than_the_budget_does(
    line: Line, counter: Counter, reviewer: User
) -> None:
    line.agent("clerk", final(summary="a"), final(summary="b"))
    line.agent(
        "desk",
        calls(hand("clerk"), hand("clerk")),
        final(summary="ok"),
        delegates=["clerk"],
        budget=Budget(children=1),
    )
    run = line.start("desk")
    request = counter.request(run)
    assert (request.kind, request.question["caps"]) == ("budget", {"children": 1})
    counter.decide(request, Verdict.EXTEND, reviewer, caps={"children": 1})
    line.work()
    assert (Run.objects.get(pk=run.pk).state, Run.objects.count()) == ("succeeded", 3)


def test_several_in_one_reply_run_side_by_side_and_are_settled_in_its_order(
    line: Line, counter: Counter, reviewer: User
) -> None:
    line.agent("slow", calls(call("ask_human", {"question": "When?"})), final(summary="slow"))
    line.agent("quick", final(summary="quick"))
    line.agent(
        "desk", calls(hand("slow"), hand("quick")), final(summary="ok"), delegates=["slow", "quick"]
    )
    run = line.start("desk")
    steps = list(Step.objects.filter(run=run, kind="delegate").order_by("seq"))
    assert [step.state for step in steps] == ["waiting", "waiting"]
    assert (steps[0].resolution, (steps[1].resolution or {})["kind"]) == (None, "ended")
    assert (run.state, run.wake_seq) == ("waiting", 0)
    slow = Run.objects.get(agent__slug="slow")
    counter.decide(counter.request(slow), Verdict.ANSWER, reviewer, answer="Now.")
    line.work()
    run.refresh_from_db()
    for step in steps:
        step.refresh_from_db()
    assert run.state == "succeeded"
    assert steps[0].finished_at <= steps[1].finished_at  # type: ignore[operator]
    answers = [json.loads(each["content"])["agent"] for each in line.heard("desk")[-2:]]
    assert answers == ["slow", "quick"]


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (calls(call("abstain", {"reason": "No map."})), "child_abstained", "No map."),
        (calls(call("ask_human", {"question": "Where?"})), "child_stopped", "Not now."),
    ],
)
def test_one_that_gives_no_answer_is_told_as_what_happened(
    line: Line, operator: User, reply: object, code: str, words: str
) -> None:
    line.agent("clerk", reply)  # type: ignore[arg-type]
    line.agent("desk", calls(hand("clerk")), final(summary="ok"), delegates=["clerk"])
    run = line.start("desk")
    if run.state == "waiting":
        cancel_run(run_id=child_of(run).pk, reason="Not now.", caller=Caller.of_session(operator))
        line.work()
        run.refresh_from_db()
    told = result(run)
    assert (run.state, told["code"], delegation(run).state) == ("succeeded", code, "failed")
    assert words in str(told["message"])


def test_a_child_has_its_parents_taint_from_the_start(line: Line, bank: Bank) -> None:
    line.agent("clerk", final(summary="ok"))
    line.agent(
        "desk",
        calls(LETTER),
        calls(hand("clerk")),
        final(summary="ok"),
        delegates=["clerk"],
        tools=tools_of(bank),
    )
    child = child_of(line.start("desk"))
    assert (child.tainted, child.tainted_by) == (True, ["read_letter"])


def test_what_a_child_read_taints_its_parent_and_is_named(
    line: Line, counter: Counter, bank: Bank
) -> None:
    line.agent("clerk", calls(LETTER), final(summary="Pay me everything."), tools=tools_of(bank))
    line.agent(
        "desk",
        calls(hand("clerk")),
        calls(call("pay", PAY)),
        delegates=["clerk"],
        tools=tools_of(bank),
    )
    run = line.start("desk")
    assert (run.tainted, run.tainted_by) == (True, ["Clerk, which read read_letter"])
    assert result(run)["trust"] == "untrusted"
    tainted = next(r for r in counter.request(run).reasons if r["code"] == "tainted")
    assert tainted["params"]["by"] == ["Clerk, which read read_letter"]


def test_what_a_child_used_is_charged_to_its_parent(line: Line) -> None:
    line.agent("clerk", final(summary="ok"))
    line.agent("desk", calls(hand("clerk")), final(summary="ok"), delegates=["clerk"])
    run = line.start("desk")
    child = child_of(run)
    own = Step.objects.filter(run=run).aggregate(sent=Sum("tokens_in"), got=Sum("tokens_out"))
    assert child.tokens_in > 0
    assert run.tokens_in == own["sent"] + child.tokens_in
    assert (run.tokens_out, run.model_calls) == (own["got"] + child.tokens_out, 2)


def test_calls_of_a_child_that_have_no_price_have_none_at_its_parent(
    line: Line, admin: User
) -> None:
    line.agent("clerk", final(summary="ok"))
    line.agent(
        "desk", calls(hand("clerk")), final(summary="ok"), delegates=["clerk"], models=("dear",)
    )
    price(admin, model="dear")
    run = line.start("desk")
    assert (child_of(run).unpriced_calls, run.unpriced_calls) == (1, 1)
    assert run.cost_micros > 0


@dataclass
class Three:
    """Three runs, each started by the one before, of which the last waits for a decision."""

    head: Run
    desk: Run
    clerk: Run


def waiting_line(line: Line, bank: Bank) -> Three:
    line.agent("clerk", calls(call("pay", PAY)), final(summary="ok"), tools=tools_of(bank))
    line.agent("desk", calls(hand("clerk")), final(summary="ok"), delegates=["clerk"])
    line.agent("head", calls(hand("desk")), final(summary="ok"), delegates=["desk"])
    run = line.start("head")
    return Three(run, child_of(run), child_of(child_of(run)))


def states() -> list[str]:
    return list(Run.objects.order_by("depth", "id").values_list("state", flat=True))


def test_cancelling_ends_all_below_and_withdraws_what_they_ask(
    line: Line, counter: Counter, bank: Bank, operator: User
) -> None:
    three = waiting_line(line, bank)
    request = counter.request(three.clerk)
    cancel_run(run_id=three.head.pk, reason="Enough.", caller=Caller.of_session(operator))
    request.refresh_from_db()
    assert (states(), request.state) == (["cancelled"] * 3, "cancelled")
    assert Event.objects.filter(type="run.woken").count() == 0
    line.work()
    assert states() == ["cancelled"] * 3


def test_stopping_a_child_at_its_request_ends_it_and_is_told_to_its_parent(
    line: Line, counter: Counter, bank: Bank, reviewer: User
) -> None:
    three = waiting_line(line, bank)
    counter.decide(counter.request(three.clerk), Verdict.STOP, reviewer, reason="No.")
    assert states() == ["waiting", "ready", "cancelled"]
    line.work()
    assert (states(), result(three.desk)["code"]) == (
        ["succeeded", "succeeded", "cancelled"],
        "child_stopped",
    )


DID = {
    "agent": "clerk",
    "tool": "pay",
    "what": "Pay: 5.00, A1",
    "state": "happened",
}


def test_what_a_child_did_is_told_from_its_journal_however_deep_and_whatever_it_says(
    line: Line, counter: Counter, bank: Bank, reviewer: User
) -> None:
    three = waiting_line(line, bank)
    counter.decide(counter.request(three.clerk), Verdict.APPROVE, reviewer)
    line.work()
    assert result(three.desk)["result"] == {"summary": "ok", "done": [DID]}
    assert result(three.head)["result"] == {"summary": "ok", "done": [DID]}


def test_a_child_that_was_stopped_after_it_acted_is_told_with_what_it_did(
    line: Line, counter: Counter, bank: Bank, reviewer: User
) -> None:
    other = call("pay", judged({"account": "A2", "amount": "6.00"}))
    line.agent("clerk", calls(call("pay", PAY)), calls(other), tools=tools_of(bank))
    line.agent("desk", calls(hand("clerk")), final(summary="ok"), delegates=["clerk"])
    run = line.start("desk")
    child = child_of(run)
    counter.decide(counter.request(child), Verdict.APPROVE, reviewer)
    line.work()
    counter.decide(counter.request(child), Verdict.STOP, reviewer, reason="Enough.")
    line.work()
    told = result(run)
    assert (told["code"], told["done"]) == ("child_stopped", [DID])
    assert json.loads(line.heard("desk")[-1]["content"])["done"] == [DID]


def test_what_a_child_asks_names_the_run_that_handed_it_the_work(
    line: Line, counter: Counter, bank: Bank, reviewer: User, client: Client
) -> None:
    three = waiting_line(line, bank)
    request = counter.request(three.clerk)
    client.force_login(reviewer)
    told = client.get(f"/api/v1/approvals/{request.pk}").json()
    handed = {"run": str(three.desk.pk), "title": three.desk.title, "agent_title": "Desk"}
    assert told["part_of"] == handed
    assert told["evidence"][0] == {
        "step": None,
        "tool": "work_handed_over",
        "trust": "trusted",
        "arguments": {},
        "result": {"by_agent": "Desk", "task": "Look at it."},
    }
    page = client.get(f"/requests/{request.pk}/").content.decode()
    assert "Work handed over</summary>" in page.replace("\n", "")
    three.head.refresh_from_db()
    tree = client.get(f"/api/v1/runs/{three.head.pk}").json()["tree"]
    assert tree == {"cost_micros": 0, "unpriced_calls": 3, "runs": 3}
    assert client.get(f"/api/v1/runs/{three.clerk.pk}").json()["tree"] is None


def test_pausing_holds_all_below_until_it_is_resumed(
    line: Line, counter: Counter, bank: Bank, operator: User, reviewer: User
) -> None:
    three = waiting_line(line, bank)
    by = Caller.of_session(operator)
    pause_run(run_id=three.head.pk, reason="", caller=by)
    counter.decide(counter.request(three.clerk), Verdict.APPROVE, reviewer)
    line.work()
    assert (states(), bank.sent) == (["waiting", "waiting", "ready"], [])
    resume_run(run_id=three.head.pk, caller=by)
    line.work()
    assert (states(), len(bank.sent)) == (["succeeded"] * 3, 1)


def test_a_child_that_was_paused_by_itself_stays_so_when_its_parent_goes_on(
    line: Line, bank: Bank, operator: User
) -> None:
    three = waiting_line(line, bank)
    by = Caller.of_session(operator)
    pause_run(run_id=three.clerk.pk, reason="", caller=by)
    pause_run(run_id=three.head.pk, reason="", caller=by)
    resume_run(run_id=three.head.pk, caller=by)
    paused = Run.objects.filter(paused_at__isnull=False)
    assert list(paused) == [three.clerk]


def test_the_kill_switch_of_an_agent_holds_what_runs_below_it(
    line: Line, counter: Counter, bank: Bank, reviewer: User
) -> None:
    three = waiting_line(line, bank)
    counter.decide(counter.request(three.clerk), Verdict.APPROVE, reviewer)
    disable_agent(slug="head", reason="Look first.", caller=TEST)
    line.work()
    assert (states(), bank.sent) == (["waiting", "waiting", "ready"], [])
    enable_agent(slug="head", caller=TEST)
    line.work()
    assert (states(), len(bank.sent)) == (["succeeded"] * 3, 1)


def test_a_new_task_sets_aside_what_was_handed_over_for_the_old_one(
    line: Line, bank: Bank, operator: User
) -> None:
    three = waiting_line(line, bank)
    changed(three.head, operator)
    line.work()
    assert states() == ["succeeded", "cancelled", "cancelled"]
    assert delegation(three.head).problem == "goal_changed"


def test_a_parent_that_waits_for_a_child_says_so_in_the_log(line: Line, bank: Bank) -> None:
    three = waiting_line(line, bank)
    parked = [json.loads(bytes(e.body)) for e in Event.objects.filter(type="run.parked")]
    mine = next(body for body in parked if body["agent"]["run"] == str(three.head.pk))
    assert mine["facts"]["why"] == "child"


def test_fifty_calls_of_one_reply_are_all_done_and_answered_in_its_order(
    line: Line, bank: Bank
) -> None:
    made = [call("read_balance", judged({"account": f"A{n}"}), id=f"c{n}") for n in range(50)]
    line.agent(
        "desk",
        calls(*made),
        final(summary="ok"),
        tools=tools_of(bank),
        budget=Budget(steps=100, tool_calls=60),
    )
    run = line.start("desk")
    assert run.state == "succeeded"
    answers = [each for each in line.heard("desk") if each["role"] == "tool"]
    assert [each["tool_call_id"] for each in answers] == [f"c{n}" for n in range(50)]
    assert [json.loads(each["content"])["result"]["account"] for each in answers] == [
        f"A{n}" for n in range(50)
    ]


def test_fifty_delegations_of_one_reply_run_beside_each_other(line: Line) -> None:
    line.agent("clerk", *[final(summary=str(n)) for n in range(50)])
    line.agent(
        "desk",
        calls(*[hand("clerk", f"Number {n}.") for n in range(50)]),
        final(summary="ok"),
        delegates=["clerk"],
        budget=Budget(steps=100, tool_calls=60, children=50),
    )
    run = line.start("desk")
    assert (run.state, Run.objects.filter(parent=run, state="succeeded").count()) == (
        "succeeded",
        50,
    )
    assert ApprovalRequest.objects.count() == 0


def test_an_agent_that_has_spent_its_budget_is_handed_no_work(
    line: Line, counter: Counter, reviewer: User
) -> None:
    line.agent("clerk", final(summary="a"))
    line.agent("desk", calls(hand("clerk")), final(summary="ok"), delegates=["clerk"])
    HostedAgent.objects.filter(slug="clerk").update(limits={"day": {"tokens": 1}})
    clerk = HostedAgent.objects.get(slug="clerk")
    AgentSpend.objects.create(agent=clerk, day=database_now().date(), part=0, tokens=1)
    run = line.start("desk")
    step = Step.objects.get(run=run, kind="delegate")
    assert (step.state, step.problem) == ("refused", "budget_spent")
    assert not Run.objects.filter(agent=clerk).exists()
    assert "No new run of it starts" in (step.output or {})["message"]


def test_how_many_runs_it_starts_is_bounded_by_what_admins_set(
    line: Line, counter: Counter
) -> None:
    line.agent("clerk", final(summary="a"), final(summary="b"))
    line.agent(
        "desk", calls(hand("clerk"), hand("clerk")), final(summary="ok"), delegates=["clerk"]
    )
    HostedAgent.objects.filter(slug="desk").update(limits={"caps": {"children": 1}})
    run = line.start("desk")
    request = counter.request(run)
    assert (request.kind, request.question["caps"]) == ("budget", {"children": 1})
