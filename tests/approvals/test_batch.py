"""Several requests decided together: only what is safe, each on its own, each with a result."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.errors import PermissionMissing, ScopeMissing
from accounts.models import Membership, ReviewGroup, User
from approvals.batches import MOST, nonce_for
from approvals.errors import (
    AlreadyDecided,
    AlreadyVoted,
    BadBatch,
    BadBody,
    ContentChanged,
    DecidedAlone,
    NotInGroups,
    OwnRequest,
    RequestUnknown,
)
from approvals.models import ApprovalRequest, Viewing, Vote
from approvals.schemas import CoinToss, GroupNeed, Requirements
from approvals.services import decide_batch as decide_batch_module
from approvals.services.decide import decide
from approvals.services.decide_batch import BatchItem, ItemResult, decide_batch
from approvals.vocabulary import Friction, Kind, Risk
from audit.models import Event
from tests.approvals.conftest import As, Opener
from tests.approvals.till import Till, by, by_token, events_of, one_of, refund, verdict_on

#: What may stand in a batch; the till's refunds are of high risk otherwise.
SAFE: dict[str, Any] = {"risk": Risk.MEDIUM}


@pytest.fixture
def safe(opened: Opener) -> Opener:
    """`safe("20.00")` opens a refund of medium risk."""

    def open_one(amount: str = "20.00", **more: Any) -> ApprovalRequest:
        return opened(amount=amount, action=refund(amount, **SAFE), **more)

    return open_one


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def items(*requests: ApprovalRequest, verdict: str = "approve", **body: Any) -> list[BatchItem]:
    return [BatchItem(each.pk, verdict_on(each, verdict, **body)) for each in requests]


def refused(results: list[ItemResult]) -> list[type | None]:
    return [type(each.refusal) if each.refusal else None for each in results]


def states(*requests: ApprovalRequest) -> list[str]:
    return [ApprovalRequest.objects.get(pk=each.pk).state for each in requests]


def test_each_is_decided_on_its_own_and_a_refused_one_holds_up_no_other(
    safe: Opener, reviewer: User, second_reviewer: User
) -> None:
    first, second, third = safe("20.00"), safe("30.00"), safe("40.00")
    batch = items(first, second, third)
    decide(
        request_id=second.pk,
        decision=verdict_on(second, "reject", reason="no"),
        caller=by(second_reviewer),
    )
    results = decide_batch(items=batch, caller=by(reviewer))
    assert refused(results) == [None, AlreadyDecided, None]
    refusal = results[1].refusal
    assert refusal is not None
    assert (refusal.params["who"], refusal.params["what"]) == ("second-reviewer", "rejected")
    assert states(first, second, third) == ["approved", "rejected", "approved"]
    assert events_of(first)[-1] == "request.decided"
    assert events_of(second)[-1] == "decision.refused"


def test_the_log_says_with_how_many_it_was_decided(safe: Opener, reviewer: User) -> None:
    batch = [safe("20.00"), safe("30.00")]
    decide_batch(items=items(*batch), caller=by(reviewer))
    alone = safe("40.00")
    decide(request_id=alone.pk, decision=verdict_on(alone), caller=by(reviewer))
    rows = Event.objects.filter(type="request.decided").order_by("inserted_at")
    together = [json.loads(bytes(row.body))["facts"].get("together") for row in rows]
    assert together == [2, 2, None]


def test_the_same_batch_again_gets_the_same_answers_and_decides_nothing_twice(
    safe: Opener, reviewer: User
) -> None:
    batch = items(safe("20.00"), safe("30.00"))
    first = decide_batch(items=batch, caller=by(reviewer))
    again = decide_batch(items=batch, caller=by(reviewer))
    assert [each.decided and each.decided.vote_id for each in again] == [
        each.decided and each.decided.vote_id for each in first
    ]
    assert all(each.decided and each.decided.replayed for each in again)
    assert Vote.objects.count() == 2


def test_the_nonces_of_a_batch_are_each_their_own_and_always_the_same() -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    assert nonce_for("batch", one) == nonce_for("batch", one)
    assert len({nonce_for("batch", one), nonce_for("batch", other), nonce_for("other", one)}) == 3
    assert len(nonce_for("batch", one)) <= 100


def test_what_changed_since_is_not_decided(safe: Opener, reviewer: User) -> None:
    first, second = safe("20.00"), safe("30.00")
    batch = items(first, second)
    ApprovalRequest.objects.filter(pk=first.pk).update(revision=2)
    assert refused(decide_batch(items=batch, caller=by(reviewer))) == [ContentChanged, None]
    assert states(first, second) == ["pending", "approved"]


UNSAFE: dict[str, tuple[dict[str, Any], str]] = {
    "high risk": ({"action": refund("30.00")}, "high risk"),
    "critical risk": ({"action": refund("30.00", risk=Risk.CRITICAL)}, "critical risk"),
    "second factor": (
        {"action": refund("30.00", **SAFE), "needs": Requirements(friction=Friction.SECOND_FACTOR)},
        "asks for a second factor",
    ),
    "reading": (
        {
            "action": refund("30.00", **SAFE),
            "needs": Requirements(friction=Friction.READING, friction_seconds=0),
        },
        "asks for reading time",
    ),
    "typing": (
        {"action": refund("30.00", **SAFE), "needs": Requirements(friction=Friction.TYPED)},
        "something has to be typed",
    ),
    "another tool": (
        {"action": refund("30.00", tool="charge", **SAFE)},
        "another agent or tool than the first",
    ),
    "another agent": (
        {"action": refund("30.00", agent="desk", **SAFE), "agent": "desk"},
        "another agent or tool than the first",
    ),
}


@pytest.mark.parametrize("case", UNSAFE)
@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_what_is_not_safe_is_decided_alone_and_says_why(
    safe: Opener, opened: Opener, reviewer: User, case: str, verdict: str
) -> None:
    changes, why = UNSAFE[case]
    first, other = safe("20.00"), opened(**changes)
    body = {"reason": "no"} if verdict == "reject" else {"typed": "Acme GmbH"}
    results = decide_batch(items=items(first, other, verdict=verdict, **body), caller=by(reviewer))
    refusal = results[1].refusal
    assert isinstance(refusal, DecidedAlone)
    assert refusal.params["why"] == why
    assert states(other) == ["pending"]
    assert events_of(other)[-1] == "decision.refused"
    if verdict == "reject":
        assert states(first) == ["rejected"]


def test_a_question_and_other_verdicts_are_given_alone(
    safe: Opener, opened: Opener, reviewer: User
) -> None:
    edit = {"arguments": {"order": "1", "amount": "1.00", "note": ""}}
    question = opened(kind=Kind.QUESTION, needs=one_of("support"), question={"question": "Which?"})
    batch = [
        *items(safe("20.00"), verdict="edit", **edit),
        *items(safe("30.00"), verdict="send_back", reason="no"),
        *items(safe("40.00"), verdict="stop", reason="no"),
        *items(question, verdict="answer", answer="This"),
        *items(safe("50.00")),
    ]
    results = decide_batch(items=batch, caller=by(reviewer))
    assert refused(results) == [DecidedAlone] * 4 + [None]


def test_hidden_arguments_keep_a_request_out_also_of_a_rejection(
    till: Till, safe: Opener, reviewer: User
) -> None:
    till.sensitive = ("note",)
    request = safe("20.00")
    for verdict, body in (("approve", {}), ("reject", {"reason": "no"})):
        results = decide_batch(items=items(request, verdict=verdict, **body), caller=by(reviewer))
        assert refused(results) == [DecidedAlone]
    assert states(request) == ["pending"]


def test_friction_that_came_with_a_change_cannot_be_passed_by_an_older_revision(
    safe: Opener, reviewer: User
) -> None:
    request = safe("20.00")
    batch = items(request)
    stricter = {**request.requirements, "friction": "second_factor"}
    ApprovalRequest.objects.filter(pk=request.pk).update(revision=2, requirements=stricter)
    assert refused(decide_batch(items=batch, caller=by(reviewer))) == [ContentChanged]
    request.refresh_from_db()
    assert refused(decide_batch(items=items(request), caller=by(reviewer))) == [DecidedAlone]
    ahead = [BatchItem(request.pk, verdict_on(request).model_copy(update={"revision": 3}))]
    assert refused(decide_batch(items=ahead, caller=by(reviewer))) == [DecidedAlone]
    assert states(request) == ["pending"]


def test_who_may_not_decide_alone_may_not_in_a_batch(
    safe: Opener, reviewer: User, admin: User, operator: User, outsider: User, auditor: User
) -> None:
    own = safe("20.00", initiator=reviewer.pk)
    theirs = safe("30.00")
    assert refused(decide_batch(items=items(own, theirs), caller=by(reviewer))) == [
        OwnRequest,
        None,
    ]
    other = safe("40.00")
    assert refused(decide_batch(items=items(other), caller=by(admin))) == [NotInGroups]
    for person in (operator, outsider, auditor):
        with pytest.raises(PermissionMissing):
            decide_batch(items=items(other), caller=by(person))
    with pytest.raises(ScopeMissing):
        decide_batch(items=items(other), caller=by_token(reviewer, "read"))
    unknown = [BatchItem(uuid.uuid4(), verdict_on(other))]
    assert refused(decide_batch(items=unknown, caller=by(reviewer))) == [RequestUnknown]
    assert states(own, other) == ["pending", "pending"]


@pytest.mark.parametrize("lost", ["role", "membership"])
def test_what_is_lost_in_the_midst_of_a_batch_is_lost_for_the_rest(
    safe: Opener, reviewer: User, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    first, second = safe("20.00"), safe("30.00")
    batch, caller = items(first, second), by(reviewer)

    def then_lose(**arguments: Any) -> Any:
        decided = decide(**arguments)
        if lost == "role":
            reviewer.groups.clear()
        else:
            Membership.objects.filter(user=reviewer).delete()
        return decided

    monkeypatch.setattr(decide_batch_module, "decide", then_lose)
    results = decide_batch(items=batch, caller=caller)
    wanted = PermissionMissing if lost == "role" else RequestUnknown
    assert refused(results) == [None, wanted]
    assert states(first, second) == ["approved", "pending"]


def test_a_batch_has_at_least_one_and_at_most_fifty_each_once(safe: Opener, reviewer: User) -> None:
    request = safe("20.00")
    for batch in ([], items(request) * 2, items(request) * (MOST + 1)):
        with pytest.raises(BadBatch):
            decide_batch(items=batch, caller=by(reviewer))
    assert states(request) == ["pending"]


# Over the API, by session and token.


def decision(request: ApprovalRequest, verdict: str = "approve", **body: Any) -> dict[str, Any]:
    chosen = verdict_on(request, verdict, **body).model_dump(mode="json", exclude_none=True)
    return {"id": str(request.pk), **chosen}


def post(client: Client, batch: list[dict[str, Any]], **more: Any) -> Any:
    return client.post(
        "/api/v1/approvals/decisions", {"items": batch}, content_type="application/json", **more
    )


def test_a_program_gets_a_result_for_each_item(
    safe: Opener, opened: Opener, acting: As, reviewer: User, second_reviewer: User
) -> None:
    two = Requirements(groups=(GroupNeed(group="support", count=2),))
    first, second, third, risky = safe("20.00"), safe("30.00"), safe("40.00", needs=two), opened()
    batch = [
        decision(first),
        decision(second, "reject", reason_code="wrong_amount"),
        decision(third),
        decision(risky),
        decision(first) | {"id": str(uuid.uuid4())},
    ]
    client = acting(reviewer, "decide")
    answer = post(client, batch)
    assert answer.status_code == 200
    results = answer.json()["items"]
    assert [each["id"] for each in results] == [each["id"] for each in batch]
    outcomes = [
        each["decision"]["state"] if each["decision"] else each["problem"]["code"]
        for each in results
    ]
    assert outcomes == ["approved", "rejected", "pending", "not_in_batch", "request_unknown"]
    assert results[2]["decision"]["remaining"] == {"support": 1}
    problem = results[3]["problem"]
    assert (problem["status"], problem["params"]) == (422, {"why": "high risk"})
    assert problem["type"] == "urn:countersign:problem:not_in_batch"
    assert set(problem) >= {"title", "detail", "instance"}
    again = post(client, batch).json()["items"]
    assert [each["decision"] and each["decision"]["replayed"] for each in again[:3]] == [True] * 3
    late = post(acting(second_reviewer), [decision(second)]).json()["items"][0]["problem"]
    assert (late["code"], late["status"]) == ("already_decided", 409)
    assert (late["params"]["who"], late["params"]["what"]) == ("reviewer", "rejected")


def test_the_api_keeps_the_limits_scopes_and_the_csrf_token(
    safe: Opener, acting: As, reviewer: User, operator: User
) -> None:
    request = safe("20.00")
    body = decision(request)
    client = acting(reviewer)
    for batch in ([], [body] * (MOST + 1), [body | {"digest": "0"}], [body | {"more": 1}]):
        assert post(client, batch).status_code == 422
    twice = post(client, [body, body])
    assert (twice.status_code, twice.json()["code"]) == (422, "bad_batch")
    assert post(acting(reviewer, "read"), [body]).json()["code"] == "scope_missing"
    assert post(acting(operator), [body]).json()["code"] == "permission_missing"
    assert post(Client(), [body]).status_code == 401
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(reviewer)
    assert post(strict, [body]).json()["code"] == "csrf_failed"
    assert states(request) == ["pending"]
    (result,) = post(signed_in(reviewer), [body]).json()["items"]
    assert result["decision"]["state"] == "approved"


def test_a_second_factor_is_asked_for_by_token_and_session_alike(
    opened: Opener, acting: As, reviewer: User
) -> None:
    needs = Requirements(friction=Friction.SECOND_FACTOR)
    request = opened(action=refund(**SAFE), needs=needs)
    for client in (acting(reviewer), signed_in(reviewer)):
        (result,) = post(client, [decision(request)]).json()["items"]
        assert result["problem"]["code"] == "not_in_batch"
    assert states(request) == ["pending"]


# By page, without a script.


def confirm(client: Client, verdict: str, *requests: ApprovalRequest) -> Any:
    ids = [str(each.pk) for each in requests]
    return client.get(reverse("inbox-batch"), {"verdict": verdict, "id": ids, "tab": "team"})


def form_on(page: Any) -> dict[str, Any]:
    """What the page would post with everything ticked."""
    text = page.content.decode()
    text = text[text.index('id="decide-form"') :]
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text))
    ticked = re.findall(r'<input type="checkbox" name="id" value="([^"]+)" checked', text)
    return {**hidden, "id": ticked}


def test_the_list_lets_tick_what_is_safe_and_says_of_the_rest_why_not(
    safe: Opener, opened: Opener, till: Till, reviewer: User
) -> None:
    good, risky = safe("20.00"), opened(amount="30.00")
    slow = safe("40.00", needs=Requirements(friction=Friction.READING, friction_seconds=5))
    till.sensitive = ("note",)
    secret = safe("50.00")
    till.sensitive = ()
    question = opened(kind=Kind.QUESTION, needs=one_of("support"), question={"question": "Which?"})
    text = signed_in(reviewer).get(reverse("inbox")).content.decode()
    rows = dict(re.findall(r'id="row-([0-9a-f-]+)"(.*?)</li>', text, re.DOTALL))
    assert f'value="{good.pk}"' in rows[str(good.pk)]
    for request, why in (
        (risky, "high risk"),
        (slow, "asks for reading time"),
        (secret, "has arguments that are not open to you"),
        (question, "not an action"),
    ):
        assert f"one by one: {why}" in rows[str(request.pk)]
        assert "checkbox" not in rows[str(request.pk)]
    assert 'id="batch-form"' in text
    decided = signed_in(reviewer).get(reverse("inbox"), {"tab": "decided"}).content.decode()
    assert "batch-form" not in decided


def test_what_a_person_claimed_and_may_not_decide_any_more_is_not_ticked(
    safe: Opener, reviewer: User
) -> None:
    two = Requirements(groups=(GroupNeed(group="support", count=2),))
    given, open_still = safe("20.00", needs=two), safe("30.00")
    client = signed_in(reviewer)
    for request in (given, open_still):
        client.post(reverse("request-claim", kwargs={"pk": request.pk}))
    decide(request_id=given.pk, decision=verdict_on(given), caller=by(reviewer))
    given.refresh_from_db()
    text = client.get(reverse("inbox"), {"tab": "mine"}).content.decode()
    assert f'name="id" value="{open_still.pk}"' in text
    assert f'name="id" value="{given.pk}"' not in text
    assert "one by one: not yours to decide now" in text


def test_a_batch_is_confirmed_and_decided_without_a_script(
    safe: Opener, opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    two = Requirements(groups=(GroupNeed(group="support", count=2),))
    first, second = safe("20.00"), safe("30.00", needs=two)
    third, left, risky = safe("40.00"), safe("45.00"), opened(amount="50.00")
    client = signed_in(reviewer)
    page = confirm(client, "approve", first, second, third, left, risky)
    text = page.content.decode()
    assert "4 requests of Till for “Pay back”." in text
    for amount in ("20.00", "30.00", "40.00"):
        assert f"Refund €{amount} to Acme GmbH" in text
        assert f'<span class="value">{amount}</span>' in text
    assert text.count('<span class="value">broken</span>') == 4
    assert "High risk" in text.partition("Decided one by one")[2]
    assert {str(pk) for pk in Viewing.objects.values_list("request", flat=True)} == {
        str(each.pk) for each in (first, second, third, left)
    }
    form = form_on(page)
    assert len(form["id"]) == 4
    # One is taken out again, and one is decided by somebody else meanwhile.
    form["id"].remove(str(left.pk))
    decide(
        request_id=third.pk,
        decision=verdict_on(third, "reject", reason="no"),
        caller=by(second_reviewer),
    )
    answer = client.post(reverse("inbox-batch"), form)
    assert answer.status_code == 200
    said = answer.content.decode()
    assert "2 of 3 verdicts counted" in said
    assert "Approved." in said
    assert "Your approval counts; it still needs 1 of Support." in said
    assert "Rejected by second-reviewer" in said
    assert states(first, second, third, left, risky) == [
        *("approved", "pending", "rejected"),
        *("pending", "pending"),
    ]
    # The same form posted twice: the same answers.
    again = client.post(reverse("inbox-batch"), form).content.decode()
    assert "2 of 3 verdicts counted" in again
    assert Vote.objects.filter(user=reviewer).count() == 2


def test_what_changed_since_it_was_confirmed_says_so(safe: Opener, reviewer: User) -> None:
    request = safe("20.00")
    client = signed_in(reviewer)
    form = form_on(confirm(client, "approve", request))
    ApprovalRequest.objects.filter(pk=request.pk).update(revision=2)
    said = client.post(reverse("inbox-batch"), form).content.decode()
    assert "0 of 1 verdicts counted" in said
    assert "This request changed since you opened it." in said


def test_a_rejection_of_several_has_one_reason(safe: Opener, reviewer: User) -> None:
    first, second = safe("20.00"), safe("30.00")
    client = signed_in(reviewer)
    form = form_on(confirm(client, "reject", first, second))
    empty = client.post(reverse("inbox-batch"), form | {"reason": ""})
    assert empty.status_code == 422
    assert "Pick a reason, or write one." in empty.content.decode()
    # The nonce is kept, so that sending it twice stays one batch.
    assert form_on(empty)["nonce"] == form["nonce"]
    said = client.post(reverse("inbox-batch"), form | {"reason_code": "wrong_amount"})
    assert "2 of 2 verdicts counted" in said.content.decode()
    assert set(Vote.objects.values_list("reason_label", flat=True)) == {"Wrong amount"}
    assert states(first, second) == ["rejected", "rejected"]


def test_a_form_that_was_tampered_with_decides_nothing(safe: Opener, reviewer: User) -> None:
    first, second = safe("20.00"), safe("30.00")
    client = signed_in(reviewer)
    form = form_on(confirm(client, "approve", first, second))
    said = client.post(reverse("inbox-batch"), form | {f"digest-{first.pk}": "0"}).content.decode()
    assert "The form was not whole." in said
    assert states(first, second) == ["pending", "approved"]
    for verdict in ("edit", "stop", "answer", ""):
        assert client.post(reverse("inbox-batch"), form | {"verdict": verdict}).status_code == 404
    nothing = client.post(reverse("inbox-batch"), form | {"id": ["x", "' OR 1=1"]})
    assert nothing.status_code == 422
    assert states(first) == ["pending"]


def test_more_than_fifty_are_not_shown_together(safe: Opener, reviewer: User) -> None:
    requests = [safe(f"{n}.00") for n in range(1, MOST + 2)]
    page = confirm(signed_in(reviewer), "approve", *requests)
    assert len(form_on(page)["id"]) == MOST
    assert "At most 50 are decided together" in page.content.decode()


def test_a_hidden_score_stays_hidden_where_several_are_decided(
    safe: Opener, reviewer: User
) -> None:
    coin = CoinToss(value=0.01, rate=0.1, propensity=0.1, is_sample=True, score_visible=False)
    request = safe("20.00", coin=coin)
    client = signed_in(reviewer)
    page = confirm(client, "approve", request)
    text = page.content.decode()
    assert "20.00" in text
    for part in (".61", "61 %", "6100", "threshold", "sample"):
        assert part not in text
    assert ".61" not in client.get(reverse("inbox")).content.decode()


def test_others_find_no_batch_and_no_request_of_it(
    safe: Opener, outsider: User, operator: User, auditor: User, reviewer: User
) -> None:
    request = safe("20.00")
    form = form_on(confirm(signed_in(reviewer), "approve", request))
    for person in (outsider, operator, auditor):
        client = signed_in(person)
        assert confirm(client, "approve", request).status_code == 403
        assert client.post(reverse("inbox-batch"), form).status_code == 403
        assert "batch-form" not in client.get(reverse("inbox")).content.decode()
    stranger = User.objects.create(username="stranger")
    stranger.groups.set(reviewer.groups.all())
    Membership.objects.create(user=stranger, group=ReviewGroup.objects.create(slug="x", title="X"))
    assert "Acme" not in confirm(signed_in(stranger), "approve", request).content.decode()
    assert states(request) == ["pending"]


def test_a_person_who_gave_their_approval_is_told_so(safe: Opener, reviewer: User) -> None:
    two = Requirements(groups=(GroupNeed(group="support", count=2),))
    request = safe("20.00", needs=two)
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    text = confirm(signed_in(reviewer), "approve", request).content.decode()
    assert AlreadyVoted().detail.rstrip(".") in text
    again = decide_batch(items=items(request), caller=by(reviewer))
    assert refused(again) == [AlreadyVoted]


def test_a_rejection_without_a_reason_is_refused_for_each(safe: Opener, reviewer: User) -> None:
    request = safe("20.00")
    assert refused(decide_batch(items=items(request, verdict="reject"), caller=by(reviewer))) == [
        BadBody
    ]
