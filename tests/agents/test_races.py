"""Decisions, cancellations and deploys that land in between: an approved call once, a refused one never."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F
from pydantic import BaseModel, ConfigDict

from accounts.callers import Caller
from accounts.models import User
from agents import registry
from agents.authoring import Budget, Effect, Risk, ToolContext, tool
from agents.errors import RunCancelling
from agents.model_steps import ModelSteps
from agents.models import EffectRecord, Run, Step
from agents.services import dispatch
from agents.services.control import cancel_run, pause_run, resume_run
from agents.services.operate_agent import disable_agent
from agents.sweep import sweep_once
from approvals.models import ApprovalRequest
from approvals.services.undo import undo
from approvals.vocabulary import Verdict
from audit.models import Event
from tests.agents.bank import Bank, teller, tools_of
from tests.agents.conftest import TEST, Counter, host
from tests.agents.test_effects import PAY, approved, killed_while_sending
from tests.agents.test_policy_and_runs import SMALL, rules_published
from tests.model_server import ModelServer, call, calls, final, judged, says

Steps = Callable[[Run], list[Step]]
READ = judged({"account": "A1"})


@pytest.fixture
def before_intent(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something once, after the journal was read and before the intent of the next call commits."""

    def arrange(act: Callable[[], object]) -> None:
        intend = dispatch.intend
        left = [act]

        def raced(*args: object) -> object:
            if left:
                left.pop()()
            return intend(*args)  # type: ignore[arg-type]

        monkeypatch.setattr("agents.effects.intend", raced)
        # A run that is taken up together with its intent is locked all the while: nothing gets in between.
        monkeypatch.setattr("agents.services.take_up._intended", lambda *_: None)

    return arrange


def test_an_approval_taken_back_just_before_dispatch_can_be_given_again(
    counter: Counter, bank: Bank, reviewer: User, before_intent: Callable[..., None]
) -> None:
    run = approved(counter, reviewer, "wire")
    request = ApprovalRequest.objects.get(run_id=run.pk)
    before_intent(lambda: undo(request_id=request.pk, caller=Caller.of_session(reviewer)))
    run = counter.go_on(run)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_an_approval_that_a_clock_set_back_makes_too_young_is_used_once_it_is_old_enough(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    request = ApprovalRequest.objects.filter(run_id=run.pk)
    request.update(ready_at=F("ready_at") + timedelta(seconds=60))
    run = counter.go_on(run)
    assert (run.state, bank.sent, request.get().state) == ("sleeping", [], "approved")
    request.update(ready_at=F("ready_at") - timedelta(seconds=60))
    Run.objects.filter(pk=run.pk).update(wake_at=F("created_at"))
    assert sweep_once()["sleepers_woken"] == 1
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_a_cancellation_just_before_dispatch_keeps_the_call_from_going_out(
    counter: Counter, bank: Bank, reviewer: User, operator: User, before_intent: Callable[..., None]
) -> None:
    run = approved(counter, reviewer, "wire")
    caller = Caller.of_session(operator)
    before_intent(lambda: cancel_run(run_id=run.pk, reason="Not needed.", caller=caller))
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("cancelled", [])
    assert run.failure == {"code": "stopped", "message": "Not needed."}
    assert Event.objects.get(run=run.pk, type="run.cancelled").actor_id == str(operator.pk)


def test_a_kill_switch_just_before_dispatch_holds_the_call(
    counter: Counter, bank: Bank, reviewer: User, before_intent: Callable[..., None]
) -> None:
    run = approved(counter, reviewer, "wire")
    before_intent(lambda: disable_agent(slug="teller", reason="Incident.", caller=TEST))
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("ready", [])
    assert ApprovalRequest.objects.get(run_id=run.pk).state == "approved"


def test_a_kill_switch_just_before_an_allowed_call_holds_it_too(
    counter: Counter, bank: Bank, before_intent: Callable[..., None]
) -> None:
    rules_published(SMALL)
    before_intent(lambda: disable_agent(slug="teller", reason="Incident.", caller=TEST))
    paid = judged({"account": "A1", "amount": "5.00"})
    run = counter.start([calls(call("pay", paid)), final(summary="ok")])
    assert (run.state, bank.sent) == ("ready", [])


def test_a_pause_just_before_dispatch_holds_the_call(
    counter: Counter, bank: Bank, reviewer: User, operator: User, before_intent: Callable[..., None]
) -> None:
    run = approved(counter, reviewer, "wire")
    caller = Caller.of_session(operator)
    before_intent(lambda: pause_run(run_id=run.pk, reason="", caller=caller))
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("ready", [])
    resume_run(run_id=run.pk, caller=caller)
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


@pytest.mark.parametrize("halt", ["pause", "disable", "cancel"])
def test_a_run_at_work_asks_no_model_once_it_was_told_to_stand_still(
    counter: Counter, model: ModelServer, operator: User, halt: str
) -> None:
    def reply(_request: dict[str, object]) -> object:
        run = Run.objects.get()
        caller = Caller.of_session(operator)
        if halt == "pause":
            pause_run(run_id=run.pk, reason="", caller=caller)
        elif halt == "disable":
            disable_agent(slug="teller", reason="Incident.", caller=TEST)
        else:
            cancel_run(run_id=run.pk, reason="", caller=caller)
        return None

    ask = ModelSteps.ask

    def halted(self: object, *call: object) -> bool:
        gone_on = ask(self, *call)  # type: ignore[arg-type]
        reply({})
        return gone_on

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelSteps, "ask", halted)
        run = counter.start([calls(call("read_balance", READ)), final(summary="ok")])
    assert run.state == ("cancelled" if halt == "cancel" else "ready")
    assert len(model.requests) == 1


