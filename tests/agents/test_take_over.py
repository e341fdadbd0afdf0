"""A person takes a run over, and hands it back."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from accounts.models import User
from agents.errors import RunPaused, RunSwitchedOff, RunTakenOver
from agents.models import Run, Step
from agents.services.control import cancel_run, pause_run, resume_run
from agents.services.operate_agent import disable_agent
from agents.services.start_run import start_run
from agents.wording import run_state
from approvals.errors import NotInGroups
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from audit.models import Event
from tests.agents.bank import Bank
from tests.agents.conftest import TEST, Counter
from tests.agents.saying import by, changed, discloses, parked, say, taken, told
from tests.agents.test_effects import PAY, approved, killed_while_sending
from tests.agents.test_races import before_intent  # noqa: F401 - a fixture, taken by name
from tests.harness.people import person
from tests.model_server import ModelServer, call, calls, final

Steps = Callable[[Run], list[Step]]
Before = Callable[[Callable[[], object]], None]


def hand_back(run: Run) -> ApprovalRequest:
    """The request by which the run is handed back."""
    return ApprovalRequest.objects.get(run_id=run.pk, kind="hand_back", state="pending")


def payment(run: Run) -> ApprovalRequest:
    return ApprovalRequest.objects.get(run_id=run.pk, kind="action")


def test_a_run_that_was_taken_over_stands_still_and_goes_on_when_it_is_handed_back(
    counter: Counter, bank: Bank, model: ModelServer, operator: User, reviewer: User
) -> None:
    run = taken(parked(counter), operator)
    assert (run.state, run.taken_over_by, run_state(run)) == ("ready", operator, "Taken over")
    run = counter.go_on(run)
    assert (run.state, payment(run).state) == ("waiting", "pending")
    request = hand_back(run)
    assert (request.initiator, request.review_deadline) == (operator, None)
    counter.decide(payment(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, bank.sent, payment(run).state) == ("waiting", [], "approved")
    counter.decide(request, Verdict.RETURN, operator, message="I called. Pay it.")
    run.refresh_from_db()
    assert (run.taken_over_by, run.state) == (None, "ready")
    run = counter.go_on(run)
    assert (run.state, len(bank.sent)) == ("succeeded", 1)
    said = "A person took over and handed back: I called. Pay it."
    assert told(model)[-1] == {"role": "user", "content": said}
    assert discloses("run.taken_over") == {"reason"}
    decided = Event.objects.filter(request=request.pk, type="request.decided").get()
    assert json.loads(bytes(decided.body))["outcome"]["meaning"] == "returned"


@pytest.mark.parametrize("tool", ["pay", "wire", "book", "order"])
def test_taking_over_just_before_dispatch_keeps_the_call_from_going_out(
    counter: Counter,
    bank: Bank,
    operator: User,
    reviewer: User,
    before_intent: Before,  # noqa: F811
    tool: str,
) -> None:
    run = approved(counter, reviewer, tool)
    before_intent(lambda: taken(run, operator))
    run = counter.go_on(run)
    run = counter.go_on(run)
    assert (run.state, bank.sent, payment(run).state) == ("waiting", [], "approved")
    counter.decide(hand_back(run), Verdict.RETURN, operator, message="Go on.")
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_an_approved_call_that_no_worker_has_taken_up_waits_for_the_hand_back(
    counter: Counter, bank: Bank, operator: User, reviewer: User
) -> None:
    run = counter.go_on(taken(approved(counter, reviewer, "wire"), operator))
    assert (run.state, bank.sent, payment(run).state) == ("waiting", [], "approved")
    counter.decide(hand_back(run), Verdict.RETURN, operator, message="Go on.")
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_a_run_that_has_not_begun_is_parked_before_it_asks_its_model(
    counter: Counter, model: ModelServer, operator: User
) -> None:
    model.follow([final(summary="ok")])
    run, _ = start_run(agent="teller", input="Please pay.", caller=by(operator))
    run = counter.go_on(taken(run, operator, reason=""))
    assert (run.state, len(model.requests)) == ("waiting", 0)
    assert hand_back(run).title == f"{operator} has taken over: Please pay."


def test_taking_over_twice_names_who_has_it(
    counter: Counter, operator: User, reviewer: User
) -> None:
    run = taken(parked(counter), operator)
    for _ in range(2):
        with pytest.raises(RunTakenOver) as refused:
            taken(run, reviewer)
        assert refused.value.params["who"] == str(operator)
        counter.go_on(run)
    assert ApprovalRequest.objects.filter(kind="hand_back").count() == 1


def test_a_run_that_stands_still_already_is_not_taken_over_and_the_answer_says_why(
    counter: Counter, operator: User
) -> None:
    run = parked(counter)
    pause_run(run_id=run.pk, reason="", caller=by(operator))
    with pytest.raises(RunPaused):
        taken(run, operator)
    resume_run(run_id=run.pk, caller=by(operator))
    disable_agent(slug="teller", reason="", caller=TEST)
    with pytest.raises(RunSwitchedOff):
        taken(run, operator)
    run.refresh_from_db()
    assert (run.unheard, run.taken_over_by) == (False, None)


def test_the_owner_group_may_hand_back_what_somebody_else_took_over_and_others_may_not(
    counter: Counter, operator: User, reviewer: User, admin: User
) -> None:
    run = counter.go_on(taken(parked(counter), operator))
    request = hand_back(run)
    with pytest.raises(NotInGroups):
        counter.decide(request, Verdict.RETURN, admin, message="Back.")
    counter.decide(request, Verdict.RETURN, reviewer, message="They are ill.")
    assert counter.go_on(run).taken_over_by is None


def test_the_one_who_took_it_over_hands_it_back_whoever_started_it(
    counter: Counter, operator: User
) -> None:
    other = person("second-operator", "operator")
    run = counter.go_on(taken(parked(counter), other))
    request = hand_back(run)
    assert list(ApprovalRequest.objects.decidable_by(other)) == [request]
    assert list(ApprovalRequest.objects.mine(other)) == [request]
    assert not ApprovalRequest.objects.decidable_by(operator).filter(pk=request.pk).exists()
    counter.decide(request, Verdict.RETURN, other, message="Done.")
    assert not ApprovalRequest.objects.decidable_by(other).exists()


def test_a_run_that_was_handed_back_can_be_taken_over_again_at_once(
    counter: Counter, operator: User, reviewer: User, steps_of: Steps
) -> None:
    run = counter.go_on(taken(parked(counter), operator))
    counter.decide(hand_back(run), Verdict.RETURN, operator, message="Back.")
    taken(run, reviewer)
    run = counter.go_on(run)
    assert (run.state, run.taken_over_by) == ("waiting", reviewer)
    assert [s.state for s in steps_of(run) if s.kind == "hand_back"] == ["succeeded", "waiting"]


def test_a_call_in_doubt_is_found_out_while_somebody_has_the_run(
    counter: Counter, bank: Bank, operator: User, reviewer: User, second_reviewer: User
) -> None:
    run = counter.go_on(killed_while_sending(counter, bank, reviewer, "wire"))
    run = counter.go_on(taken(run, operator))
    doubt = ApprovalRequest.objects.get(run_id=run.pk, kind="in_doubt")
    counter.decide(doubt, Verdict.HAPPENED, second_reviewer)
    run = counter.go_on(run)
    assert (run.state, run.taken_over_by) == ("waiting", operator)
    counter.decide(hand_back(run), Verdict.RETURN, operator, message="Back.")
    assert counter.go_on(run).state == "succeeded"
    assert len(bank.sent) == 1


def test_a_new_task_while_somebody_has_the_run_leaves_it_theirs(
    counter: Counter, bank: Bank, model: ModelServer, operator: User
) -> None:
    run = counter.go_on(taken(parked(counter), operator))
    changed(run, operator, "Only say hello.")
    say(run, operator, "Politely.")
    run = counter.go_on(run)
    assert (run.state, payment(run).state) == ("waiting", "superseded")
    counter.decide(hand_back(run), Verdict.RETURN, operator, message="Now you.")
    assert counter.go_on(run).state == "succeeded"
    assert [said["content"] for said in told(model)[-3:]] == [
        "The task has changed. From now on: Only say hello.",
        "A person says: Politely.",
        "A person took over and handed back: Now you.",
    ]
    assert bank.sent == []


def test_a_run_that_is_cancelled_is_nobody_s_any_more(counter: Counter, operator: User) -> None:
    run = counter.go_on(taken(parked(counter), operator))
    run = cancel_run(run_id=run.pk, reason="", caller=by(operator))
    assert (run.state, run.taken_over_by) == ("cancelled", None)
    assert ApprovalRequest.objects.get(kind="hand_back").state == "cancelled"


def test_an_ending_beside_a_hand_back_is_taken_only_after_the_model_read_it(
    counter: Counter, bank: Bank, operator: User, reviewer: User
) -> None:
    ending = call("final_answer", {"summary": "Paid.", "relies_on": []})
    run = counter.start([calls(call("pay", PAY), ending), final(summary="As you say.")])
    run = counter.go_on(taken(run, operator))
    counter.decide(payment(run), Verdict.APPROVE, reviewer)
    counter.decide(hand_back(run), Verdict.RETURN, operator, message="Say who asked.")
    run = counter.go_on(run)
    assert (run.output, len(bank.sent)) == ({"summary": "As you say."}, 1)
