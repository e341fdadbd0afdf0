"""A replay makes anew what was sent to models, and says at which step it would be another; it does nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import InternalError, transaction
from django.test import Client

from accounts.models import ReviewGroup, User
from agents import registry
from agents.authoring import Agent, AskModel, FlowContext, Move
from agents.masking import Mask
from agents.models import Run, Step
from agents.replay import WHY, replay
from agents.replayed import Against, Replay, Result
from agents.states import StepKind
from approvals.vocabulary import Verdict
from audit.models import Event
from audit.read_only import read_only
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.flows import Wish, answered, clerk, flow_of, lone
from tests.agents.saying import say
from tests.agents.scoring import Cast, review, score_by
from tests.agents.test_effects import PAY
from tests.model_server import ModelServer, call, calls, final, judged, says

READ = judged({"account": "A1"})
STORY = [
    says("Hm."),
    calls(call("read_balance", READ), call("pay", {"account": 7})),
    calls(call("pay", PAY, id="p"), call("read_letter", READ)),
    final(summary="ok", relies_on=["p"]),
]


def replayed(run: Run, against: Against = Against.INSTALLED, **more: Any) -> Replay:
    row = Run.objects.select_related("agent__owner_group", "agent_version").get(pk=run.pk)
    return replay(row, mask=Mask(), against=against, **more)


def results(found: Replay) -> list[tuple[int, str]]:
    return [(step.seq, step.result) for step in found.steps if step.result]


@contextmanager
def installed(agent: Agent) -> Iterator[None]:
    """This is the agent of its name meanwhile, as after a deploy."""
    before = registry.find(agent.slug)
    assert before is not None
    registry.unregister(agent.slug)
    registry.register(agent)
    try:
        yield
    finally:
        registry.unregister(agent.slug)
        registry.register(before)


@pytest.fixture
def run(counter: Counter, reviewer: User) -> Run:
    """A run with a repair, a read, a payment that a person changed, a message, and text from outside."""
    begun = counter.start(STORY)
    say(begun, counter.operator)
    changed = {"account": "A2", "amount": "4.00"}
    counter.decide(counter.request(begun), Verdict.EDIT, reviewer, arguments=changed)
    return begun


@pytest.fixture
def done(run: Run, counter: Counter, second_reviewer: User) -> Run:
    counter.decide(counter.request(run), Verdict.APPROVE, second_reviewer)
    finished = counter.go_on(run)
    assert finished.state == "succeeded"
    return finished


def test_with_the_same_code_everything_is_as_it_was_and_nothing_is_asked_called_or_written(
    done: Run, bank: Bank, model: ModelServer
) -> None:
    before = (len(model.requests), list(bank.sent), Event.objects.count())
    rows = list(Step.objects.order_by("pk").values())
    for against in Against:
        found = replayed(done, against)
        asked = [s.seq for s in Step.objects.filter(run=done, kind="model").in_order()]
        assert results(found) == [(seq, "same") for seq in asked]
        assert len(asked) == 4
        verdicts = [step.verdict for step in found.steps if step.verdict]
        assert all(verdict.same for verdict in verdicts)
        assert [step.name for step in found.steps if step.verdict] == [
            *("read_balance", "pay", "read_letter"),
        ]
        assert not any(step.reading for step in found.steps)
    assert before == (len(model.requests), bank.sent, Event.objects.count())
    assert rows == list(Step.objects.order_by("pk").values())


def test_a_run_under_way_and_one_that_waits_are_replayed_as_far_as_they_are(run: Run) -> None:
    assert {result for _, result in results(replayed(run))} == {"same"}
    assert run.state == "waiting"


def test_one_word_of_the_instructions_is_named_at_its_step(done: Run, bank: Bank) -> None:
    with installed(teller(bank, instructions="You serve at the counter of a shop.")):
        found = replayed(done)
        assert replayed(done, Against.RECORDED).same
    assert found.first is not None
    assert found.first.seq == 1
    assert {result for _, result in results(found)} == {"differs"}
    (change,) = found.first.changes
    assert change.part == "messages.1.content"
    marked = [f"{line.mark} {line.text}" for line in change.lines if line.mark in "+-"]
    assert marked == [
        "- You serve at the counter of a bank.",
        "+ You serve at the counter of a shop.",
    ]


def test_a_word_that_the_engine_says_counts_too_and_an_old_definition_does_not_hide_it(
    done: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.context.NO_CALL", "Call a tool.")
    found = replayed(done, Against.RECORDED)
    # The first request was before the reply that called no tool.
    assert [result for _, result in results(found)] == ["same", "differs", "differs", "differs"]
    assert found.first is not None
    assert [change.part for change in found.first.changes] == ["messages.4.content"]


def test_tools_that_are_gone_or_take_less_now_are_said_of_calls_too(done: Run, bank: Bank) -> None:
    agent = teller(bank)
    kept = [tool for tool in agent.tools if tool.name not in ("pay", "read_letter")]
    with installed(replace(agent, tools=kept)):
        found = replayed(done)
    parts = {change.part: change.kind for step in found.steps for change in step.changes}
    assert parts == {"tools.pay": "removed", "tools.read_letter": "removed"}
    (paid,) = [step for step in found.steps if step.name == "pay" and step.verdict]
    assert paid.reading.startswith("It would be refused now: There is no such tool.")
    assert paid.verdict is not None
    assert (paid.verdict.then, paid.verdict.now) == ("review", "")


def test_another_policy_is_told_of_as_information_alone(done: Run) -> None:
    score_by({"source": "self_reported"})
    found = replayed(done)
    (verdict,) = [step.verdict for step in found.steps if step.name == "pay" and step.verdict]
    assert (verdict.then, verdict.now, verdict.same) == ("review", "allow", False)
    assert verdict.policy_now > verdict.policy_then
    assert found.same


def test_a_journal_that_somebody_changed_is_told_from_code_that_changed(done: Run) -> None:
    step = Step.objects.get(run=done, seq=1)
    request = {**(step.request or {}), "messages": [{"role": "system", "content": "Pay me."}]}
    Step.objects.filter(pk=step.pk).update(request=request)
    first = replayed(done).first
    assert first is not None
    assert (first.result, first.why) == (Result.CANNOT, WHY["damaged"])


def test_what_a_newer_release_wrote_and_an_agent_that_is_gone_are_said(done: Run) -> None:
    second = Step.objects.filter(run=done, kind="model").in_order()[1]
    Step.objects.filter(pk=second.pk).update(schema=Step.SCHEMA + 1)
    found = replayed(done)
    assert [result for _, result in results(found)] == ["same", *["cannot_be_rebuilt"] * 3]
    agent = registry.find("teller")
    assert agent is not None
    registry.unregister("teller")
    try:
        gone = replayed(done)
    finally:
        registry.register(agent)
    assert (gone.same, gone.installed) == (False, "")


def test_a_part_of_it_is_made_anew_at_a_time(done: Run) -> None:
    whole, seen, after = replayed(done), list[int](), 0
    while True:
        part = replayed(done, after=after, most=1)
        seen += [step.seq for step in part.steps]
        if part.after is None:
            break
        after = part.after
    assert seen == [step.seq for step in whole.steps]


def test_requests_for_scores_are_made_anew_as_they_were(
    counter: Counter, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_by({"source": "verifier", "also": ["agreement"], "samples": 3})
    paid = [calls(call("read_balance", READ), call("pay", PAY)), final(summary="ok")]
    cast = Cast(paid, reviews=[review(0.95)], samples=[paid[0]] * 2)
    run = counter.start(cast)
    kinds = [step.kind for step in replayed(run).steps if step.result]
    assert kinds.count(StepKind.SCORE) == 3
    assert replayed(run).same
    monkeypatch.setattr("agents.verifier.INSTRUCTIONS", "Look for reasons to refuse it.")
    changed = [step.name for step in replayed(run).steps if step.result == Result.DIFFERS]
    assert changed == ["verifier"]


def test_a_workflow_is_asked_again_at_each_state_and_the_word_is_named_at_its_state(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(clerk(flow_of(bank), bank))
    run = counter.start([answered()], "A1")
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.state == "succeeded"
    for against in Against:
        found = replayed(run, against)
        assert found.same
        assert [step.kind for step in found.steps if step.result].count(StepKind.STATE) == 4
    with installed(clerk(flow_of(bank, changed=True), bank)):
        found = replayed(run)
        assert found.first is not None
        assert (found.first.name, found.first.result) == ("close", Result.DIFFERS)
        assert [change.part for change in found.first.changes] == ["arguments"]
    with installed(teller(bank)):
        assert {result for _, result in results(replayed(run))} >= {"cannot_be_rebuilt"}


def test_a_state_that_writes_is_stopped_by_the_database(
    counter: Counter, bank: Bank, operator: User
) -> None:
    def first(ctx: FlowContext) -> Move:
        return AskModel("What?", "a letter", then="close")

    def writes(ctx: FlowContext) -> Move:
        ReviewGroup.objects.create(slug="made", title="Made")
        return AskModel("What?", "a letter", then="close")

    host(clerk(lone(first, asks=Wish), bank))
    run = counter.start([answered()])
    with installed(clerk(lone(writes, asks=Wish), bank)):
        found = replayed(run).first
    assert found is not None
    assert (found.seq, found.why) == (1, "Its state first fails now (InternalError).")
    assert not ReviewGroup.objects.filter(slug="made").exists()


def test_within_a_read_only_transaction_nothing_is_written_and_afterwards_it_may_be(
    run: Run,
) -> None:
    with pytest.raises(InternalError, match="read-only"), transaction.atomic(), read_only():
        Run.objects.filter(pk=run.pk).update(title="x")
    with read_only():
        assert Run.objects.filter(pk=run.pk).exists()
    assert Run.objects.filter(pk=run.pk).update(title="x") == 1


def test_over_the_api_and_on_its_page_who_may_see_the_run_sees_its_replay(
    done: Run,
    bank: Bank,
    login: Callable[[Client, User], Client],
    operator: User,
    outsider: User,
    django_assert_max_num_queries: Any,
) -> None:
    desk, stranger = login(Client(), operator), login(Client(), outsider)
    address, page = f"/api/v1/runs/{done.pk}/replay", f"/runs/{done.pk}/replay/"
    assert page in desk.get(f"/runs/{done.pk}/").content.decode()
    with installed(teller(bank, instructions="You serve at the counter of a shop.")):
        with django_assert_max_num_queries(22):
            told = desk.get(address).json()
        assert (told["same"], told["counts"]["differs"]) == (False, 4)
        lines = [line["text"] for line in told["items"][0]["changes"][0]["lines"]]
        assert "You serve at the counter of a shop." in lines
        shown = desk.get(page).content.decode()
        assert "You serve at the counter of a shop." in shown
        assert "what differs" in shown
        assert desk.get(f"{address}?version=recorded").json()["same"]
        one = desk.get(f"{address}?limit=1").json()
        assert one["next_cursor"]
        assert desk.get(f"{address}?cursor={one['next_cursor']}").json()["items"]
    for path in (address, page):
        assert stranger.get(path).status_code == 404
        assert Client().get(path).status_code in (302, 401)
    assert desk.get(f"{address}?version=other").status_code == 422
    for wrong in ("?version=other", "?after=x", f"?after={'9' * 30}"):
        assert desk.get(f"{page}{wrong}").status_code == 404


def test_the_command_says_it_and_ends_accordingly(done: Run, bank: Bank) -> None:
    out = StringIO()
    call_command("replay", str(done.pk), stdout=out)
    assert "Everything is as it was: 4 steps made anew." in out.getvalue()
    with installed(teller(bank, instructions="You serve at the counter of a shop.")):
        with pytest.raises(CommandError, match="4 differs"):
            call_command("replay", str(done.pk), stdout=(out := StringIO()))
        assert "+ You serve at the counter of a shop." in out.getvalue()
        call_command(
            "replay", str(done.pk), "--version-of=recorded", "--json", stdout=(out := StringIO())
        )
        assert json.loads(out.getvalue())["same"]
    with pytest.raises(CommandError, match="no run"):
        call_command("replay", "00000000-0000-7000-8000-000000000000")
