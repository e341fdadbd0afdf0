"""What a final answer claims is held against the journal: each kind of lie goes to a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from agents import registry
from agents.authoring import Agent, Asserts, DefinitionError
from agents.claims import false_claims
from agents.models import EffectRecord, Run, Step
from agents.services.ask_undo import ask_undo
from approvals.models import ApprovalRequest
from approvals.vocabulary import Verdict
from tests.agents.answering import Report, answers, reads, reporting, transfers
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.saying import by
from tests.model_server import Answer, call, calls


@pytest.fixture
def desk(bank: Bank) -> Iterator[Agent]:
    """The teller who reports what was paid."""
    agent = reporting(bank)
    host(agent)
    yield agent
    registry.unregister(agent.slug)


def claims_of(request: ApprovalRequest) -> list[dict[str, Any]]:
    assert request.question is not None
    return list(request.question["claims"])


def lied(counter: Counter, *script: Answer, by: User | None = None, reason: str = "") -> list[Any]:
    """Run the script to its answer, approving (or, with a reason, rejecting) what is asked; its claims."""
    run = counter.start(script)
    while (request := counter.request(run)).kind == "action":
        assert by is not None
        body = {"reason": reason} if reason else {}
        counter.decide(request, Verdict.REJECT if reason else Verdict.APPROVE, by, **body)
        run = counter.go_on(run)
    assert (run.state, run.output, request.kind) == ("waiting", None, "result")
    return [(each["code"], each["step"]) for each in claims_of(request)]


def test_an_answer_that_the_journal_bears_out_ends_the_run(
    counter: Counter, desk: Agent, reviewer: User
) -> None:
    run = counter.start([reads(), transfers(), answers("r1", "t1", amount="42")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert (run.state, run.outcome) == ("succeeded", "done")
    assert run.output == {"outcome": "paid", "amount": "42", "summary": "All is well."}


def test_a_listed_call_that_never_was_is_a_false_claim(counter: Counter, desk: Agent) -> None:
    claims = lied(counter, answers("t99", outcome="not_paid"))
    assert claims == [("unknown_call", None)]


def test_the_answer_itself_is_nothing_to_rely_on(counter: Counter, desk: Agent) -> None:
    claims = lied(counter, answers("f1", outcome="not_paid", id="f1"))
    assert claims == [("unknown_call", None)]


def test_a_listed_call_that_failed_is_a_false_claim(
    counter: Counter, desk: Agent, reviewer: User
) -> None:
    script = [transfers(account="closed"), answers("t1", outcome="not_paid")]
    assert lied(counter, *script, by=reviewer) == [("not_done", 2)]


def test_a_listed_call_that_a_person_rejected_is_a_false_claim(
    counter: Counter, desk: Agent, reviewer: User
) -> None:
    script = [transfers(), answers("t1", outcome="not_paid")]
    assert lied(counter, *script, by=reviewer, reason="No.") == [("not_done", 2)]


def test_a_listed_call_that_was_malformed_is_a_false_claim(counter: Counter, desk: Agent) -> None:
    made = calls(call("transfer", {"account": "A1"}, id="t1"))
    assert lied(counter, made, answers("t1", outcome="not_paid")) == [("not_done", 2)]


def test_a_listed_question_that_nobody_answered_is_a_false_claim() -> None:
    asked = Step(seq=2, kind="question", call_id="q1", name="ask_human", state="succeeded")
    asked.output = {"status": "no_answer"}
    assert [claim.code for claim in false_claims({}, ["q1"], [], [asked], [])] == ["not_done"]


@pytest.mark.parametrize("state", ["bounced", "in_doubt", "failed", "dispatched"])
def test_a_listed_call_whose_effect_did_not_come_about_is_a_false_claim(
    counter: Counter, desk: Agent, reviewer: User, state: str
) -> None:
    run = _paid_and_asking(counter, reviewer)
    EffectRecord.objects.filter(run=run).update(state=state)
    claims = _answered(counter, run, reviewer)
    assert [each["code"] for each in claims] == ["not_done", "not_done_at_all"]


def test_what_was_undone_since_is_a_false_claim(
    counter: Counter, desk: Agent, reviewer: User, second_reviewer: User
) -> None:
    run = _paid_and_asking(counter, reviewer)
    effect = EffectRecord.objects.get(run=run)
    ask_undo(run_id=run.pk, effect_id=effect.pk, reason="Wrong.", caller=by(reviewer))
    run = counter.go_on(run)
    undo = ApprovalRequest.objects.get(run_id=run.pk, state="pending", kind="action")
    counter.decide(undo, Verdict.APPROVE, second_reviewer)
    claims = _answered(counter, counter.go_on(run), reviewer)
    assert claims[0]["journal"] == "It was done, and undone since."


def _paid_and_asking(counter: Counter, reviewer: User) -> Run:
    """A run that has paid and waits for the answer to a question."""
    asked = call("ask_human", {"question": "Which?", "answer_type": "text"})
    run = counter.start([transfers(), calls(asked), answers("t1")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    return counter.go_on(run)


def _answered(counter: Counter, run: Run, reviewer: User) -> list[dict[str, Any]]:
    """The claims of the answer that the run gives once its question is answered."""
    counter.decide(counter.request(run), Verdict.ANSWER, reviewer, answer="That one.")
    return claims_of(counter.request(counter.go_on(run)))


def test_an_effect_that_is_asserted_with_no_call_behind_it_is_a_false_claim(
    counter: Counter, desk: Agent
) -> None:
    claims = lied(counter, reads(), answers("r1"))
    assert claims == [("not_done_at_all", None)]


def test_an_effect_that_is_asserted_by_an_answer_that_lists_nothing_is_a_false_claim(
    counter: Counter, desk: Agent, reviewer: User
) -> None:
    assert lied(counter, answers()) == [("not_done_at_all", None)]
    assert lied(counter, transfers(), answers(), by=reviewer) == [("not_listed", None)]


def test_an_amount_that_differs_from_the_journal_is_a_false_claim(
    counter: Counter, desk: Agent, reviewer: User
) -> None:
    run = counter.start([transfers(), answers("t1", amount="420.00")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    (claim,) = claims_of(counter.request(run))
    assert (claim["code"], claim["step"]) == ("differs", 2)
    assert claim["says"] == "Amount: 420.00"
    assert claim["journal"] == "Transfer, step 2, gave 42.00."


def test_a_call_id_that_is_used_again_speaks_of_the_newest_call(
    counter: Counter, desk: Agent, reviewer: User
) -> None:
    script = [transfers("x"), reads("x"), answers("x", outcome="not_paid")]
    run = counter.start(script)
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="No.")
    assert counter.go_on(run).state == "succeeded"


def test_an_answer_of_which_the_model_is_not_sure_enough_goes_to_a_person(
    counter: Counter, bank: Bank
) -> None:
    host(reporting(bank, answer_threshold=0.8))
    sure = {"outcome": "not_paid", "confidence": 0.9, "rationale": "It is plain."}
    run = counter.start([answers(**sure)])
    assert (run.state, run.output) == (
        "succeeded",
        {"outcome": "not_paid", "amount": None, "summary": "All is well."},
    )
    for unsure in (0.5, None, "high", -1, 7):
        run = counter.start([answers(**{**sure, "confidence": unsure})])
        request = counter.request(run)
        assert (request.kind, claims_of(request)) == ("result", [])


def test_a_model_that_relies_on_thousands_of_calls_gets_a_request_that_can_be_read(
    counter: Counter, desk: Agent
) -> None:
    run = counter.start([answers(*(f"t{number}" for number in range(3_000)), outcome="not_paid")])
    claims = claims_of(counter.request(run))
    assert len(claims) == 50
    assert claims[-1]["says"] == "2951 more claims of this kind."


def test_a_mistake_in_what_an_answer_asserts_is_said_when_the_agent_is_declared(
    bank: Bank,
) -> None:
    pay = teller(bank).tool("pay")
    other = reporting(bank).tool("transfer")
    assert pay is not None
    assert other is not None
    for wrong, word in (
        (Asserts(other), "none of its tools"),
        (Asserts(pay, when={"outcom": ["paid"]}), "outcom"),
        (Asserts(pay, when={"outcome": "paid"}), "list of values"),
        (Asserts(pay, same={"amount": "amount"}), "result does not have"),
    ):
        with pytest.raises(DefinitionError, match=word):
            teller(bank, tools=[pay], output=Report, asserts=[wrong])
    with pytest.raises(DefinitionError, match="between 0 and 1"):
        teller(bank, answer_threshold=1.5)


def test_an_agent_that_asserts_nothing_has_the_version_it_had(bank: Bank) -> None:
    definition = teller(bank).definition
    assert not {"asserts", "answer_threshold_bp"} & definition.keys()
