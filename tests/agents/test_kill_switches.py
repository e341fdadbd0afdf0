# ruff: noqa: F811, F401 - fixtures of other tests are imported, and taken by name
"""Kill switches: nothing new starts, asks a model or goes out; nothing lapses; lifted, it all goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from agents import call_steps, effects, model_calls, model_steps, registry, score_steps
from agents.authoring import Retryable
from agents.errors import (
    AgentDisabled,
    CallStopped,
    EverythingStopped,
    RunSwitchedOff,
    SwitchedOffAlready,
    SwitchInvalid,
    SwitchLifted,
    UnknownAgent,
    UnknownSwitch,
)
from agents.kill_switches import KillSwitch
from agents.models import EffectRecord, Run, Step
from agents.services import dispatch
from agents.services.ask_undo import ask_undo
from agents.services.claim import claim
from agents.services.control import cancel_run
from agents.services.lift_switch import lift_switch
from agents.services.operate_agent import disable_agent, enable_agent
from agents.services.set_switch import set_switch
from agents.services.start_run import start_run
from agents.states import SwitchScope
from agents.sweep import sweep_once
from agents.worker_loop import next_ready_run
from approvals.models import ApprovalRequest
from approvals.services.expire import past_execution
from approvals.services.undo import undo
from approvals.vocabulary import Verdict
from audit.errors import Forbidden
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import TEST, Counter, host
from tests.agents.scoring import Cast, review, score_by
from tests.agents.test_effects import PAY, Killed, approved, die, killed_while_sending
from tests.agents.test_locks import locked, paying, turns_given
from tests.agents.test_policy_and_runs import SMALL, rules_published
from tests.agents.test_scores import pay
from tests.agents.test_undo import Undos, undos, wired
from tests.harness.people import person
from tests.model_server import ModelServer, call, calls, error, final, judged

READ = judged({"account": "A1"})
SMALL_PAYMENT = judged({"account": "A1", "amount": "5.00"})
ALL = ("global", "agent", "agent_tool", "tool")


def switch(
    scope: str, tool: str = "wire", caller: Any = TEST, why: str = "Incident."
) -> KillSwitch:
    """Set a switch that holds the teller's calls of the tool."""
    of_agent, of_tool = scope in ("agent", "agent_tool"), scope in ("agent_tool", "tool")
    return set_switch(
        scope=SwitchScope(scope),
        agent="teller" if of_agent else "",
        tool=tool if of_tool else "",
        reason=why,
        caller=caller,
    )


def lift(found: KillSwitch, caller: Any = TEST) -> KillSwitch:
    return lift_switch(switch_id=found.pk, reason="It is over.", caller=caller)


def lifted_and_heard(counter: Counter, found: KillSwitch) -> None:
    """Lift it with what happens on commit."""
    with counter.captured(execute=True):
        lift(found)


def set_while_calling(patch: pytest.MonkeyPatch, scope: str, tool: str) -> None:
    """Set a switch while the first call is being made: on the worker's thread, not on the tool's."""
    make = effects.call_tool

    def made(*args: Any) -> Any:
        if not KillSwitch.objects.exists():
            switch(scope, tool)
        return make(*args)

    patch.setattr("agents.effects.call_tool", made)


# -- nothing starts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "refusal"), [("global", EverythingStopped), ("agent", AgentDisabled)]
)
def test_nothing_new_starts_while_everything_or_the_agent_is_switched_off(
    bank: Bank, operator: User, scope: str, refusal: type[Exception]
) -> None:
    on = switch(scope)
    caller = Caller.of_session(operator)
    with pytest.raises(refusal):
        start_run(agent="teller", input="Pay.", caller=caller)
    assert Run.objects.count() == 0
    lift(on)
    assert start_run(agent="teller", input="Pay.", caller=caller)[1]


def test_the_first_run_of_a_key_is_found_again_while_nothing_new_starts(
    bank: Bank, operator: User
) -> None:
    caller = Caller.of_session(operator)
    run, _ = start_run(agent="teller", input="Pay.", caller=caller, idempotency_key="k")
    switch("global")
    again, new = start_run(agent="teller", input="Pay.", caller=caller, idempotency_key="k")
    assert (again.pk, new) == (run.pk, False)