def test_a_cancelled_run_still_finds_out_what_became_of_a_call_that_was_sent(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User, operator: User
) -> None:
    run = killed_while_sending(counter, bank, reviewer, "wire")
    cancel_run(run_id=run.pk, reason="Enough.", caller=Caller.of_session(operator))
    run = counter.go_on(run)
    assert run.state == "waiting"
    request = counter.request(run)
    assert request.kind == "in_doubt"
    cancel_run(run_id=run.pk, reason="Again.", caller=Caller.of_session(operator))
    request.refresh_from_db()
    assert request.state == "pending"
    counter.decide(request, Verdict.HAPPENED, second_reviewer)
    run = counter.go_on(run)
    assert (run.state, run.failure) == ("cancelled", {"code": "stopped", "message": "Enough."})
    assert EffectRecord.objects.get(run=run).state == "succeeded"
    assert Step.objects.get(run=run, name="wire", kind="tool").state == "succeeded"


def test_a_paused_run_that_is_cancelled_finds_out_what_was_sent_and_ends(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User, operator: User
) -> None:
    caller = Caller.of_session(operator)
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "wire"))
    pause_run(run_id=run.pk, reason="", caller=caller)
    cancel_run(run_id=run.pk, reason="Enough.", caller=caller)
    with pytest.raises(RunCancelling):
        pause_run(run_id=run.pk, reason="", caller=caller)
    counter.decide(counter.request(run), Verdict.DID_NOT, second_reviewer)
    assert counter.go_on(run).state == "cancelled"


