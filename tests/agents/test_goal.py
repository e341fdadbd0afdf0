"""Another task for an open run: what it proposed for the old one never runs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from accounts.models import User
from agents.authoring import Budget
from agents.call_steps import CallSteps
from agents.models import EffectRecord, ResourceClaim, Run, Step
from agents.services.control import cancel_run, pause_run, resume_run
from agents.services.operate_agent import disable_agent, enable_agent
from agents.services.start_run import start_run
from approvals.errors import AlreadyDecided, NothingToUndo
from approvals.models import ApprovalRequest
from approvals.services.undo import undo
from approvals.vocabulary import Verdict
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import TEST, Counter, host
from tests.agents.saying import GOAL, by, changed, discloses, parked, say, told
from tests.agents.test_effects import PAY, approved, killed_while_sending
from tests.agents.test_locks import locked, paying
from tests.agents.test_policy_and_runs import SMALL, rules_published
from tests.agents.test_races import before_intent  # noqa: F401 - a fixture, taken by name
from tests.model_server import ModelServer, call, calls, final, judged

Steps = Callable[[Run], list[Step]]
Before = Callable[[Callable[[], object]], None]
NOW = f"The task has changed. From now on: {GOAL}"


def test_what_a_parked_run_asks_for_is_superseded_and_its_model_hears_the_new_task(
    counter: Counter, model: ModelServer, bank: Bank, operator: User, steps_of: Steps
) -> None:
    run = parked(counter)
    request = counter.request(run)
    changed(run, operator)
    request.refresh_from_db()
    run.refresh_from_db()
    assert (request.state, run.state, run.title, run.goal) == ("superseded", "ready", GOAL, GOAL)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("succeeded", [])
    assert told(model)[0] == {"role": "user", "content": "Please pay."}
    assert told(model)[-1] == {"role": "user", "content": NOW}
    assert "The task changed before this call ran." in told(model)[-2]["content"]
    paid = next(step for step in steps_of(run) if step.name == "wire")
    assert (paid.state, paid.problem) == ("refused", "goal_changed")
    event = Event.objects.get(type="run.goal_changed")
    assert (event.actor_id, json.loads(bytes(event.body))["facts"]) == (
        str(operator.pk),
        {"requests": 1},
    )
    assert discloses("run.goal_changed") == {"goal"}
    superseded = Event.objects.get(type="request.superseded")
    assert json.loads(bytes(superseded.body))["outcome"]["reason_code"] == "goal_changed"


def test_a_decision_on_what_was_superseded_comes_too_late_and_says_why(
    counter: Counter, operator: User, reviewer: User
) -> None:
    run = parked(counter)
    request = counter.request(run)
    changed(run, operator)
    with pytest.raises(AlreadyDecided, match="superseded by a change of the task"):
        counter.decide(request, Verdict.APPROVE, reviewer)


def test_an_approval_that_was_not_used_yet_is_superseded_too(
    counter: Counter, bank: Bank, operator: User, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    changed(run, operator)
    request = ApprovalRequest.objects.get(run_id=run.pk)
    assert request.state == "superseded"
    with pytest.raises(NothingToUndo):
        undo(request_id=request.pk, caller=by(reviewer))
    assert counter.go_on(run).state == "succeeded"
    assert bank.sent == []


@pytest.mark.parametrize("tool", ["pay", "wire", "book", "order"])
def test_a_new_task_just_before_dispatch_keeps_the_call_from_going_out(
    counter: Counter,
    bank: Bank,
    operator: User,
    reviewer: User,
    before_intent: Before,  # noqa: F811
    tool: str,
) -> None:
    run = approved(counter, reviewer, tool)
    before_intent(lambda: changed(run, operator))
    run = counter.go_on(run)
    assert (run.state, bank.sent, EffectRecord.objects.count()) == ("succeeded", [], 0)


def test_an_allowed_call_does_not_go_out_for_the_old_task_either(
    counter: Counter,
    bank: Bank,
    operator: User,
    before_intent: Before,  # noqa: F811
) -> None:
    rules_published(SMALL)
    before_intent(lambda: changed(Run.objects.get(), operator))
    paid = judged({"account": "A1", "amount": "5.00"})
    run = counter.start([calls(call("pay", paid)), final(summary="ok")])
    assert (run.state, bank.sent) == ("succeeded", [])


def test_a_request_that_is_opened_while_the_task_changes_is_superseded_when_the_run_hears_of_it(
    counter: Counter, bank: Bank, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = CallSteps._ask

    def raced(self: CallSteps, *args: object) -> object:
        if not Run.objects.get().goal:
            changed(Run.objects.get(), operator)
        return ask(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(CallSteps, "_ask", raced)
    run = counter.start([calls(call("wire", PAY)), final(summary="ok")])
    assert (run.state, ApprovalRequest.objects.get().state) == ("ready", "pending")
    run = counter.go_on(run)
    assert (run.state, ApprovalRequest.objects.get().state) == ("succeeded", "superseded")
    assert bank.sent == []


def test_a_call_in_doubt_is_settled_first_and_its_request_stays(
    counter: Counter,
    bank: Bank,
    model: ModelServer,
    operator: User,
    second_reviewer: User,
    reviewer: User,
) -> None:
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "wire"))
    changed(run, operator)
    run = counter.go_on(run)
    request = counter.request(run)
    assert (run.state, request.kind) == ("waiting", "in_doubt")
    counter.decide(request, Verdict.HAPPENED, second_reviewer)
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("succeeded", 1)
    assert EffectRecord.objects.get().state == "succeeded"
    assert [said["role"] for said in told(model)] == ["user", "assistant", "tool", "user"]
    assert told(model)[-1]["content"] == NOW


def test_a_call_that_was_sent_before_the_change_is_found_out_before_the_change_is_heard(
    counter: Counter, bank: Bank, operator: User, reviewer: User, steps_of: Steps
) -> None:
    run = killed_while_sending(counter, bank, reviewer, "pay")
    changed(run, operator)
    run = counter.go_on(run)
    assert run.state == "succeeded"
    assert len({key for key, _, _ in bank.sent}) == 1
    assert [step.state for step in steps_of(run) if step.name == "pay"] == ["succeeded"]


def test_a_limit_stays_to_be_raised(counter: Counter, bank: Bank, operator: User) -> None:
    host(teller(bank, budget=Budget(tool_calls=1)))
    read = call("read_balance", judged({"account": "A1"}))
    run = counter.start([calls(read, read, call("pay", PAY)), final(summary="ok")])
    assert counter.request(run).kind == "budget"
    changed(run, operator)
    run = counter.go_on(run)
    assert (run.state, counter.request(run).kind) == ("waiting", "budget")


def test_a_question_for_the_old_task_is_superseded(
    counter: Counter, operator: User, model: ModelServer
) -> None:
    asked = call("ask_human", {"question": "Which?", "answer_type": "text"})
    run = counter.start([calls(asked), final(summary="ok")])
    changed(run, operator)
    assert ApprovalRequest.objects.get().state == "superseded"
    assert counter.go_on(run).state == "succeeded"
    assert told(model)[-1]["content"] == NOW


def test_a_run_that_has_not_begun_begins_with_both_tasks(
    counter: Counter, model: ModelServer, operator: User
) -> None:
    model.follow([final(summary="ok")])
    run, _ = start_run(agent="teller", input="Please pay.", caller=by(operator))
    changed(run, operator)
    assert counter.go_on(run).state == "succeeded"
    assert [said["content"] for said in told(model)] == ["Please pay.", NOW]


def test_the_last_of_several_tasks_is_the_run_s_and_all_are_in_order(
    counter: Counter, model: ModelServer, operator: User
) -> None:
    run = parked(counter)
    changed(run, operator, "First this.")
    say(run, operator, "Be quick.")
    changed(run, operator, "No, that.")
    run = counter.go_on(run)
    assert (run.goal, run.title) == ("No, that.", "No, that.")
    assert [said["content"] for said in told(model)[-3:]] == [
        "The task has changed. From now on: First this.",
        "A person says: Be quick.",
        "The task has changed. From now on: No, that.",
    ]


def test_a_run_that_stands_still_hears_of_the_new_task_when_it_goes_on(
    counter: Counter, bank: Bank, operator: User
) -> None:
    run = parked(counter)
    pause_run(run_id=run.pk, reason="", caller=by(operator))
    disable_agent(slug="teller", reason="", caller=TEST)
    changed(run, operator)
    resume_run(run_id=run.pk, caller=by(operator))
    assert counter.go_on(run).state == "ready"
    enable_agent(slug="teller", caller=TEST)
    assert counter.go_on(run).state == "succeeded"
    assert bank.sent == []


def family(counter: Counter, model: ModelServer, operator: User) -> list[Run]:
    """A parked run, a parked run that it delegated to, one of that one's, and one that has ended."""
    runs = [parked(counter, "pay") for _ in range(3)]
    ended = counter.start([final(summary="ok")])
    for parent, child in ((runs[0], runs[1]), (runs[1], runs[2]), (runs[0], ended)):
        Run.objects.filter(pk=child.pk).update(parent=parent, depth=parent.depth + 1)
    return [*runs, ended]


