"""Scores beside the model's own word: gathered before the gate is asked, charged, recorded, never in the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import User
from agents.definitions import Budget
from agents.model_steps import MOST_INTERRUPTIONS
from agents.models import Run, RunMessage, Step
from agents.runner import advance
from agents.services.change_goal import change_goal
from agents.services.control import cancel_run
from agents.services.gather_score import begin_score
from agents.services.judge_reply import judge_reply
from agents.services.message_run import message_run
from agents.services.operate_agent import disable_agent, enable_agent
from agents.services.start_run import start_run
from agents.sweep import sweep_once
from approvals.vocabulary import Verdict
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.conftest import TEST, Counter, host
from tests.agents.scoring import Cast, review, score_by
from tests.agents.test_effects import Killed, die
from tests.model_server import (
    Answer,
    ModelServer,
    call,
    calls,
    completion,
    error,
    final,
    judged,
    says,
)

Steps = Callable[[Run], list[Step]]
VERIFIER = {"source": "verifier"}
AGREEMENT = {"source": "agreement"}
PAY = judged({"account": "A1", "amount": "42.00"})


def pay(account: str = "A1", amount: str = "42.00", confidence: Any = 0.95) -> Answer:
    return calls(call("pay", judged({"account": account, "amount": amount}, confidence)))


def scored(run: Run) -> dict[str, Any]:
    """The scores of the run's one call of the pay tool, as the journal keeps them."""
    step = Step.objects.get(run=run, name="pay")
    assert step.judgement is not None
    confidence: dict[str, Any] = step.judgement["confidence"]
    return confidence


# -- the verifier


@pytest.mark.parametrize(("score", "state"), [(0.8, "succeeded"), (0.79, "waiting")])
def test_the_verifiers_score_decides_where_the_policy_says_so(
    counter: Counter, bank: Bank, score: float, state: str
) -> None:
    score_by(VERIFIER)
    run = counter.start(Cast([pay(confidence=0.1)], [review(score)]))
    assert run.state == state
    assert len(bank.sent) == (state == "succeeded")
    assert scored(run)["source"] == "verifier"
    assert scored(run)["signals"] == {"self_reported": 1_000, "verifier": round(score * 10_000)}


