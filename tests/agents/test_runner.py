"""Runs from start to end: replies become calls, calls pass the gate, people decide, effects happen once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from accounts.models import User
from agents.models import EffectRecord, Run, Step
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.model_server import Answer, ModelServer, call, calls, error, final, judged, says

Steps = Callable[[Run], list[Step]]
PAY = judged({"account": "A1", "amount": "42.00"})


def test_a_read_above_its_threshold_runs_by_itself(counter: Counter, steps_of: Steps) -> None:
    run = counter.start(
        [calls(call("read_balance", judged({"account": "A1"}))), final(summary="It is 100.00.")]
    )
    assert (run.state, run.outcome) == ("succeeded", "done")
    assert run.output == {"summary": "It is 100.00."}
    assert [step.kind for step in steps_of(run)] == ["model", "tool", "model", "final"]


def test_the_model_is_told_the_result_of_its_call(counter: Counter, model: ModelServer) -> None:
    counter.start(
        [calls(call("read_balance", judged({"account": "A1"}), id="c7")), final(summary="ok")]
    )
    told = [m for m in model.requests[1]["messages"] if m["role"] == "tool"]
    assert [m["tool_call_id"] for m in told] == ["c7"]
    assert "100.00" in told[0]["content"]


def test_a_read_below_its_threshold_waits_for_a_person(counter: Counter) -> None:
    run = counter.start([calls(call("read_balance", judged({"account": "A1"}, 0.79)))])
    assert run.state == "waiting"
    assert run.lease_owner == ""


@pytest.mark.parametrize("confidence", ["high", 7, -1, None, True])
def test_an_unusable_confidence_counts_as_zero(counter: Counter, confidence: object) -> None:
    run = counter.start([calls(call("read_balance", judged({"account": "A1"}, confidence)))])
    assert run.state == "waiting"


def test_an_approved_payment_happens_once_and_the_run_goes_on(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="Paid.")])
    assert (run.state, bank.sent) == ("waiting", [])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.state == "succeeded"
    assert [(account, amount) for _, account, amount in bank.sent] == [("A1", "42.00")]
    assert EffectRecord.objects.get(run=run).state == "succeeded"


def test_a_rejected_payment_never_happens_and_the_agent_is_told(
    counter: Counter, bank: Bank, model: ModelServer, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="Not paid.")])
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="Wrong account.")
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("succeeded", [])
    told = model.requests[-1]["messages"][-1]["content"]
    assert "rejected" in told
    assert "Wrong account." in told


def test_feedback_of_a_call_that_was_sent_back_reaches_the_agent(
    counter: Counter, bank: Bank, model: ModelServer, reviewer: User
) -> None:
    again = judged({"account": "A2", "amount": "42.00"})
    run = counter.start([calls(call("pay", PAY)), calls(call("pay", again)), final(summary="ok")])
    why = {"reason": "Use A2.", "reason_code": "wrong_recipient"}
    counter.decide(counter.request(run), Verdict.SEND_BACK, reviewer, **why)
    run = counter.go_on(run)
    told = model.requests[1]["messages"][-1]["content"]
    assert "Wrong recipient: Use A2." in told
    assert '"reason_code":"wrong_recipient"' in told.replace(" ", "")
    request = counter.request(run)
    assert request.arguments["account"] == "A2"
    assert bank.sent == []


def test_stop_ends_the_run_and_closes_what_it_waits_for(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY), call("wire", PAY))])
    first = ApprovalRequest.objects.filter(run_id=run.pk).order_by("step_seq")[0]
    counter.decide(first, Verdict.STOP, reviewer, reason="Fraud.")
    run.refresh_from_db()
    assert (run.state, run.outcome) == ("cancelled", "stopped")
    assert not ApprovalRequest.objects.filter(run_id=run.pk, state="pending").exists()
    assert counter.go_on(run).state == "cancelled"
    assert bank.sent == []


def test_each_call_of_a_reply_settles_by_itself_and_results_keep_their_order(
    counter: Counter, bank: Bank, model: ModelServer, reviewer: User
) -> None:
    run = counter.start(
        [
            calls(
                call("pay", judged({"account": "A1", "amount": "1.00"}), id="one"),
                call("read_balance", judged({"account": "A9"}), id="two"),
                call("pay", judged({"account": "A3", "amount": "3.00"}), id="three"),
            ),
            final(summary="ok"),
        ]
    )
    requests = list(ApprovalRequest.objects.filter(run_id=run.pk).order_by("step_seq"))
    assert len(requests) == 2
    counter.decide(requests[1], Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.state == "waiting"
    assert [account for _, account, _ in bank.sent] == ["A3"]
    assert len(model.requests) == 1
    counter.decide(requests[0], Verdict.REJECT, reviewer, reason="No.")
    run = counter.go_on(run)
    assert run.state == "succeeded"
    told = [m["tool_call_id"] for m in model.requests[1]["messages"] if m["role"] == "tool"]
    assert told == ["one", "two", "three"]


def test_a_question_waits_for_its_answer_and_the_agent_reads_it(
    counter: Counter, model: ModelServer, reviewer: User
) -> None:
    run = counter.start(
        [
            calls(call("ask_human", {"question": "Which account?", "answer_type": "text"})),
            final(summary="ok"),
        ]
    )
    request = counter.request(run)
    assert request.kind == "question"
    counter.decide(request, Verdict.ANSWER, reviewer, answer="A5")
    assert counter.go_on(run).state == "succeeded"
    assert "A5" in model.requests[1]["messages"][-1]["content"]


def test_abstaining_is_an_outcome_of_its_own(counter: Counter) -> None:
    run = counter.start([calls(call("abstain", {"reason": "I cannot know."}))])
    assert (run.state, run.outcome) == ("succeeded", "abstained")


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("launch_rocket", judged({}), "unknown_tool"),
        ("pay", '{"account": "A1", "amount": NaN}', "arguments_not_json"),
        ("pay", '{"account": "A1", "account": "A2"}', "arguments_not_json"),
        ("pay", "[1]", "arguments_not_object"),
        ("pay", judged({"account": "A1"}), "arguments_invalid"),
        ("pay", judged({"account": "A1", "amount": "42.00", "fast": True}), "arguments_invalid"),
        ("pay", judged({"account": "A1", "amount": "-1"}), "arguments_invalid"),
    ],
)
def test_a_malformed_call_goes_back_to_the_model_and_does_nothing(
    counter: Counter, bank: Bank, steps_of: Steps, name: str, arguments: object, code: str
) -> None:
    run = counter.start([calls(call(name, arguments)), final(summary="ok")])  # type: ignore[arg-type]
    assert run.state == "succeeded"
    assert steps_of(run)[1].problem == code
    assert bank.sent == []


def test_repairs_are_bounded_and_then_a_person_looks(counter: Counter, model: ModelServer) -> None:
    run = counter.start(lambda _request: says("I would rather talk."))
    assert run.state == "waiting"
    assert counter.request(run).kind == "attention"
    assert len(model.requests) == 3


def test_a_person_lets_the_run_go_on_after_trouble(counter: Counter, reviewer: User) -> None:
    run = counter.start([says("a"), says("b"), says("c"), final(summary="At last.")])
    counter.decide(counter.request(run), Verdict.CONTINUE, reviewer)
    assert counter.go_on(run).state == "succeeded"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(401), "model_key_refused"),
        (error(404), "model_request_refused"),
    ],
)
def test_a_model_that_refuses_us_is_shown_to_a_person(
    counter: Counter, model: ModelServer, steps_of: Steps, answer: Answer, code: str
) -> None:
    run = counter.start(lambda _request: answer)
    assert run.state == "waiting"
    assert counter.request(run).kind == "attention"
    step = steps_of(run)[0]
    assert (step.state, [attempt["code"] for attempt in step.attempts]) == ("failed", [code])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(429), "model_rate_limited"),
        (error(500), "model_server_error"),
        (Answer(body=b"<html>"), "model_reply_malformed"),
        (Answer(body=b'{"choices": []}'), "model_reply_malformed"),
        (Answer(body=b'{"choices": [{"message": {"tool_calls": [7]}}]}'), "model_reply_malformed"),
    ],
)
def test_a_passing_failure_is_tried_again_within_bounds_and_then_slept_on(
    counter: Counter, steps_of: Steps, answer: Answer, code: str
) -> None:
    run = counter.start(lambda _request: answer)
    assert run.state == "sleeping"
    assert [attempt["code"] for attempt in steps_of(run)[0].attempts] == [code] * 3


def test_a_failed_attempt_is_journalled_and_the_next_one_counts(
    counter: Counter, steps_of: Steps
) -> None:
    run = counter.start([error(500), final(summary="ok")])
    assert run.state == "succeeded"
    assert len(steps_of(run)[0].attempts) == 1


def test_a_long_retry_after_puts_the_run_to_sleep_for_that_long(counter: Counter) -> None:
    run = counter.start([error(429, retry_after="120")])
    assert run.state == "sleeping"
    assert run.wake_at is not None
    assert 100 < (run.wake_at - run.created_at).total_seconds() < 140


def test_a_model_that_does_not_answer_in_time_is_a_failed_attempt(
    counter: Counter, steps_of: Steps, settings: object
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(  # type: ignore[attr-defined]
        update={"model_timeout_seconds": 0.2, "model_attempts": 1}
    )

    run = counter.start([Answer(hold=threading.Event())])
    assert steps_of(run)[0].attempts[0]["code"] == "model_timeout"
    assert run.state == "sleeping"


def test_what_an_untrusted_result_says_taints_the_run(counter: Counter) -> None:
    run = counter.start(
        [calls(call("read_letter", judged({"account": "A1"}))), final(summary="ok")]
    )
    assert (run.tainted, run.tainted_by) == (True, ["read_letter"])
