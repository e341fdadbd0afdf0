"""Opening a request: what is kept, who sees it, what is refused."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from approvals.errors import NobodyCouldDecide, Unsatisfiable
from approvals.models import ApprovalRequest
from approvals.representations import as_json
from approvals.schemas import CoinToss, GroupNeed, Opening, Preview, Requirements
from approvals.services.claim import claim
from approvals.services.decide import decide
from approvals.services.open_request import NotReviewable, open_request
from approvals.showing import show
from approvals.states import RequestState
from approvals.vocabulary import Kind
from audit.actors import Actor
from audit.canonical import sha256_hex
from audit.models import Event
from audit.recorder import NoTransaction
from tests.approvals.conftest import Opener
from tests.approvals.till import AGENT, VERSION, by, context, one_of, refund, verdict_on


def test_what_is_shown_is_kept_with_its_digest(opened: Opener) -> None:
    request = opened()
    request.refresh_from_db()
    revision = request.revisions.get()
    shown = bytes(revision.shown)
    assert (revision.revision, sha256_hex(shown)) == (1, request.shown_sha256)
    assert show(request) == (shown, request.shown_sha256)
    document = request.shown_document
    assert document["arguments"] == request.arguments
    assert document["digest"] == request.digest
    assert document["confidence_bp"] == 6_100
    assert all(reason["sentence"] for reason in document["reasons"])
    assert revision.arguments == request.arguments


def test_a_request_whose_tool_gives_no_title_is_called_by_its_tool(opened: Opener) -> None:
    request = opened(preview=Preview(title=" "))
    assert (request.title, request.preview["title"]) == ("Pay back", "Pay back")


def test_a_hidden_score_stands_nowhere(opened: Opener, reviewer: User) -> None:
    coin = CoinToss(value=0.01, rate=0.5, propensity=0.5, is_sample=True, score_visible=False)
    request = opened(coin=coin)
    document = request.shown_document
    assert document["confidence_bp"] is document["threshold_bp"] is None
    body = bytes(Event.objects.filter(type="request.opened").latest("seq").body)
    data = as_json(request, by(reviewer))
    assert data["confidence"] is data["threshold"] is data["is_sample"] is None
    for text in (bytes(request.revisions.get().shown).decode(), body.decode(), str(data)):
        assert "6100" not in text
        assert "below_threshold" not in text
    request.state = "rejected"
    assert as_json(request, by(reviewer))["confidence"] == 0.61


def test_a_group_that_does_not_exist_is_said(opened: Opener) -> None:
    with pytest.raises(Unsatisfiable, match="treasury"):
        opened(needs=one_of("treasury"))
    assert not ApprovalRequest.objects.exists()


def test_an_action_needs_a_verdict_that_asks_for_review(opened: Opener) -> None:
    base: dict[str, Any] = {
        "agent": AGENT,
        "agent_version": VERSION,
        "preview": Preview(title="x"),
        "owner_group": "support",
    }
    openings = [
        Opening(**base),
        Opening(**base, action=refund(), context=context()),
    ]
    for opening in openings:
        with transaction.atomic(), pytest.raises(NotReviewable):
            open_request(opening=opening, actor=Actor.agent(AGENT))


def test_a_digest_that_is_not_that_of_the_arguments_is_refused(opened: Opener) -> None:
    action = refund().model_copy(update={"digest": "sha256:" + "0" * 64})
    with pytest.raises(NotReviewable, match="digest"):
        opened(action=action)


@pytest.mark.django_db(transaction=True)
def test_opening_needs_the_callers_transaction() -> None:
    opening = Opening(agent=AGENT, agent_version=VERSION, preview=Preview(title="x"))
    with pytest.raises(NoTransaction):
        open_request(opening=opening, actor=Actor.agent(AGENT))


def test_opening_takes_a_handful_of_queries(opened: Opener) -> None:
    opened()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        opened()
    sent = [q["sql"] for q in queries if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(sent) <= 11, sent


@pytest.mark.parametrize(
    ("needs", "lacking"),
    [
        (Requirements(groups=(GroupNeed(group="finance", count=4),)), {"Finance": 1}),
        (
            Requirements(
                groups=(GroupNeed(group="finance", count=2), GroupNeed(group="support", count=2))
            ),
            {"Support": 1},
        ),
        (Requirements(exclude_owner=True, groups=(GroupNeed(group="finance"),)), {"Finance": 1}),
    ],
)
def test_what_too_few_people_could_approve_is_not_opened(
    opened: Opener, needs: Requirements, lacking: dict[str, int]
) -> None:
    with pytest.raises(NobodyCouldDecide) as refused:
        opened(needs=needs)
    assert refused.value.params["lacking"] == lacking
    assert not ApprovalRequest.objects.exists()


def test_who_started_the_run_does_not_count_among_those_who_could(
    opened: Opener, bystanders: list[User]
) -> None:
    needs = Requirements(groups=(GroupNeed(group="finance", count=3),))
    assert opened(needs=needs).state == "pending"
    with pytest.raises(NobodyCouldDecide):
        opened(needs=needs, initiator=bystanders[0].pk)


def test_an_account_that_is_closed_does_not_count_among_those_who_could(
    opened: Opener, bystanders: list[User]
) -> None:
    needs = Requirements(groups=(GroupNeed(group="finance", count=3),))
    User.objects.filter(pk=bystanders[0].pk).update(is_active=False)
    with pytest.raises(NobodyCouldDecide):
        opened(needs=needs)


def test_a_request_is_seen_by_its_people_only(
    opened: Opener,
    operator: User,
    reviewer: User,
    admin: User,
    auditor: User,
    outsider: User,
) -> None:
    request = opened()
    seen = {
        user.username: ApprovalRequest.objects.visible_to(user).filter(pk=request.pk).exists()
        for user in (operator, reviewer, admin, auditor, outsider)
    }
    assert seen == {
        "operator": True,
        "reviewer": True,
        "admin": True,
        "auditor": True,
        "outsider": False,
    }
    assert not ApprovalRequest.objects.visible_to(AnonymousUser()).exists()
    User.objects.filter(pk=reviewer.pk).update(is_active=False)
    assert not ApprovalRequest.objects.visible_to(User.objects.get(pk=reviewer.pk)).exists()


def test_team_is_what_one_may_decide(
    opened: Opener, reviewer: User, second_reviewer: User, admin: User, operator: User
) -> None:
    both = opened(needs=one_of("support", "finance"))
    own = opened(initiator=reviewer.pk)
    question = opened(kind=Kind.QUESTION)
    team = ApprovalRequest.objects.team
    assert set(team(reviewer)) == {both, question}
    assert set(team(second_reviewer)) == {both, own, question}
    assert set(team(operator)) == {question}
    assert not team(admin).exists()
    decide(request_id=both.pk, decision=verdict_on(both), caller=by(reviewer))
    assert set(team(reviewer)) == {question}
    edit = verdict_on(own, "edit", arguments={**own.arguments, "amount": "15.00"})
    decide(request_id=own.pk, decision=edit, caller=by(second_reviewer))
    assert own not in set(team(second_reviewer))


def test_mine_is_what_one_claimed_or_is_asked_by_name(
    opened: Opener, reviewer: User, operator: User
) -> None:
    request, question = opened(), opened(kind=Kind.QUESTION)
    claim(request_id=request.pk, caller=by(reviewer))
    assert list(ApprovalRequest.objects.mine(reviewer)) == [request]
    assert list(ApprovalRequest.objects.mine(operator)) == [question]


def test_order_is_deadline_then_risk(opened: Opener) -> None:
    requests = [opened(), opened(needs=Requirements(review_hours=1)), opened(kind=Kind.ATTENTION)]
    ordered = list(ApprovalRequest.objects.by_deadline())
    assert ordered == [requests[1], requests[0], requests[2]]
    riskier = opened(action=refund(risk="critical"))
    ApprovalRequest.objects.filter(pk__in=[requests[0].pk, riskier.pk]).update(
        review_deadline=datetime(2030, 1, 1, tzinfo=UTC)
    )
    again = [r for r in ApprovalRequest.objects.by_deadline() if r in (requests[0], riskier)]
    assert again == [riskier, requests[0]]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "approved"},
        {"state": "gone"},
        {"kind": "gone"},
        {"risk": "gone"},
        {"digest": "md5:1"},
        {"revision": 0},
        {"confidence_bp": 10_001},
    ],
)
def test_the_database_holds_the_last_line(opened: Opener, changes: dict[str, Any]) -> None:
    request = opened()
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(**changes)


def test_a_move_lands_only_from_a_state_that_leads_there(opened: Opener) -> None:
    request = opened()
    move = ApprovalRequest.objects.move
    assert not move(request.pk, RequestState.CONSUMED)
    assert move(request.pk, RequestState.CANCELLED)
    assert not move(request.pk, RequestState.EXPIRED)
    request.refresh_from_db()
    assert (request.state, request.version) == ("cancelled", 2)


def test_the_next_proposal_is_linked_to_the_one_sent_back(opened: Opener, reviewer: User) -> None:
    run = uuid.uuid4()
    first = opened(run_id=run)
    decide(
        request_id=first.pk,
        decision=verdict_on(first, "send_back", reason="ask again"),
        caller=by(reviewer),
    )
    second = opened(run_id=run, supersedes=first.pk)
    first.refresh_from_db()
    assert first.superseded_by == second