def test_a_sure_agent_is_reviewed_where_the_verifier_objects_and_the_reviewer_reads_why(
    counter: Counter, bank: Bank
) -> None:
    score_by(VERIFIER)
    run = counter.start(Cast([pay(confidence=1)], [review(0.2, "The task names no account.")]))
    request = counter.request(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert request.score_source == "verifier"
    assert request.confidence_bp == 2_000
    assert request.score_notes["verifier"]["objections"] == ["The task names no account."]
    assert {reason["code"] for reason in request.reasons} >= {"below_threshold"}
    assert request.shown_document["scores"]["verifier"]["score_bp"] == 2_000


def test_the_verifier_is_told_task_call_and_evidence_and_not_how_the_agent_argues(
    counter: Counter, model: ModelServer
) -> None:
    score_by(VERIFIER)
    letter = calls(call("read_letter", judged({"account": "A1"})))
    counter.start(Cast([letter, pay()], [review(0.9)]), "Pay 42 euro to A1.")
    (asked,) = [request for request in model.requests if "response_format" in request]
    about = json.loads(asked["messages"][1]["content"])
    assert about["task"] == "Pay 42 euro to A1."
    assert about["proposed_call"]["arguments"] == {"account": "A1", "amount": "42.00"}
    assert [(seen["tool"], seen["trust"]) for seen in about["evidence"]] == [
        ("read_letter", "untrusted")
    ]
    assert "the ticket says so" not in json.dumps(asked)
    assert "0.95" not in json.dumps(asked)
    assert asked["response_format"]["json_schema"]["strict"] is True


def test_the_verifier_may_be_another_model(
    counter: Counter, model: ModelServer, bank: Bank
) -> None:
    host(teller(bank, verifier="second-look"))
    score_by(VERIFIER)
    run = counter.start(Cast([pay()], [review(0.9)]))
    assert run.state == "succeeded"
    assert [request["model"] for request in model.requests] == [
        "scripted",
        "second-look",
        "scripted",
    ]


BROKEN = {
    "words": says("It looks good to me."),
    "a score above one": review(1.5),
    "a score that is a text": review("0.9"),
    "a score that is true": review(True),
    "no number": says('{"score": NaN, "objections": []}'),
    "a field more": says('{"score": 1, "objections": [], "approve": true}'),
    "no objections": says('{"score": 1}'),
    "twice the score": says('{"score": 0, "objections": [], "score": 1}'),
    "a call instead": calls(call("pay", PAY)),
    "nothing": completion({"content": None}),
    "a server that fails": error(400),
    "a server that is busy": error(500),
    "no completion": Answer(body=b"{}"),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_verifier_that_gives_no_review_counts_as_zero_and_loses_no_run(
    counter: Counter, bank: Bank, answer: Answer
) -> None:
    score_by(VERIFIER)
    run = counter.start(Cast([pay(confidence=1)], [answer] * 9))
    request = counter.request(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert request.confidence_bp is None
    assert request.score_notes["verifier"]["problem"]
    assert [reason["code"] for reason in request.reasons if "score" in reason["code"]] == [
        "no_score"
    ]


def test_a_verifier_that_does_not_answer_in_time_counts_as_zero(
    counter: Counter, settings: Settings
) -> None:
    score_by(VERIFIER)
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"model_timeout_seconds": 2.0, "model_attempts": 1}
    )
    late = threading.Event()
    run = counter.start(Cast([pay()], [replace(review(1), hold=late)]))
    late.set()
    assert run.state == "waiting"
    assert counter.request(run).score_notes["verifier"]["problem"] == "model_timeout"


def test_a_score_that_only_is_recorded_decides_nothing(counter: Counter) -> None:
    score_by({"source": "self_reported", "also": ["verifier"]})
    run = counter.start(Cast([pay()], [review(0, "No.")]))
    assert run.state == "succeeded"
    assert scored(run)["source"] == "self_reported"
    assert scored(run)["signals"] == {"self_reported": 9_500, "verifier": 0}


def test_objections_are_bounded_and_fit_to_be_stored(counter: Counter) -> None:
    score_by(VERIFIER)
    many = ["x" * 5_000, "null \x00 byte", "  two\n lines ", "", *["again"] * 20]
    run = counter.start(Cast([pay()], [review(0.1, *many)]))
    kept = counter.request(run).score_notes["verifier"]["objections"]
    assert len(kept) <= 8
    assert max(len(text) for text in kept) <= 500
    assert kept[1:3] == ["null \ufffd byte", "two lines"]


# -- agreement


@pytest.mark.parametrize(
    ("samples", "state", "score"),
    [
        ([pay(), pay(confidence=0.1)], "succeeded", 10_000),
        ([pay(), pay(account="B2")], "waiting", 6_666),
        ([pay(account="B2"), pay(account="C3")], "waiting", 3_333),
        ([pay(account=" a1 ", amount="42"), pay(amount="17.00")], "succeeded", 10_000),
        ([pay(), calls(call("wire", PAY))], "waiting", 6_666),
        ([pay(), says("I am not sure.")], "waiting", 6_666),
        ([pay(), calls(call("pay", '{"account": 1}'))], "waiting", 6_666),
        ([pay(), calls(call("ask_human", {"question": "Which?"}))], "waiting", 6_666),
    ],
    ids=[
        "all",
        "one differs",
        "all differ",
        "the same thing in other words",
        "another tool",
        "words",
        "a malformed call",
        "a question",
    ],
)
def test_agreement_is_the_share_of_replies_that_act_on_the_same_thing(
    counter: Counter, samples: list[Answer], state: str, score: int
) -> None:
    score_by(AGREEMENT)
    run = counter.start(Cast([pay(confidence=0.1)], samples=samples))
    assert run.state == state
    assert scored(run)["raw_bp"] == score
    note = scored(run)["notes"]["agreement"]
    assert (note["samples"], note["version"]) == (3, "1")


def test_samples_are_asked_on_the_same_context_and_told_apart(
    counter: Counter, model: ModelServer
) -> None:
    score_by({"source": "agreement", "samples": 4})
    counter.start(Cast([pay()], samples=[pay()] * 3))
    first, *samples = model.requests[:4]
    assert [sample.pop("seed") for sample in samples] == [2, 3, 4]
    assert all(sample == first for sample in samples)


def test_where_a_sample_is_missing_there_is_no_share_and_no_more_are_asked_for(
    counter: Counter, settings: Settings
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_attempts": 1})
    score_by({"source": "agreement", "samples": 5})
    cast = Cast([pay()], samples=[pay(), error(500), pay(), pay()])
    run = counter.start(cast)
    assert run.state == "waiting"
    assert cast.asked == ["agent", "sample", "sample"]
    assert scored(run)["raw_bp"] is None
    assert "agreement" not in scored(run)["signals"]


def test_each_call_of_a_reply_has_scores_of_its_own_and_all_are_judged_together(
    counter: Counter, bank: Bank, steps_of: Steps
) -> None:
    both = calls(
        call("pay", judged({"account": "A1", "amount": "1.00"})),
        call("pay", judged({"account": "B2", "amount": "2.00"})),
        call("read_balance", judged({"account": "A1"})),
    )
    score_by({"source": "verifier", "also": ["agreement"], "samples": 2})
    run = counter.start(Cast([both], [review(0.9), review(0.1, "Who is B2?")], [pay(account="B2")]))
    assert run.state == "waiting"
    paid = [step for step in steps_of(run) if step.name == "pay"]
    signals = [(step.judgement or {})["confidence"]["signals"] for step in paid]
    assert signals == [
        {"self_reported": 9_500, "verifier": 9_000, "agreement": 5_000},
        {"self_reported": 9_500, "verifier": 1_000, "agreement": 10_000},
    ]
    assert [account for _, account, _ in bank.sent] == ["A1"]
    (read,) = [step for step in steps_of(run) if step.name == "read_balance"]
    assert read.judgement is not None
    assert list(read.judgement["confidence"]["signals"]) == ["self_reported"]


# -- log-probabilities


def with_log_probabilities(log: float, arguments: dict[str, Any]) -> Answer:
    text = json.dumps(arguments)
    tokens = [text[place : place + 4] for place in range(0, len(text), 4)]
    content = [{"token": token, "logprob": log} for token in tokens]
    message = {"role": "assistant", "content": None, "tool_calls": [call("pay", text)]}
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "tool_calls",
        "logprobs": {"content": content},
    }
    return completion({}, choices=[choice])


@pytest.mark.parametrize(
    ("log", "state", "score"), [(-0.1, "succeeded", 9_048), (-0.5, "waiting", 6_065)]
)
def test_log_probabilities_of_the_calls_tokens_decide(
    counter: Counter, log: float, state: str, score: int
) -> None:
    score_by({"source": "log_probability"})
    run = counter.start([with_log_probabilities(log, PAY), final(summary="ok")])
    assert run.state == state
    assert scored(run)["raw_bp"] == score
    assert scored(run)["version"] == "1"
    assert scored(run)["notes"]["log_probability"]["tokens"] > 5


def test_without_log_probabilities_there_is_no_usable_confidence_and_the_reason_says_so(
    counter: Counter, bank: Bank
) -> None:
    score_by({"source": "log_probability"})
    run = counter.start([pay(confidence=1)])
    request = counter.request(run)
    assert (run.state, bank.sent, request.confidence_bp) == ("waiting", [], None)
    assert "no_score" in {reason["code"] for reason in request.reasons}


def test_log_probabilities_are_recorded_wherever_they_come(counter: Counter) -> None:
    run = counter.start([with_log_probabilities(-0.1, PAY)])
    assert counter.request(run).signals == {"self_reported": 9_500, "log_probability": 9_048}
    assert counter.request(run).score_source == "self_reported"


@pytest.mark.parametrize("asks", [True, False])
def test_the_server_is_asked_for_log_probabilities_where_the_settings_say_so(
    counter: Counter, model: ModelServer, settings: Settings, asks: bool
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_log_probabilities": asks})
    score_by(VERIFIER)
    counter.start(Cast([pay()], [review(0.9)]))
    assert [request.get("logprobs", False) for request in model.requests[:2]] == [asks, False]


# -- what they cost, and what may come in between


def test_further_calls_are_charged_to_the_run_and_stand_in_its_journal_and_log(
    counter: Counter, steps_of: Steps
) -> None:
    score_by({"source": "verifier", "also": ["agreement"]})
    run = counter.start(Cast([pay()], [review(0.9)], [pay()] * 2))
    assert run.state == "succeeded"
    assert run.model_calls == 5
    assert run.tokens_in == sum(step.tokens_in for step in steps_of(run)) >= 500
    kinds = [(step.kind, step.name) for step in steps_of(run)]
    assert kinds[1:5] == [
        ("tool", "pay"),
        ("score", "verifier"),
        ("score", "agreement"),
        ("score", "agreement"),
    ]
    called = Event.objects.filter(type="model.called", stream=f"run:{run.pk}")
    assert called.count() == 5


def test_a_run_whose_budget_ends_while_it_is_scored_waits_for_a_person_and_goes_on(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(model_calls=2)))
    score_by(AGREEMENT)
    cast = Cast([pay()], samples=[pay()] * 2)
    run = counter.start(cast)
    assert (run.state, cast.asked) == ("waiting", ["agent", "sample"])
    asked = counter.request(run)
    assert asked.kind == "budget"
    counter.decide(asked, Verdict.EXTEND, reviewer, caps={"model_calls": 10})
    run = counter.go_on(run)
    assert cast.asked == ["agent", "sample", "sample", "agent"]
    assert (run.state, len(bank.sent)) == ("succeeded", 1)


def stopped_after(counter: Counter, cast: Cast, asked: int) -> Run:
    """A run that its worker lets go of once the model was asked so many times."""
    run = queued(counter, cast)
    advance(run.pk, owner="test", stopping=lambda: len(cast.asked) >= asked)
    return Run.objects.get(pk=run.pk)


def queued(counter: Counter, cast: Cast) -> Run:
    counter.model.follow(cast)
    caller = Caller.of_session(counter.operator)
    return start_run(agent="teller", input="Please pay.", caller=caller)[0]


def after_a_crash(run: Run) -> Run:
    """The run as the sweeper leaves it whose worker died."""
    Run.objects.filter(pk=run.pk).update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    sweep_once()
    return Run.objects.get(pk=run.pk)


def test_a_worker_that_takes_over_asks_only_for_what_is_not_stored(
    counter: Counter, bank: Bank
) -> None:
    score_by({"source": "verifier", "also": ["agreement"]})
    cast = Cast([pay()], [review(0.9)], [pay()] * 2)
    run = stopped_after(counter, cast, 1)
    for asked in (2, 3, 4):
        assert (run.state, bank.sent) == ("ready", [])
        assert Step.objects.get(run=run, name="pay").state == "unjudged"
        stopped = partial(lambda most: len(cast.asked) >= most, asked)
        advance(run.pk, owner=f"worker {asked}", stopping=stopped)
        run = Run.objects.get(pk=run.pk)
    assert cast.asked == ["agent", "verifier", "sample", "sample"]
    run = counter.go_on(run)
    assert cast.asked == ["agent", "verifier", "sample", "sample", "agent"]
    assert (run.state, len(bank.sent)) == ("succeeded", 1)


def test_a_call_for_a_score_that_a_worker_died_in_is_made_again(
    counter: Counter, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_by(VERIFIER)
    cast = Cast([pay()], [review(0.9)] * 20)
    run = stopped_after(counter, cast, 1)
    with monkeypatch.context() as dying:
        dying.setattr("agents.score_steps.finish_score", lambda *_: die())
        for _ in range(3):
            with pytest.raises(Killed):
                counter.go_on(run)
            run = after_a_crash(run)
    run = counter.go_on(run)
    step = Step.objects.get(run=run, kind="score")
    assert (run.state, step.state, len(bank.sent)) == ("succeeded", "succeeded", 1)
    assert [attempt["code"] for attempt in step.attempts] == ["interrupted"] * 3
    assert cast.asked.count("verifier") == 4


def test_a_call_for_a_score_that_workers_die_in_again_and_again_gives_no_score(
    counter: Counter, bank: Bank
) -> None:
    score_by(VERIFIER)
    run = stopped_after(counter, Cast([pay()], [review(0.9)]), 2)
    died = {"code": "interrupted", "message": "", "at": "2026-01-01T00:00:00+00:00"}
    Step.objects.filter(run=run, kind="score").update(
        state="started", output=None, attempts=[died] * MOST_INTERRUPTIONS
    )
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert counter.request(run).score_notes["verifier"]["problem"] == "interrupted"


def test_a_task_that_changes_while_a_call_is_scored_sets_the_call_aside(
    counter: Counter, bank: Bank, model: ModelServer
) -> None:
    score_by(AGREEMENT)
    cast = Cast([pay()], samples=[pay()] * 2)
    run = stopped_after(counter, cast, 2)
    Step.objects.filter(run=run, kind="score").update(state="started", output=None)
    change_goal(run_id=run.pk, text="Do nothing.", caller=Caller.of_session(counter.operator))
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("succeeded", [])
    assert cast.asked == ["agent", "sample", "agent"]
    aside = Step.objects.get(run=run, name="pay")
    assert (aside.state, aside.problem) == ("refused", "goal_changed")
    assert not Step.objects.filter(run=run, state__in=["started", "unjudged"]).exists()
    assert "goal_changed" in json.dumps(model.requests[-1])


def test_a_message_that_comes_while_a_call_is_scored_is_heard_first(
    counter: Counter, model: ModelServer
) -> None:
    score_by(VERIFIER)
    cast = Cast([pay()], [review(0.9)])
    run = stopped_after(counter, cast, 1)
    message_run(
        run_id=run.pk, text="Only if A1 is open.", caller=Caller.of_session(counter.operator)
    )
    counter.go_on(run)
    told = json.loads(model.requests[1]["messages"][1]["content"])
    assert told["said_by_people_since"] == []
    kinds = [step.kind for step in Step.objects.filter(run=run).in_order()]
    assert kinds[:4] == ["model", "tool", "message", "score"]


def test_a_message_that_comes_just_before_a_call_for_a_score_is_heard_before_it(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_by(VERIFIER)
    run = stopped_after(counter, Cast([pay()], [review(0.9)]), 1)
    caller = Caller.of_session(counter.operator)
    said: list[RunMessage] = []

    def raced(*args: Any, **kwargs: Any) -> Any:
        if not said:
            said.append(message_run(run_id=run.pk, text="Wait.", caller=caller))
        return begin_score(*args, **kwargs)

    monkeypatch.setattr("agents.score_steps.begin_score", raced)
    counter.go_on(run)
    kinds = [step.kind for step in Step.objects.filter(run=run).in_order()]
    assert kinds[:4] == ["model", "tool", "message", "score"]


def test_a_policy_that_is_published_just_before_the_gate_is_asked_has_its_own_scores_gathered(
    counter: Counter, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_by(VERIFIER)
    cast = Cast([pay()], [review(0.9)], [pay(account="B2")] * 2)
    published: list[bool] = []

    def raced(*args: Any) -> None:
        if not published:
            published.append(True)
            score_by(AGREEMENT)
        judge_reply(*args)

    monkeypatch.setattr("agents.score_steps.judge_reply", raced)
    run = counter.start(cast)
    assert cast.asked == ["agent", "verifier", "sample", "sample"]
    assert (run.state, bank.sent) == ("waiting", [])
    assert counter.request(run).score_source == "agreement"
    assert counter.request(run).signals["verifier"] == 9_000


def test_a_run_that_is_cancelled_while_it_is_scored_leaves_nothing_open(
    counter: Counter, bank: Bank
) -> None:
    score_by(VERIFIER)
    run = stopped_after(counter, Cast([pay()], [review(0.9)]), 1)
    cancel_run(run_id=run.pk, reason="No more.", caller=Caller.of_session(counter.operator))
    assert Run.objects.get(pk=run.pk).state == "cancelled"
    assert Step.objects.get(run=run, name="pay").state == "refused"
    assert bank.sent == []


def test_an_agent_that_is_switched_off_is_asked_nothing_more(counter: Counter, bank: Bank) -> None:
    score_by(VERIFIER)
    cast = Cast([pay()], [review(0.9)])
    run = stopped_after(counter, cast, 1)
    disable_agent(slug="teller", reason="Incident.", caller=TEST)
    counter.go_on(run)
    assert cast.asked == ["agent"]
    enable_agent(slug="teller", caller=TEST)
    assert (counter.go_on(run).state, len(bank.sent)) == ("succeeded", 1)


def test_a_tool_that_takes_other_arguments_by_now_is_not_judged_on_the_old_ones(
    counter: Counter, bank: Bank
) -> None:
    score_by(VERIFIER)
    run = stopped_after(counter, Cast([pay()], [review(0.9)]), 2)
    Step.objects.filter(run=run, name="pay").update(arguments={"account": "A1"})
    assert counter.go_on(run).state == "succeeded"
    step = Step.objects.get(run=run, name="pay")
    assert (step.state, step.problem, bank.sent) == ("failed", "tool_changed", [])


def test_the_policy_that_is_in_force_when_all_is_gathered_is_the_one_that_judges(
    counter: Counter, bank: Bank
) -> None:
    score_by(VERIFIER)
    cast = Cast([pay()], [review(0.9)], [pay(account="B2")] * 2)
    run = stopped_after(counter, cast, 2)
    score_by({"source": "agreement", "also": ["verifier"]})
    run = counter.go_on(run)
    assert cast.asked == ["agent", "verifier", "sample", "sample"]
    assert (run.state, bank.sent) == ("waiting", [])
    assert counter.request(run).signals == {
        "self_reported": 9_500,
        "verifier": 9_000,
        "agreement": 3_333,
    }


def test_a_call_that_one_score_allowed_waits_once_a_score_decides_that_is_not_there(
    counter: Counter, bank: Bank
) -> None:
    score_by({"source": "self_reported"})
    run = stopped_after(counter, Cast([pay()]), 1)
    assert Step.objects.get(run=run, name="pay").state == "proposed"
    score_by(VERIFIER)
    run = counter.go_on(run)
    request = counter.request(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert (request.score_source, request.confidence_bp) == ("verifier", None)


def test_a_release_that_does_not_know_scores_leaves_such_a_run_alone(counter: Counter) -> None:
    score_by(VERIFIER)
    run = stopped_after(counter, Cast([pay()], [review(0.9)]), 2)
    assert {(step.kind, step.schema) for step in Step.objects.filter(run=run)} == {
        ("model", 2),
        ("tool", 3),
        ("score", 3),
    }


def test_a_run_that_no_other_score_is_asked_for_asks_the_database_nothing_more(
    counter: Counter,
) -> None:
    script = [calls(call("read_balance", judged({"account": "A1"}))), final(summary="ok")]
    counter.start(script)
    with CaptureQueriesContext(connection) as plain:
        counter.start(script)
    policies = [query for query in plain if "approvals_policyversion" in query["sql"]]
    # One when the call is judged, and one before it runs.
    assert len(policies) == 2
