"""What people write holds no secret of a tool: refused where it is read by others, masked in asides."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import User
from accounts.services.create_token import create_token
from agents.models import Run
from agents.services.control import cancel_run, pause_run
from agents.services.set_switch import set_switch
from agents.states import SwitchScope
from approvals.errors import BadBody
from approvals.models import ApprovalRequest, Comment, Vote
from approvals.services.comment import UnfitComment, comment
from approvals.services.drafts import checked_why
from approvals.services.reason_chips import add_chip
from approvals.vocabulary import Verdict
from audit.disclosures import read
from audit.keyring import open_disclosure
from audit.models import Disclosure
from tests.agents.conftest import TEST, Counter
from tests.model_server import call, calls, final, judged

Login = Callable[[Client, User], Client]
SECRET = 'whole-"secret"-0815'
FORMS = {
    "plain": SECRET,
    "within a sentence": f"Try it with {SECRET}!",
    "JSON": json.dumps({"key": SECRET}),
    "base64": base64.b64encode(f"u:{SECRET}".encode()).decode(),
    "hexadecimal": SECRET.encode().hex(),
}
PAY = judged({"account": "A1", "amount": "42.00"})
ASK = {"question": "With what?", "answer_type": "text"}


@pytest.fixture(autouse=True)
def _secret(settings: Settings) -> None:
    given = {"tool_secrets": {"bank_key": SECRET}}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=given)


@pytest.fixture
def paying(counter: Counter) -> ApprovalRequest:
    """A payment that waits."""
    return counter.request(counter.start([calls(call("pay", PAY)), final(summary="ok")]))


def written() -> list[str]:
    """Every text in the log."""
    return [str(read(open_disclosure(row))) for row in Disclosure.objects.all()]


def nothing_kept(request: ApprovalRequest) -> None:
    version = request.version
    request.refresh_from_db()
    assert (request.state, request.version) == ("pending", version)
    assert not Vote.objects.exists()
    assert not Comment.objects.exists()
    assert not [text for text in written() if "whole-" in text]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("verdict", [Verdict.REJECT, Verdict.SEND_BACK, Verdict.APPROVE])
def test_a_reason_that_holds_a_secret_is_refused_at_its_field(
    counter: Counter, paying: ApprovalRequest, reviewer: User, verdict: Verdict, form: str
) -> None:
    with pytest.raises(BadBody, match="reason: holds a tool's secret; take it out") as refused:
        counter.decide(paying, verdict, reviewer, reason=FORMS[form])
    assert FORMS[form] not in refused.value.detail
    nothing_kept(paying)


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_that_holds_a_secret_is_refused_and_its_run_waits_on(
    counter: Counter, reviewer: User, form: str
) -> None:
    run = counter.start([calls(call("ask_human", ASK)), final(summary="ok")])
    request = counter.request(run)
    with pytest.raises(BadBody, match="answer: holds a tool's secret"):
        counter.decide(request, Verdict.ANSWER, reviewer, answer=FORMS[form])
    nothing_kept(request)
    assert counter.go_on(run).state == "waiting"
    assert SECRET not in str(counter.model.requests)


def test_a_number_that_is_a_secret_is_refused_as_an_answer_too(
    counter: Counter, reviewer: User, settings: Settings
) -> None:
    given = {"tool_secrets": {"pin": "4711081512"}}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=given)
    asks = {"question": "How many?", "answer_type": "number"}
    request = counter.request(counter.start([calls(call("ask_human", asks))]))
    with pytest.raises(BadBody, match="answer: holds a tool's secret"):
        counter.decide(request, Verdict.ANSWER, reviewer, answer=4711081512)
    nothing_kept(request)


def test_an_argument_that_a_person_edits_a_secret_into_is_refused_at_its_field(
    counter: Counter, paying: ApprovalRequest, reviewer: User
) -> None:
    edited = {"account": SECRET, "amount": "1.00"}
    with pytest.raises(BadBody, match=r"arguments\.account: holds a tool's secret"):
        counter.decide(paying, Verdict.EDIT, reviewer, arguments=edited)
    nothing_kept(paying)


@pytest.mark.parametrize("form", FORMS)
def test_a_comment_that_holds_a_secret_is_refused(
    paying: ApprovalRequest, reviewer: User, form: str
) -> None:
    with pytest.raises(UnfitComment, match="no secret of a tool; take it out"):
        comment(request_id=paying.pk, body=FORMS[form], caller=Caller.of_session(reviewer))
    nothing_kept(paying)


def test_page_and_api_say_where_it_stands_and_repeat_it_to_nobody_else(
    client: Client, login: Login, paying: ApprovalRequest, reviewer: User, second_reviewer: User
) -> None:
    bound = {
        "verdict": "reject",
        "revision": paying.revision,
        "digest": paying.digest,
        "shown_sha256": paying.shown_sha256,
        "nonce": uuid.uuid4().hex,
        "reason": SECRET,
    }
    login(client, reviewer)
    page = client.post(f"/requests/{paying.pk}/decide/", bound)
    assert page.status_code == 422
    assert "tool&#x27;s secret; take it out" in page.content.decode()
    said = client.post(f"/requests/{paying.pk}/comments/", {"text": SECRET}, follow=True)
    assert "no secret of a tool" in said.content.decode()

    made = create_token(person=reviewer, name="tests", caller=TEST)
    program = Client(headers={"Authorization": f"Bearer {made.bearer}"})
    for path, body, code in (
        ("decisions", bound, "bad_body"),
        ("comments", {"body": SECRET}, "unfit_comment"),
    ):
        answer = program.post(
            f"/api/v1/approvals/{paying.pk}/{path}", body, content_type="application/json"
        )
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert SECRET not in answer.json()["detail"]
    nothing_kept(paying)
    login(client, second_reviewer)
    assert SECRET not in client.get(f"/requests/{paying.pk}/").content.decode()


def test_words_that_nobody_is_asked_for_again_are_kept_with_a_mark_in_its_place(
    counter: Counter, paying: ApprovalRequest, admin: User
) -> None:
    boss, mark = Caller.of_session(admin), "[secret: bank_key]"
    run = Run.objects.get(pk=paying.run_id)
    operator = Caller.of_session(counter.operator)
    pause_run(run_id=run.pk, reason=SECRET, caller=operator)
    cancel_run(run_id=run.pk, reason=SECRET, caller=operator)
    switch = set_switch(scope=SwitchScope.AGENT, agent="teller", reason=SECRET, caller=boss)
    chip = add_chip(code="odd", label=SECRET, verdicts=["reject"], caller=boss)
    assert (switch.reason, chip.label) == (mark, mark)
    assert checked_why(f" For {SECRET} ") == f"For {mark}"
    kept = written()
    assert sum(mark in text for text in kept) == 3
    assert not [text for text in kept if "whole-" in text]


def test_what_holds_no_secret_is_taken_as_it_is(
    counter: Counter, paying: ApprovalRequest, reviewer: User
) -> None:
    text = f"{SECRET[:-1]} %41 \\u0041 ☃"
    comment(request_id=paying.pk, body=text, caller=Caller.of_session(reviewer))
    counter.decide(paying, Verdict.REJECT, reviewer, reason=text)
    assert Vote.objects.get().reason == text
    assert Comment.objects.get().body == text