def test_a_tool_that_is_switched_off_keeps_no_run_from_starting(
    counter: Counter, model: ModelServer
) -> None:
    switch("tool")
    assert counter.start([final(summary="ok")]).state == "succeeded"


@pytest.mark.parametrize("scope", ["global", "agent"])
def test_no_undo_run_starts_while_its_agent_is_switched_off(
    counter: Counter,
    undos: Undos,
    reviewer: User,
    operator: User,
    scope: str,
) -> None:
    run = wired(counter, reviewer)
    effect = EffectRecord.objects.get(run=run)
    on = switch(scope)
    caller = Caller.of_session(operator)
    with pytest.raises(RunSwitchedOff):
        ask_undo(run_id=run.pk, effect_id=effect.pk, reason="", caller=caller)
    effect.refresh_from_db()
    assert (Run.objects.count(), effect.undo_asked) == (1, None)
    lift(on)
    assert ask_undo(run_id=run.pk, effect_id=effect.pk, reason="", caller=caller).undoes == effect


# -- claims and models ----------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["global", "agent"])
def test_claims_pass_over_a_queued_run_and_it_goes_on_when_the_switch_is_lifted(
    counter: Counter, model: ModelServer, operator: User, scope: str
) -> None:
    model.follow([final(summary="ok")])
    run, _ = start_run(agent="teller", input="Pay.", caller=Caller.of_session(operator))
    on = switch(scope)
    assert counter.go_on(run).state == "queued"
    assert next_ready_run() is None
    assert len(model.requests) == 0
    lift(on)
    assert next_ready_run() == run.pk
    assert counter.go_on(run).state == "succeeded"


def test_runs_of_other_agents_go_on(counter: Counter, bank: Bank) -> None:
    host(teller(bank, slug="other"))
    set_switch(scope=SwitchScope.AGENT, agent="other", reason="Incident.", caller=TEST)
    assert counter.start([final(summary="ok")]).state == "succeeded"
    registry.unregister("other")


