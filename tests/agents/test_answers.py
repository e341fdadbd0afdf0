"""A final answer that a person looks at: accepted, corrected or sent back, by whoever may, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from accounts.services.create_token import create_token
from agents import registry
from agents.authoring import Agent
from agents.models import Run, Step
from agents.services.control import cancel_run
from approvals.errors import AlreadyDecided, BadBody, OwnRequest
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.errors import Conflict, Forbidden, Invalid, NotFound
from tests.agents.answering import answers, reads, reporting, transfers
from tests.agents.bank import Bank
from tests.agents.conftest import TEST, Counter, host
from tests.agents.saying import by, changed, say, told
from tests.harness.people import person
from tests.model_server import ModelServer, call, calls

LIE = {"outcome": "paid", "amount": None, "summary": "All is well."}
TRUTH = {"outcome": "not_paid", "amount": None, "summary": "Nothing was paid."}


@pytest.fixture(autouse=True)
def desk(bank: Bank) -> Iterator[Agent]:
    """The teller who reports what was paid."""
    agent = reporting(bank)
    host(agent)
    yield agent
    registry.unregister(agent.slug)


@pytest.fixture
def lied(counter: Counter) -> Run:
    """A run whose answer says that it paid, which it did not."""
    return counter.start([reads(), answers("r1")])


def posted(request: ApprovalRequest, verdict: str, **body: Any) -> dict[str, Any]:
    """A decision as programs send it."""
    return {
        "verdict": verdict,
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "nonce": uuid4().hex,
        **body,
    }


def asked(user: User, path: str, body: Any = None, scopes: str = "") -> Any:
    """Ask the API as the person through a token of theirs."""
    made = create_token(
        person=user, name=uuid4().hex[:8], scopes=scopes.split() or None, caller=TEST
    )
    client = Client(headers={"Authorization": f"Bearer {made.bearer}"})
    if body is None:
        return client.get(f"/api/v1/{path}")
    return client.post(f"/api/v1/{path}", data=body, content_type="application/json")


def test_an_accepted_answer_is_the_output_beside_what_was_really_done(
    counter: Counter, lied: Run, reviewer: User, operator: User
) -> None:
    counter.decide(counter.request(lied), Verdict.ACCEPT, reviewer, reason="Paid by hand.")
    run = counter.go_on(lied)
    assert (run.state, run.outcome, run.output) == ("succeeded", "done", LIE)
    step = Step.objects.get(run=run, kind="final")
    assert (step.state, step.output) == (
        "succeeded",
        {"status": "done", "accepted": True, "by": "reviewer", "feedback": "Paid by hand."},
    )
    assert asked(operator, f"runs/{run.pk}").json()["output"] == {**LIE, "done": []}


def test_what_was_done_is_told_from_the_journal_with_who_approved_it(
    counter: Counter, reviewer: User, operator: User
) -> None:
    run = counter.start([transfers(), answers("t1", outcome="not_paid")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    request = ApprovalRequest.objects.get(run_id=run.pk)
    told_done = asked(operator, f"runs/{run.pk}").json()["output"]["done"]
    assert told_done == [
        {
            "tool": "transfer",
            "title": "Pay €42.00 to A1",
            "step": 2,
            "state": "succeeded",
            "undone": False,
            "approval": str(request.pk),
            "approved_by": "reviewer",
        }
    ]
    listed = asked(reviewer, "runs").json()["items"][0]["output"]["done"]
    assert listed == told_done


def test_a_run_that_was_stopped_tells_what_it_did_all_the_same(
    counter: Counter, reviewer: User, operator: User
) -> None:
    run = counter.start([transfers(), transfers("t2"), answers()])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert asked(operator, f"runs/{run.pk}").json()["output"] is None
    counter.decide(counter.request(run), Verdict.STOP, reviewer, reason="Enough.")
    output = asked(operator, f"runs/{run.pk}").json()["output"]
    assert [(each["tool"], each["step"]) for each in output.pop("done")] == [("transfer", 2)]
    assert output == {}


def test_a_corrected_answer_is_the_output_of_the_run(
    counter: Counter, lied: Run, reviewer: User
) -> None:
    counter.decide(counter.request(lied), Verdict.CORRECT, reviewer, output=TRUTH)
    run = counter.go_on(lied)
    assert (run.state, run.output) == ("succeeded", TRUTH)
    step = Step.objects.get(run=run, kind="final")
    assert (step.arguments, (step.output or {})["corrected"]) == (LIE, True)


@pytest.mark.parametrize(
    ("output", "field"),
    [
        ({**TRUTH, "outcome": "perhaps"}, "output.outcome"),
        ({**TRUTH, "amount": "0.001"}, "output.amount"),
        ({**TRUTH, "done": []}, "output"),
        ({"outcome": "paid"}, "output"),
        ("Nothing.", "output"),
    ],
)
def test_a_correction_that_the_answer_does_not_take_is_refused_at_its_field(
    counter: Counter, lied: Run, reviewer: User, output: Any, field: str
) -> None:
    request = counter.request(lied)
    with pytest.raises(Invalid) as refused:
        counter.decide(request, Verdict.CORRECT, reviewer, output=output)
    assert [error["field"] for error in refused.value.params["errors"]] == [field]
    request.refresh_from_db()
    assert request.state == "pending"
    with pytest.raises(BadBody):
        counter.decide(request, Verdict.CORRECT, reviewer)


def test_an_answer_that_is_sent_back_is_told_to_the_model_with_both_sides(
    counter: Counter, lied: Run, model: ModelServer, reviewer: User
) -> None:
    model.follow([answers("r1", outcome="not_paid")])
    counter.decide(counter.request(lied), Verdict.SEND_BACK, reviewer, reason="It was not.")
    run = counter.go_on(lied)
    assert (run.state, (run.output or {})["outcome"]) == ("succeeded", "not_paid")
    heard = told(model)[-1]["content"]
    assert '"feedback": "It was not."' in heard
    assert "No such call was made in this run." in heard


def test_a_second_answer_of_the_same_reply_is_not_taken_for_the_one_that_was_sent_back(
    counter: Counter, model: ModelServer, reviewer: User
) -> None:
    said = {"outcome": "paid", "summary": "Paid.", "relies_on": []}
    other = {**said, "outcome": "not_paid", "summary": "Not paid."}
    two = calls(call("final_answer", said), call("final_answer", other))
    run = counter.start([two, answers(outcome="not_paid", summary="Third.")])
    counter.decide(counter.request(run), Verdict.SEND_BACK, reviewer, reason="No.")
    run = counter.go_on(run)
    assert (run.output or {})["summary"] == "Third."
    assert Step.objects.get(run=run, problem="turned_down").state == "refused"


def test_a_model_that_lies_again_is_looked_at_again(
    counter: Counter, lied: Run, model: ModelServer, reviewer: User
) -> None:
    model.follow([answers("r1")])
    counter.decide(counter.request(lied), Verdict.SEND_BACK, reviewer, reason="No.")
    run = counter.go_on(lied)
    assert (run.state, counter.request(run).kind) == ("waiting", "result")


def test_whoever_started_the_run_does_not_pass_its_answer_on(
    counter: Counter, lied: Run, operator: User, finance: Any
) -> None:
    starter = person("operator", "operator", "reviewer", groups=(finance,))
    for verdict, body in (
        (Verdict.ACCEPT, {}),
        (Verdict.CORRECT, {"output": TRUTH}),
        (Verdict.SEND_BACK, {"reason": "No."}),
    ):
        with pytest.raises(OwnRequest):
            counter.decide(counter.request(lied), verdict, starter, **body)


def test_who_is_not_of_the_owner_group_does_not_pass_an_answer_on(
    counter: Counter, lied: Run, support: Any, admin: User
) -> None:
    elsewhere = person("elsewhere", "reviewer", groups=(support,))
    with pytest.raises(NotFound):
        counter.decide(counter.request(lied), Verdict.ACCEPT, elsewhere)
    with pytest.raises(Forbidden):
        counter.decide(counter.request(lied), Verdict.ACCEPT, admin)


def test_an_answer_is_decided_over_the_api_with_the_scope_that_decides(
    counter: Counter, lied: Run, reviewer: User, operator: User
) -> None:
    request = counter.request(lied)
    shown = asked(reviewer, f"approvals/{request.pk}").json()
    assert (shown["kind"], shown["verdicts"]) == ("result", ["accept", "correct", "send_back"])
    assert shown["question"]["output"] == LIE
    assert shown["question"]["claims"][0]["journal"] == "No such call was made in this run."
    path = f"approvals/{request.pk}/decisions"
    assert asked(reviewer, path, posted(request, "accept"), "read").status_code == 403
    wrong = asked(reviewer, path, posted(request, "correct", output={**TRUTH, "amount": "-1"}))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "answer_refused")
    taken = asked(reviewer, path, posted(request, "correct", output=TRUTH))
    assert (taken.status_code, taken.json()["state"]) == (200, "answered")
    late = asked(reviewer, path, posted(request, "accept"))
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    assert counter.go_on(lied).output == TRUTH


def test_an_answer_waits_while_somebody_tells_the_run_something(
    counter: Counter, lied: Run, operator: User, reviewer: User
) -> None:
    say(lied, operator)
    run = counter.go_on(lied)
    assert run.state == "waiting"
    counter.decide(counter.request(run), Verdict.ACCEPT, reviewer)
    assert counter.go_on(run).output == LIE


def test_a_change_of_the_task_sets_the_answer_aside(
    counter: Counter, lied: Run, model: ModelServer, operator: User
) -> None:
    model.follow([answers("r1", outcome="not_paid")])
    request = counter.request(lied)
    run = counter.go_on(changed(lied, operator))
    request.refresh_from_db()
    assert (request.state, run.state) == ("superseded", "succeeded")
    assert Step.objects.filter(run=run, problem="goal_changed", kind="final").exists()


def test_of_a_cancel_and_a_decision_the_first_counts(
    counter: Counter, operator: User, reviewer: User
) -> None:
    first = counter.start([answers()])
    request = counter.request(first)
    cancel_run(run_id=first.pk, reason="Enough.", caller=by(operator))
    with pytest.raises(AlreadyDecided):
        counter.decide(request, Verdict.ACCEPT, reviewer)
    assert Run.objects.get(pk=first.pk).state == "cancelled"

    second = counter.start([answers()])
    counter.decide(counter.request(second), Verdict.ACCEPT, reviewer)
    counter.go_on(second)
    with pytest.raises(Conflict):
        cancel_run(run_id=second.pk, reason="Enough.", caller=by(operator))


def test_an_answer_that_was_accepted_is_not_looked_at_again_when_its_worker_dies(
    counter: Counter, lied: Run, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.decide(counter.request(lied), Verdict.ACCEPT, reviewer)

    class Killed(BaseException):
        """Stands for the end of the process."""

    def die(*args: Any, **given: Any) -> Callable[..., None]:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("agents.answer_steps.succeed", die)
        with pytest.raises(Killed):
            counter.go_on(lied)
    Run.objects.filter(pk=lied.pk).update(state="ready", lease_expires_at=None)
    run = counter.go_on(lied)
    assert (run.state, run.output) == ("succeeded", LIE)
    assert ApprovalRequest.objects.filter(run_id=run.pk).count() == 1
