"""A final answer that waits for a person, under two real processes at once: one word on it counts, whatever comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run, Step
from agents.runner import advance
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from tests.harness.rounds import rounds
from tests.invariants.racing import Track, agrees, decision, told
from tests.model_server import ModelServer, call, calls, final

ROUNDS = rounds(10)
#: A verdict comes through a door, which takes its time; what operators do is done at once.
HEAD_START_SECONDS = 0.1
#: Long ones, to come to the edge within the rounds on a fast machine as on a slow one.
FIRST_STEP_SECONDS = 0.04
LIE, TRUTH, NEW = "I paid.", "Nothing was paid.", "Another task."


def waiting(model: ModelServer, operator: User) -> Iterator[ApprovalRequest]:
    """Answers, each of a run of its own, that rely on a call that was never made; then the runs answer anew."""
    caller = Caller.of_session(operator)
    lie = calls(call("final_answer", {"summary": LIE, "relies_on": ["never-made"]}))
    for _ in range(ROUNDS):
        model.follow([lie])
        run, _ = start_run(agent="teller", input="Pay.", caller=caller)
        advance(run.pk, owner="test", stopping=lambda: False)
        model.follow(lambda request: final(summary=NEW))
        yield ApprovalRequest.objects.get(run_id=run.pk, kind="result", state="pending")


def ended(request: ApprovalRequest) -> Run:
    """The run, after a worker has done what was decided."""
    assert request.run_id is not None
    advance(request.run_id, owner="test", stopping=lambda: False)
    return Run.objects.get(pk=request.run_id)


def test_accepting_and_sending_back_have_one_winner_and_the_run_follows_that(
    track: Track, model: ModelServer, operator: User, reviewer: User, second_reviewer: User
) -> None:
    wins: Counter[bool] = Counter()
    for number, request in enumerate(waiting(model, operator)):
        answers = track.race(
            decision(request, reviewer, number, "accept"),
            decision(request, second_reviewer, number // 5, "send_back", reason="It was not."),
        )
        accepted = answers[0]["moved"]
        assert accepted is not answers[1]["moved"], answers
        winner, what = (reviewer, "accepted") if accepted else (second_reviewer, "sent back")
        told(answers[1 if accepted else 0], winner.get_full_name(), what)
        types = agrees(request)
        assert (types.count("request.decided"), types.count("decision.refused")) == (1, 1)
        run = ended(request)
        assert (run.state, run.output) == ("succeeded", {"summary": LIE if accepted else NEW})
        track.first_won(accepted)
        wins[accepted] += 1
    assert len(wins) == 2, wins


def test_accepting_and_correcting_have_one_winner_and_the_run_ends_with_that_answer(
    track: Track, model: ModelServer, operator: User, reviewer: User, second_reviewer: User
) -> None:
    wins: Counter[bool] = Counter()
    for number, request in enumerate(waiting(model, operator)):
        answers = track.race(
            decision(request, reviewer, number, "accept"),
            # By the API: a page corrects field by field.
            decision(request, second_reviewer, number % 4, "correct", output={"summary": TRUTH}),
        )
        accepted = answers[0]["moved"]
        assert accepted is not answers[1]["moved"], answers
        agrees(request)
        run = ended(request)
        assert (run.state, run.output) == ("succeeded", {"summary": LIE if accepted else TRUTH})
        track.first_won(accepted)
        wins[accepted] += 1
    assert len(wins) == 2, wins


def test_accepting_and_the_end_of_the_run_let_no_answer_out_of_a_cancelled_run(
    track: Track, model: ModelServer, operator: User, reviewer: User
) -> None:
    wins: Counter[bool] = Counter()
    track.lead, track.step = HEAD_START_SECONDS, FIRST_STEP_SECONDS
    for number, request in enumerate(waiting(model, operator)):
        answer, gone = track.race(
            decision(request, reviewer, number, "accept"),
            {"do": "cancel", "person": operator.pk, "run": str(request.run_id)},
        )
        assert gone["moved"]
        agrees(request)
        if not answer["moved"]:
            told(answer, "cancelled", "the end of its run")
        assert request.state == ("answered" if answer["moved"] else "cancelled")
        run = ended(request)
        assert (run.state, run.output) == ("cancelled", None)
        track.first_won(answer["moved"])
        wins[answer["moved"]] += 1
    assert len(wins) == 2, wins


def test_accepting_and_another_task_let_no_answer_to_the_old_task_out(
    track: Track, model: ModelServer, operator: User, reviewer: User
) -> None:
    wins: Counter[bool] = Counter()
    track.lead, track.step = HEAD_START_SECONDS, FIRST_STEP_SECONDS
    for number, request in enumerate(waiting(model, operator)):
        answer, changed = track.race(
            decision(request, reviewer, number, "accept"),
            {"do": "change_goal", "person": operator.pk, "run": str(request.run_id)},
        )
        assert changed["moved"]
        if not answer["moved"]:
            told(answer, "superseded", "a change of the task")
        run = ended(request)
        assert (run.state, run.output) == ("succeeded", {"summary": NEW})
        old = Step.objects.filter(run=run, kind="final").in_order().first()
        assert old is not None
        assert (old.state, old.problem) == ("refused", "goal_changed")
        track.first_won(answer["moved"])
        wins[answer["moved"]] += 1
    assert len(wins) == 2, wins
