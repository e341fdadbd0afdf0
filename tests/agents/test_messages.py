"""Messages to a run, and who may say anything to one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from accounts.callers import Caller
from accounts.errors import PermissionMissing
from accounts.models import User
from accounts.vocabulary import Scope
from agents.errors import RunCancelling, RunEnded, TooManyMessages, UnfitText, UnknownRun
from agents.models import Run, RunMessage, Step
from agents.services import call_model
from agents.services.control import cancel_run, pause_run, resume_run
from agents.services.end import succeed
from agents.services.record_reply import record_reply
from agents.services.say import LONGEST_TEXT, MOST_A_MINUTE
from agents.sweep import sweep_once
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.saying import by, changed, discloses, parked, say, taken, told
from tests.agents.test_effects import PAY, Killed, die, killed_while_sending
from tests.harness.people import person
from tests.model_server import ModelServer, call, calls, final, judged

Steps = Callable[[Run], list[Step]]
Before = Callable[[Callable[[], object]], None]
READS: frozenset[Scope] = frozenset({"read"})
DECIDES: frozenset[Scope] = frozenset({"decide"})


@pytest.fixture
def before_model(monkeypatch: pytest.MonkeyPatch) -> Before:
    """Do something once, after the run was looked at and before its model call is begun."""

    def arrange(act: Callable[[], object]) -> None:
        begin = call_model.begin_model_call
        left = [act]

        def raced(*args: object, **kwargs: object) -> object:
            if left:
                left.pop()()
            return begin(*args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr("agents.model_steps.begin_model_call", raced)
        # A run that is taken up together with its first call is locked all the while.
        monkeypatch.setattr("agents.services.take_up.begin_next", lambda *_: None)

    return arrange


# -- messages -------------------------------------------------------------------------------------


def test_a_message_to_a_parked_run_reaches_its_model_with_the_next_call_and_wakes_nobody(
    counter: Counter, model: ModelServer, bank: Bank, operator: User, reviewer: User
) -> None:
    run = parked(counter)
    before = run.wake_seq
    message = say(run, operator, "  The account is right.\n")
    run.refresh_from_db()
    assert (run.state, run.wake_seq, message.journalled_at) == ("waiting", before, None)
    assert counter.request(run).state == "pending"
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("succeeded", 1)
    assert [said["role"] for said in told(model)] == ["user", "assistant", "tool", "user"]
    assert told(model)[-1]["content"] == "A person says: The account is right."
    message.refresh_from_db()
    assert message.journalled_at is not None
    assert discloses("run.messaged") == {"text"}


def test_messages_are_read_in_the_order_in_which_they_were_said(
    counter: Counter, model: ModelServer, operator: User, reviewer: User, steps_of: Steps
) -> None:
    run = parked(counter)
    for text in ("One.", "Two.", "Three."):
        say(run, operator, text)
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    run = counter.go_on(run)
    said = [message["content"] for message in told(model)[-3:]]
    assert said == [f"A person says: {text}" for text in ("One.", "Two.", "Three.")]
    seqs = [step.seq for step in steps_of(run)]
    assert seqs == list(range(1, len(seqs) + 1))
    assert [s.request["text"] for s in steps_of(run) if s.kind == "message" and s.request] == [
        "One.",
        "Two.",
        "Three.",
    ]


def test_a_message_just_before_a_model_call_is_in_that_call(
    counter: Counter, model: ModelServer, operator: User, before_model: Before
) -> None:
    before_model(lambda: say(Run.objects.get(), operator, "Hurry."))
    run = counter.start([final(summary="ok")])
    assert (run.state, len(model.requests)) == ("succeeded", 1)
    assert told(model)[-1]["content"] == "A person says: Hurry."


def test_a_run_does_not_end_before_its_model_has_read_what_was_said(
    counter: Counter, model: ModelServer, operator: User, reviewer: User, steps_of: Steps
) -> None:
    ending = call("final_answer", {"summary": "Paid.", "relies_on": []})
    run = counter.start([calls(call("pay", PAY), ending), final(summary="Paid, and noted.")])
    say(run, operator, "Note it too.")
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.output == {"summary": "Paid, and noted."}
    assert [step.problem for step in steps_of(run) if step.kind == "final"] == [
        "told_meanwhile",
        "",
    ]


def test_what_is_said_while_the_last_reply_is_taken_still_reaches_the_model(
    counter: Counter, model: ModelServer, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told_meanwhile(*args: Any, **given: Any) -> bool:
        if len(model.requests) == 1:
            say(Run.objects.get(), operator, "One thing more.")
        return record_reply(*args, **given)

    monkeypatch.setattr("agents.model_steps.record_reply", told_meanwhile)
    run = counter.start([final(summary="first"), final(summary="second")])
    assert run.output == {"summary": "second"}
    assert told(model)[-1]["content"] == "A person says: One thing more."


def test_what_is_said_just_before_the_end_commits_still_reaches_the_model(
    counter: Counter, model: ModelServer, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [lambda: say(Run.objects.get(), operator, "Not yet.")]

    def raced(*args: Any, **given: Any) -> bool:
        if left:
            left.pop()()
        return succeed(*args, **given)

    monkeypatch.setattr("agents.call_steps.succeed", raced)
    # Alone it would end the run with its reply, whose transaction holds off whoever says something.
    ending = call("final_answer", {"summary": "first", "relies_on": []})
    read = call("read_balance", judged({"account": "A1"}))
    run = counter.start([calls(read, ending), final(summary="second")])
    assert run.output == {"summary": "second"}
    assert told(model)[-1]["content"] == "A person says: Not yet."


def test_a_message_to_a_run_that_ends_first_stays_unread(
    counter: Counter, operator: User, model: ModelServer
) -> None:
    run = parked(counter)
    message = say(run, operator)
    cancel_run(run_id=run.pk, reason="", caller=by(operator))
    message.refresh_from_db()
    assert message.journalled_at is None
    assert len(model.requests) == 1


def test_a_paused_run_reads_its_messages_when_it_goes_on(
    counter: Counter, model: ModelServer, operator: User, reviewer: User
) -> None:
    run = parked(counter)
    pause_run(run_id=run.pk, reason="", caller=by(operator))
    say(run, operator, "Mind the date.")
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    assert counter.go_on(run).state == "ready"
    assert not RunMessage.objects.filter(journalled_at__isnull=False).exists()
    resume_run(run_id=run.pk, caller=by(operator))
    assert counter.go_on(run).state == "succeeded"
    assert told(model)[-1]["content"] == "A person says: Mind the date."


@pytest.mark.parametrize("text", ["", "  \n", "x" * (LONGEST_TEXT + 1), "a\x00b"])
def test_a_text_that_does_not_fit_is_refused(counter: Counter, operator: User, text: str) -> None:
    run = parked(counter)
    for act in (say, changed):
        with pytest.raises(UnfitText):
            act(run, operator, text)
    run.refresh_from_db()
    assert (run.unheard, run.goal, RunMessage.objects.count()) == (False, "", 0)
    assert counter.request(run).state == "pending"


def test_a_run_is_told_only_so_many_things_a_minute(counter: Counter, operator: User) -> None:
    run = parked(counter)
    for _ in range(MOST_A_MINUTE):
        say(run, operator)
    for act in (say, changed, taken):
        with pytest.raises(TooManyMessages):
            act(run, operator)
    assert counter.request(run).state == "pending"
    RunMessage.objects.update(sent_at=F("sent_at") - timedelta(minutes=1))
    say(run, operator)


@pytest.mark.parametrize("act", [say, changed, taken])
def test_who_may_control_a_run_may_speak_to_it_and_nobody_else(
    counter: Counter, operator: User, reviewer: User, auditor: User, outsider: User, act: Any
) -> None:
    run = parked(counter)
    with pytest.raises(UnknownRun):
        act(run, outsider)
    with pytest.raises(PermissionMissing):
        act(run, auditor)
    with pytest.raises(UnknownRun):
        act(run, person("stranger", "reviewer", groups=()))
    assert not RunMessage.objects.exists()
    act(run, reviewer)
    assert RunMessage.objects.get().author == reviewer


def test_the_scope_of_a_token_counts_for_the_people_of_the_owner_group_too(
    counter: Counter, reviewer: User
) -> None:
    run = parked(counter)
    with pytest.raises(PermissionMissing):
        cancel_run(run_id=run.pk, reason="", caller=Caller(reviewer, "token:1", READS))
    assert cancel_run(run_id=run.pk, reason="", caller=Caller(reviewer, "token:1", DECIDES)).ended


@pytest.mark.parametrize("act", [say, changed, taken])
def test_a_run_that_has_ended_or_is_being_cancelled_is_told_nothing_more(
    counter: Counter, bank: Bank, operator: User, reviewer: User, act: Any
) -> None:
    run = killed_while_sending(counter, bank, reviewer, "wire")
    cancel_run(run_id=run.pk, reason="", caller=by(operator))
    with pytest.raises(RunCancelling):
        act(run, operator)
    run = counter.start([final(summary="ok")])
    with pytest.raises(RunEnded):
        act(run, operator)


def test_a_model_call_that_a_process_died_in_is_made_anew_with_what_was_said(
    counter: Counter,
    model: ModelServer,
    operator: User,
    steps_of: Steps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.model_steps.ask", lambda *_args, **_more: die())
        with pytest.raises(Killed):
            counter.start([final(summary="ok")])
    run = Run.objects.get()
    say(run, operator, "Are you there?")
    Run.objects.update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    sweep_once()
    run = counter.go_on(run)
    assert (run.state, [step.state for step in steps_of(run)]) == (
        "succeeded",
        ["failed", "succeeded", "succeeded", "succeeded"],
    )
    assert steps_of(run)[0].attempts[0]["code"] == "interrupted"
    assert told(model)[-1]["content"] == "A person says: Are you there?"


def test_a_journal_of_a_newer_release_is_not_written_to(
    counter: Counter, operator: User, steps_of: Steps
) -> None:
    run = parked(counter)
    changed(run, operator)
    Step.objects.filter(run=run).update(schema=Step.SCHEMA + 1)
    before = [step.state for step in steps_of(run)]
    counter.go_on(run)
    assert [step.state for step in steps_of(run)][: len(before)] == before
    assert not RunMessage.objects.filter(journalled_at__isnull=False).exists()