@pytest.mark.parametrize("scope", ["global", "agent"])
def test_a_sleeping_run_wakes_and_asks_no_model_until_the_switch_is_lifted(
    counter: Counter, model: ModelServer, settings: Settings, scope: str
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_attempts": 1})
    run = counter.start([error(503), final(summary="ok")])
    assert run.state == "sleeping"
    on = switch(scope)
    Run.objects.filter(pk=run.pk).update(wake_at=F("created_at"))
    assert sweep_once()["sleepers_woken"] == 1
    assert counter.go_on(run).state == "ready"
    assert len(model.requests) == 1
    lift(on)
    assert counter.go_on(run).state == "succeeded"


@pytest.mark.parametrize("scope", ["global", "agent"])
def test_a_switch_set_just_before_a_model_call_keeps_it_from_being_made(
    counter: Counter, model: ModelServer, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    begin = model_steps.begin_model_call

    def raced(*args: Any, **more: Any) -> Any:
        if not KillSwitch.objects.exists():
            switch(scope)
        return begin(*args, **more)

    monkeypatch.setattr("agents.model_steps.begin_model_call", raced)
    # What is begun together with a result holds off whoever sets a switch.
    monkeypatch.setattr("agents.services.begin_next.begin_next", lambda *_: None)
    run = counter.start([calls(call("read_balance", READ)), final(summary="ok")])
    assert (run.state, len(model.requests)) == ("ready", 1)
    assert Step.objects.filter(run=run, kind="model").count() == 1


def test_a_model_that_fails_is_not_asked_again_once_a_switch_is_set(
    counter: Counter, model: ModelServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three attempts in a row are made elsewhere; the second is one too many here."""
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_attempts": 3})
    complete = model_calls.complete

    def switched(*args: Any) -> Any:
        if not KillSwitch.objects.exists():
            switch("global")
        return complete(*args)

    monkeypatch.setattr("agents.model_calls.complete", switched)
    run = counter.start([error(503), final(summary="ok")])
    assert (run.state, len(model.requests)) == ("ready", 1)
    (step,) = Step.objects.filter(run=run, kind="model")
    assert (step.state, len(step.attempts)) == ("failed", 1)
    lift(KillSwitch.objects.get())
    assert counter.go_on(run).state == "succeeded"


def test_a_verifier_is_not_asked_once_a_switch_is_set(
    counter: Counter, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_by({"source": "verifier"})
    cast = Cast([pay()], [review(0.9)])
    begin = score_steps.begin_score

    def raced(*args: Any, **more: Any) -> Any:
        if not KillSwitch.objects.exists():
            switch("agent")
        return begin(*args, **more)

    monkeypatch.setattr("agents.score_steps.begin_score", raced)
    assert counter.start(cast).state == "ready"
    assert cast.asked == ["agent"]
    on = KillSwitch.objects.get()
    lift(on)
    assert counter.go_on(Run.objects.get()).state == "succeeded"
    assert cast.asked == ["agent", "verifier", "agent"]
    assert len(bank.sent) == 1


def test_a_verifier_that_fails_is_not_asked_again_before_the_switch_is_lifted(
    counter: Counter, bank: Bank, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_attempts": 3})
    score_by({"source": "verifier"})
    cast = Cast([pay()], [error(503), review(0.9)])
    complete = model_calls.complete

    def switched(*args: Any) -> Any:
        if cast.asked == ["agent"]:
            switch("global")
        return complete(*args)

    monkeypatch.setattr("agents.model_calls.complete", switched)
    assert counter.start(cast).state == "ready"
    assert cast.asked == ["agent", "verifier"]
    lift(KillSwitch.objects.get())
    assert counter.go_on(Run.objects.get()).state == "succeeded"
    assert cast.asked == ["agent", "verifier", "verifier", "agent"]
    assert len(bank.sent) == 1


def test_a_model_call_that_a_worker_died_in_is_not_made_again_once_a_switch_is_set(
    counter: Counter, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.model_calls.complete", lambda *_: die())
    with pytest.raises(Killed):
        counter.start([final(summary="ok")])
    monkeypatch.undo()
    Run.objects.update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    sweep_once()
    record = model_steps.record_attempt

    def raced(*args: Any) -> None:
        if not KillSwitch.objects.exists():
            switch("global")
        record(*args)

    monkeypatch.setattr("agents.model_steps.record_attempt", raced)
    run = counter.go_on(Run.objects.get())
    assert (run.state, len(model.requests)) == ("ready", 0)
    lift(KillSwitch.objects.get())
    assert counter.go_on(run).state == "succeeded"


# -- approved and allowed calls -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "held"),
    [("global", "ready"), ("agent", "ready"), ("agent_tool", "waiting"), ("tool", "waiting")],
)
def test_an_approved_call_waits_for_the_switch_and_goes_out_once_when_it_is_lifted(
    counter: Counter, bank: Bank, reviewer: User, scope: str, held: str
) -> None:
    run = approved(counter, reviewer, "wire")
    on = switch(scope)
    for _ in range(2):
        assert counter.go_on(run).state == held
        sweep_once()
    assert bank.sent == []
    assert ApprovalRequest.objects.get(run_id=run.pk).state == "approved"
    lifted_and_heard(counter, on)
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


@pytest.mark.parametrize(
    ("scope", "held"),
    [("global", "ready"), ("agent", "ready"), ("agent_tool", "waiting"), ("tool", "waiting")],
)
def test_an_allowed_call_waits_for_the_switch_too(
    counter: Counter, bank: Bank, monkeypatch: pytest.MonkeyPatch, scope: str, held: str
) -> None:
    rules_published(SMALL)
    intend = dispatch.intend

    def raced(*args: Any) -> Any:
        if not KillSwitch.objects.exists():
            switch(scope, "pay")
        return intend(*args)

    monkeypatch.setattr("agents.effects.intend", raced)
    run = counter.start([calls(call("pay", SMALL_PAYMENT)), final(summary="ok")])
    assert (run.state, bank.sent) == (held, [])
    lifted_and_heard(counter, KillSwitch.objects.get())
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


@pytest.mark.parametrize("scope", ALL)
def test_a_switch_set_just_before_an_approved_call_is_dispatched_holds_it(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    """The run was claimed and read while nothing was switched off."""
    run = approved(counter, reviewer, "wire")
    intend = dispatch.intend

    def raced(*args: Any) -> Any:
        if not KillSwitch.objects.exists():
            switch(scope)
        return intend(*args)

    monkeypatch.setattr("agents.effects.intend", raced)
    monkeypatch.setattr("agents.services.take_up._intended", lambda *_: None)
    counter.go_on(run)
    assert bank.sent == []
    assert ApprovalRequest.objects.get(run_id=run.pk).state == "approved"
    lifted_and_heard(counter, KillSwitch.objects.get())
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_other_calls_of_the_reply_go_on_while_one_tool_is_switched_off(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    other = judged({"account": "A2", "amount": "42.00"})
    run = counter.start([calls(call("wire", PAY), call("pay", other)), final(summary="ok")])
    on = switch("agent_tool")
    for request in ApprovalRequest.objects.filter(run_id=run.pk).order_by("step_seq"):
        counter.decide(request, Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.state == "waiting"
    assert [account for _, account, _ in bank.sent] == ["A2"]
    lifted_and_heard(counter, on)
    assert counter.go_on(run).state == "succeeded"
    assert [account for _, account, _ in bank.sent] == ["A2", "A1"]


def test_a_switch_of_another_tool_or_agent_holds_nothing(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    switch("tool", "pay")
    switch("agent_tool", "book")
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


@pytest.mark.parametrize("first", ["global", "agent_tool"])
def test_a_call_that_two_switches_hold_waits_for_both(
    counter: Counter, bank: Bank, reviewer: User, first: str
) -> None:
    run = approved(counter, reviewer, "wire")
    two = {"global": switch("global"), "agent_tool": switch("agent_tool")}
    counter.go_on(run)
    lifted_and_heard(counter, two.pop(first))
    counter.go_on(run)
    assert bank.sent == []
    lifted_and_heard(counter, next(iter(two.values())))
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_what_was_not_woken_when_the_switch_was_lifted_is_found_by_the_sweep(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    on = switch("tool")
    counter.go_on(run)
    assert sweep_once()["let_go"] == 0
    lift(on)
    assert Run.objects.get(pk=run.pk).state == "waiting"
    assert sweep_once()["let_go"] == 1
    assert counter.go_on(run).state == "succeeded"
    assert sweep_once()["let_go"] == 0


def test_a_switch_lifted_while_its_run_parks_does_not_leave_it_standing(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = approved(counter, reviewer, "wire")
    on = switch("tool")
    park = call_steps.park

    def raced(*args: Any, **more: Any) -> None:
        if KillSwitch.objects.active().exists():
            lift(on)
        park(*args, **more)

    monkeypatch.setattr("agents.call_steps.park", raced)
    assert counter.go_on(run).state == "ready"
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_an_approval_whose_time_is_over_lapses_while_its_call_is_held(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = approved(counter, reviewer, "wire")
    on = switch("tool")
    counter.go_on(run)
    request = ApprovalRequest.objects.get(run_id=run.pk)
    ApprovalRequest.objects.filter(pk=request.pk).update(
        execute_by=F("decided_at") + timedelta(microseconds=1)
    )
    assert past_execution(request.pk)
    assert counter.go_on(run).state == "succeeded"
    assert bank.sent == []
    lift(on)


# -- what is in flight ----------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ALL)
def test_a_call_that_is_being_made_when_a_switch_is_set_is_not_torn(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    run = approved(counter, reviewer, "wire")
    set_while_calling(monkeypatch, scope, "wire")
    run = counter.go_on(run)
    assert EffectRecord.objects.get(run=run).state == "succeeded"
    assert len(bank.sent) == 1


@pytest.mark.parametrize("tool", ["pay", "book"])
def test_a_call_whose_worker_died_is_not_made_again_while_its_tool_is_switched_off(
    counter: Counter, bank: Bank, reviewer: User, tool: str
) -> None:
    run = killed_while_sending(counter, bank, reviewer, tool)
    sent = len(bank.sent)
    on = switch("tool", tool)
    assert counter.go_on(run).state == "waiting"
    assert (len(bank.sent), EffectRecord.objects.get(run=run).state) == (sent, "dispatched")
    lifted_and_heard(counter, on)
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == sent + 1


@pytest.mark.parametrize(("tool", "kind"), [("wire", "in_doubt"), ("order", "in_doubt")])
def test_a_person_finds_out_about_a_call_that_would_not_be_made_again_anyway(
    counter: Counter, bank: Bank, reviewer: User, tool: str, kind: str
) -> None:
    run = killed_while_sending(counter, bank, reviewer, tool)
    switch("tool", tool)
    run = counter.go_on(run)
    assert (run.state, counter.request(run).kind) == ("waiting", kind)


@pytest.mark.parametrize(("scope", "state"), [("global", "ready"), ("tool", "waiting")])
def test_a_call_of_unknown_outcome_is_not_sent_again_once_a_switch_is_set(
    counter: Counter,
    bank: Bank,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
    scope: str,
    state: str,
) -> None:
    run = approved(counter, reviewer, "pay")
    set_while_calling(monkeypatch, scope, "pay")

    def trouble() -> None:
        if len(bank.sent) == 1:
            raise RuntimeError("the answer is lost")

    bank.trouble = trouble
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == (state, 1)
    assert EffectRecord.objects.get(run=run).state == "dispatched"
    lifted_and_heard(counter, KillSwitch.objects.get())
    assert counter.go_on(run).state == "succeeded"
    assert len({key for key, _, _ in bank.sent}) == 1
    assert len(bank.sent) == 2


def test_a_call_that_did_nothing_has_failed_and_is_not_sent_again_once_a_switch_is_set(
    counter: Counter, bank: Bank, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = approved(counter, reviewer, "wire")
    set_while_calling(monkeypatch, "tool", "wire")

    def trouble() -> None:
        if len(bank.sent) == 1:
            raise Retryable("The bank is busy.")

    bank.trouble = trouble
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("succeeded", 1)
    assert EffectRecord.objects.get(run=run).state == "failed"


# -- the gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["agent_tool", "tool"])
def test_the_gate_denies_what_is_proposed_of_a_tool_that_is_switched_off_and_says_why(
    counter: Counter, model: ModelServer, bank: Bank, scope: str
) -> None:
    switch(scope, why="The bank was robbed.")
    run = counter.start([calls(call("wire", PAY)), final(summary="ok")])
    assert (run.state, bank.sent) == ("succeeded", [])
    step = Step.objects.get(run=run, name="wire")
    assert (step.state, step.problem) == ("refused", "denied")
    assert "is switched off: The bank was robbed." in str(model.requests[1]["messages"])
    assert not ApprovalRequest.objects.exists()
    assert Event.objects.filter(run=run.pk, type="action.denied").count() == 1


def test_a_tool_that_only_reads_is_held_as_well(counter: Counter, model: ModelServer) -> None:
    switch("tool", "read_balance")
    counter.start([calls(call("read_balance", READ)), final(summary="ok")])
    assert Step.objects.get(name="read_balance").problem == "denied"


# -- people ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ALL)
def test_parked_requests_stay_decidable(
    counter: Counter, bank: Bank, reviewer: User, settings: Settings, scope: str
) -> None:
    rejected = counter.start([calls(call("wire", PAY)), final(summary="ok")])
    kept = counter.start([calls(call("wire", PAY)), final(summary="ok")])
    on = switch(scope)
    counter.decide(counter.request(rejected), Verdict.REJECT, reviewer, reason="No.")
    request = counter.request(kept)
    counter.decide(request, Verdict.APPROVE, reviewer)
    ApprovalRequest.objects.filter(pk=request.pk).update(
        ready_at=F("decided_at") + timedelta(hours=1)
    )
    undo(request_id=request.pk, caller=Caller.of_session(reviewer))
    counter.decide(counter.request(kept), Verdict.APPROVE, reviewer)
    counter.model.follow([final(summary="ok"), final(summary="ok")])
    counter.go_on(rejected)
    counter.go_on(kept)
    assert bank.sent == []
    lifted_and_heard(counter, on)
    assert counter.go_on(kept).state == "succeeded"
    assert counter.go_on(rejected).state == "succeeded"
    assert len(bank.sent) == 1


def test_a_held_run_is_cancelled_at_once(
    counter: Counter, bank: Bank, reviewer: User, operator: User
) -> None:
    run = approved(counter, reviewer, "wire")
    on = switch("tool")
    counter.go_on(run)
    cancel_run(run_id=run.pk, reason="", caller=Caller.of_session(operator))
    lifted_and_heard(counter, on)
    assert (counter.go_on(run).state, bank.sent) == ("cancelled", [])


# -- setting and lifting --------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ALL)
def test_there_is_one_switch_for_each_target_and_the_second_is_told_who_set_it(
    bank: Bank, admin: User, second_admin: User, scope: str
) -> None:
    on = switch(scope, caller=Caller.of_session(admin))
    with pytest.raises(SwitchedOffAlready) as refused:
        switch(scope, caller=Caller.of_session(second_admin))
    assert refused.value.params["who"] == str(admin)
    assert KillSwitch.objects.count() == 1
    lift(on, Caller.of_session(second_admin))
    with pytest.raises(SwitchLifted) as late:
        lift(on, Caller.of_session(admin))
    assert late.value.params["who"] == str(second_admin)
    switch(scope)
    assert KillSwitch.objects.active().count() == 1


@pytest.mark.parametrize("scope", ALL)
def test_setting_and_lifting_are_recorded_with_what_and_who(
    bank: Bank, admin: User, second_admin: User, scope: str
) -> None:
    on = switch(scope, caller=Caller.of_session(admin))
    lift(on, Caller.of_session(second_admin))
    kinds = (
        ["agent.disabled", "agent.enabled"] if scope == "agent" else ["switch.set", "switch.lifted"]
    )
    events = list(Event.objects.filter(type__in=kinds).order_by("inserted_at"))
    assert [event.type for event in events] == kinds
    assert [event.actor_id for event in events] == [str(admin.pk), str(second_admin.pk)]
    assert not any(b"Incident." in bytes(event.body) for event in events)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 2_001])
def test_a_reason_is_required(bank: Bank, reason: str) -> None:
    with pytest.raises(SwitchInvalid) as refused:
        switch("global", why=reason)
    assert refused.value.params["field"] == "reason"
    assert not KillSwitch.objects.exists()


@pytest.mark.parametrize(
    ("scope", "agent", "tool", "field"),
    [
        ("global", "teller", "", "agent"),
        ("global", "", "wire", "tool"),
        ("agent", "", "", "agent"),
        ("agent", "teller", "wire", "tool"),
        ("agent_tool", "teller", "", "tool"),
        ("agent_tool", "teller", "fly", "tool"),
        ("tool", "", "fly", "tool"),
        ("tool", "teller", "wire", "agent"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused_at_its_field(
    bank: Bank, scope: str, agent: str, tool: str, field: str
) -> None:
    with pytest.raises(SwitchInvalid) as refused:
        set_switch(scope=SwitchScope(scope), agent=agent, tool=tool, reason="x", caller=TEST)
    assert refused.value.params["field"] == field
    assert not KillSwitch.objects.exists()


def test_an_agent_that_does_not_exist_is_not_switched_off(bank: Bank) -> None:
    with pytest.raises(UnknownAgent):
        set_switch(scope=SwitchScope.AGENT, agent="nobody", reason="x", caller=TEST)


@pytest.mark.parametrize("who", ["operator", "auditor", "outsider"])
@pytest.mark.parametrize("scope", ALL)
def test_who_manages_no_agents_and_owns_none_sets_and_lifts_nothing(
    bank: Bank, request: pytest.FixtureRequest, who: str, scope: str
) -> None:
    caller = Caller.of_session(request.getfixturevalue(who))
    with pytest.raises(Forbidden):
        switch(scope, caller=caller)
    on = switch(scope)
    with pytest.raises((Forbidden, UnknownSwitch)):
        lift(on, caller)
    assert KillSwitch.objects.get().is_on


@pytest.mark.parametrize(
    ("scope", "may"), [("agent", True), ("agent_tool", True), ("global", False), ("tool", False)]
)
def test_the_owner_group_switches_its_own_agent_and_nothing_that_holds_others(
    bank: Bank, reviewer: User, scope: str, may: bool
) -> None:
    caller = Caller.of_session(reviewer)
    if may:
        assert not lift(switch(scope, caller=caller), caller).is_on
        return
    with pytest.raises(Forbidden):
        switch(scope, caller=caller)
    on = switch(scope)
    with pytest.raises(Forbidden):
        lift(on, caller)
    assert KillSwitch.objects.get().is_on


@pytest.mark.parametrize("scope", ["agent", "agent_tool"])
def test_the_owner_group_of_another_agent_does_not_even_see_it(
    bank: Bank, support: ReviewGroup, scope: str
) -> None:
    supporter = person("supporter", "reviewer", groups=(support,))
    on = switch(scope)
    with pytest.raises(UnknownSwitch):
        lift(on, Caller.of_session(supporter))
    with pytest.raises(Forbidden):
        switch(scope, "pay", caller=Caller.of_session(supporter))


def test_the_old_way_to_switch_an_agent_off_sets_its_switch(bank: Bank, admin: User) -> None:
    caller = Caller.of_session(admin)
    disable_agent(slug="teller", reason="", caller=caller)
    disable_agent(slug="teller", reason="Again.", caller=caller)
    on = KillSwitch.objects.get()
    assert (on.scope, on.set_by, on.reason) == ("agent", admin, "No reason was given.")
    enable_agent(slug="teller", caller=caller)
    enable_agent(slug="teller", caller=caller)
    on.refresh_from_db()
    assert (on.is_on, on.lifted_by) == (False, admin)


def test_switching_an_agent_on_leaves_the_switch_of_everything_on(
    bank: Bank, operator: User
) -> None:
    switch("global")
    switch("agent")
    enable_agent(slug="teller", caller=TEST)
    with pytest.raises(EverythingStopped):
        start_run(agent="teller", input="Pay.", caller=Caller.of_session(operator))


def test_sending_again_is_refused_under_a_switch(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = killed_while_sending(counter, bank, reviewer, "pay")
    claimed = claim(run.pk, owner="test")
    assert claimed is not None
    effect = EffectRecord.objects.select_related("step").get(run=run)
    switch("agent_tool", "pay")
    with pytest.raises(CallStopped):
        dispatch.send_again(claimed.lease, effect)
    effect.refresh_from_db()
    assert effect.sends == 1


def test_a_call_in_line_whose_tool_is_switched_off_is_passed_over(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    rules_published(SMALL)
    for tool in ("pay", "wire"):
        locked(bank, tool)
    first = counter.start(paying("A1", tool="wire"))
    second = counter.start(paying("A1", tool="pay"))
    third = counter.start(paying("A1", tool="wire"))
    on = switch("tool", "pay")
    counter.decide(counter.request(first), Verdict.REJECT, reviewer, reason="No.")
    counter.go_on(first)
    assert turns_given() == 1
    assert counter.go_on(second).state == "waiting"
    # From now on the next in line has its turn, and the held one is not woken for nothing.
    assert turns_given() == 1
    third = counter.go_on(third)
    counter.decide(counter.request(third), Verdict.REJECT, reviewer, reason="No.")
    counter.go_on(third)
    assert (turns_given(), bank.sent) == (0, [])
    lifted_and_heard(counter, on)
    assert counter.go_on(second).state == "succeeded"
    assert len(bank.sent) == 1