def states(runs: list[Run]) -> list[str]:
    return [Run.objects.get(pk=run.pk).state for run in runs]


def test_the_runs_that_it_delegated_to_are_cancelled_with_the_old_task(
    counter: Counter, model: ModelServer, operator: User
) -> None:
    runs = family(counter, model, operator)
    changed(runs[0], operator)
    assert states(runs) == ["ready", "cancelled", "cancelled", "succeeded"]
    assert set(ApprovalRequest.objects.values_list("state", flat=True)) == {
        "superseded",
        "cancelled",
    }


def test_the_runs_that_it_delegated_to_are_cancelled_with_a_run(
    counter: Counter, model: ModelServer, operator: User
) -> None:
    runs = family(counter, model, operator)
    cancel_run(run_id=runs[0].pk, reason="Enough.", caller=by(operator))
    assert states(runs) == ["cancelled", "cancelled", "cancelled", "succeeded"]


def test_a_run_that_it_delegated_to_and_that_is_in_doubt_finds_that_out_before_it_ends(
    counter: Counter, bank: Bank, operator: User, reviewer: User
) -> None:
    child = killed_while_sending(counter, bank, reviewer, "wire")
    parent = parked(counter)
    Run.objects.filter(pk=child.pk).update(parent=parent)
    changed(parent, operator)
    child = counter.go_on(child)
    assert (child.state, counter.request(child).kind) == ("waiting", "in_doubt")
    assert child.cancel_requested_at is not None


def test_the_resources_of_what_was_set_aside_are_free_again(
    counter: Counter, bank: Bank, operator: User
) -> None:
    locked(bank)
    first, second = counter.start(paying("A1")), counter.start(paying("A1"))
    assert set(ResourceClaim.objects.values_list("run", "held")) == {
        (first.pk, True),
        (second.pk, False),
    }
    changed(first, operator)
    asked = call("ask_human", {"question": "Which?", "answer_type": "text"})
    counter.model.follow([calls(asked)])
    assert counter.go_on(first).state == "waiting"
    assert set(ResourceClaim.objects.values_list("run", "held")) == {(second.pk, False)}