def test_a_cancelled_run_whose_worker_died_ends_with_its_lease(
    counter: Counter, operator: User
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    Run.objects.filter(pk=run.pk).update(
        state="running", lease_expires_at=F("created_at") - timedelta(seconds=1)
    )
    cancel_run(run_id=run.pk, reason="Enough.", caller=Caller.of_session(operator))
    sweep_once()
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert ApprovalRequest.objects.get(run_id=run.pk).state == "cancelled"


def test_an_approval_while_the_run_waits_for_a_look_does_not_keep_a_worker_busy(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    host(teller(bank, tools=tools_of(bank)[:-1]))
    payment = counter.request(run)
    Run.objects.filter(pk=run.pk).update(state="ready")
    run = counter.go_on(run)
    attention = ApprovalRequest.objects.get(run_id=run.pk, kind="attention")
    counter.decide(payment, Verdict.APPROVE, reviewer)
    counter.go_on(run)
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    counter.decide(attention, Verdict.CHANGE, reviewer, choice="use_new")
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_a_reached_limit_holds_calls_until_a_person_raised_it(
    counter: Counter, bank: Bank, reviewer: User, steps_of: Steps
) -> None:
    host(teller(bank, budget=Budget(tool_calls=1)))
    reads = [call("read_balance", READ), call("read_balance", READ), call("pay", PAY)]
    run = counter.start([calls(*reads), final(summary="ok")])
    budget = counter.request(run)
    assert (run.state, budget.kind) == ("waiting", "budget")
    Run.objects.filter(pk=run.pk).update(state="ready")
    run = counter.go_on(run)
    assert (run.state, run.tool_calls) == ("waiting", 1)
    assert len([step for step in steps_of(run) if step.kind == "budget"]) == 1
    counter.decide(budget, Verdict.EXTEND, reviewer, caps={"tool_calls": 5})
    run = counter.go_on(run)
    assert (run.state, run.tool_calls) == ("waiting", 2)
    assert counter.request(run).kind == "action"


@pytest.mark.parametrize(("effect", "state"), [("deny", "succeeded"), ("review", "waiting")])
def test_an_allowed_call_is_judged_anew_when_a_policy_came_in_between(
    counter: Counter, bank: Bank, operator: User, effect: str, state: str
) -> None:
    rules_published(SMALL)
    ask = ModelSteps.ask

    def published(self: object, *call: object) -> bool:
        gone_on = ask(self, *call)  # type: ignore[arg-type]
        if Run.objects.get().model_calls == 1:
            rules_published(
                {"name": "no-pay", "title": "No", "when": {"tools": ["pay"]}, "effect": effect}
            )
        return gone_on

    paid = judged({"account": "A1", "amount": "5.00"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelSteps, "ask", published)
        run = counter.start([calls(call("pay", paid)), final(summary="ok")])
    assert (run.state, bank.sent) == (state, [])


@pytest.mark.parametrize("ending", ["final_answer", "abstain"])
def test_an_ending_beside_a_rejected_call_is_not_taken(
    counter: Counter, model: ModelServer, reviewer: User, ending: str
) -> None:
    said = {"summary": "Paid.", "relies_on": []} if ending == "final_answer" else {"reason": "No."}
    run = counter.start([calls(call("pay", PAY), call(ending, said)), final(summary="Not paid.")])
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    run = counter.go_on(run)
    assert (run.state, run.output) == ("succeeded", {"summary": "Not paid."})


def test_an_ending_beside_calls_that_succeeded_is_taken(counter: Counter) -> None:
    ending = call("final_answer", {"summary": "Read.", "relies_on": []})
    run = counter.start([calls(call("read_balance", READ), ending)])
    assert (run.state, run.output) == ("succeeded", {"summary": "Read."})


def test_a_question_beside_calls_waits_alone_and_the_calls_run(
    counter: Counter, reviewer: User, steps_of: Steps
) -> None:
    asked = call("ask_human", {"question": "Which?", "answer_type": "text"})
    run = counter.start([calls(asked, call("read_balance", READ)), final(summary="ok")])
    assert [step.state for step in steps_of(run)[1:]] == ["waiting", "succeeded"]
    counter.decide(counter.request(run), Verdict.ANSWER, reviewer, answer="A1")
    assert counter.go_on(run).state == "succeeded"


def test_of_a_hundred_calls_the_first_are_taken_and_the_rest_are_told_so(
    counter: Counter, model: ModelServer, bank: Bank
) -> None:
    host(teller(bank, budget=Budget(tool_calls=200, steps=500)))
    made = [call("read_balance", READ) for _ in range(100)]
    run = counter.start([calls(*made), final(summary="ok")])
    assert run.state == "succeeded"
    assert Step.objects.filter(run=run, problem="too_many_calls").count() == 36


@pytest.mark.parametrize("left", ["tool", "agent"])
def test_a_sent_call_whose_tool_is_gone_is_looked_at_by_a_person(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User, left: str
) -> None:
    run = killed_while_sending(counter, bank, reviewer, "pay")
    if left == "tool":
        host(teller(bank, tools=tools_of(bank)[:2]))
    else:
        registry.unregister("teller")
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("waiting", 1)
    request = counter.request(run)
    assert request.kind == "in_doubt"


def test_a_call_that_kills_its_workers_again_and_again_is_looked_at_by_a_person(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = killed_while_sending(counter, bank, reviewer, "pay")
    Run.objects.filter(pk=run.pk).update(stalled_claims=6)
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("waiting", 1)
    assert counter.request(run).kind == "in_doubt"


class Note(BaseModel):
    """Words that may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    words: str = "none"


def test_an_edit_reaches_the_tool_whatever_it_leaves(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    heard: list[str] = []

    @tool(risk=Risk.HIGH, effects={Effect.EXTERNAL_COMMUNICATION}, reversible=True)
    def post(ctx: ToolContext, note: Note) -> str:
        """Post a note."""
        heard.append(note.words)
        return "posted"

    @post.preview
    def show(ctx: ToolContext, note: Note) -> str:
        return f"Post {note.words}"

    host(teller(bank, tools=[*tools_of(bank), post]))
    run = counter.start([calls(call("post", judged({"words": "x"}))), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.EDIT, reviewer, arguments={})
    counter.decide(counter.request(run), Verdict.APPROVE, second_reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert heard == ["none"]


def test_talk_is_answered_with_what_is_asked_for(counter: Counter, model: ModelServer) -> None:
    counter.start([says("Hello."), final(summary="ok")])
    assert "called no tool" in model.requests[1]["messages"][-1]["content"]


def test_each_decision_wakes_its_run_under_a_number_of_its_own(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    other = judged({"account": "A2", "amount": "42.00"})
    run = counter.start([calls(call("pay", PAY), call("pay", other)), final(summary="ok")])
    numbers = [run.wake_seq]
    for request in ApprovalRequest.objects.filter(run_id=run.pk).order_by("step_seq"):
        counter.decide(request, Verdict.APPROVE, reviewer)
        numbers.append(Run.objects.get(pk=run.pk).wake_seq)
    assert numbers == [0, 1, 2]
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 2
