"""Deciding: who may, on what, once, and what comes of it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from accounts.confirmations import Confirmation
from accounts.errors import PermissionMissing, ScopeMissing
from accounts.models import ReviewGroup, User
from approvals import closing
from approvals.errors import (
    AlreadyDecided,
    AlreadyVoted,
    BadBody,
    ContentChanged,
    DeadlinePassed,
    EditDenied,
    NobodyCouldDecide,
    NonceReused,
    NotInGroups,
    OwnEdit,
    OwnRequest,
    ReadFirst,
    RequestUnknown,
    SecondFactorRequired,
    SensitiveHidden,
    VerdictNotOffered,
)
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import GroupNeed, Requirements
from approvals.services import policies
from approvals.services.decide import decide
from approvals.services.publish import publish
from approvals.services.show import show_to
from approvals.views.masking import masked
from approvals.vocabulary import Friction, Kind
from audit.actors import Actor
from audit.clock import database_now
from audit.errors import Invalid
from audit.models import Event
from tests.approvals.conftest import Opener
from tests.approvals.till import Till, by, by_token, events_of, one_of, verdict_on
from tests.harness.people import person


def take(request: ApprovalRequest, user: User, verdict: str = "approve", **changes: Any) -> Any:
    return decide(
        request_id=request.pk, decision=verdict_on(request, verdict, **changes), caller=by(user)
    )


def test_approval_waits_for_the_undo_time(opened: Opener, reviewer: User, told: list[Any]) -> None:
    request = opened(needs=Requirements(undo_seconds=7, execute_by_minutes=5))
    decided = take(request, reviewer)
    assert decided.state == "approved"
    assert (decided.ready_at - decided.decided_at).total_seconds() == 7
    request.refresh_from_db()
    assert request.execute_by is not None
    assert request.execute_by > decided.ready_at
    assert request.decided_by == reviewer
    assert told[0].kind == "approved"
    assert told[0].ready_at == decided.ready_at
    assert told[0].data["digest"] == request.digest
    assert told[0].data["edited"] is False
    assert events_of(request) == ["request.opened", "request.decided"]


@pytest.mark.parametrize(
    ("verdict", "state", "kind"),
    [
        ("reject", "rejected", "rejected"),
        ("stop", "rejected", "stopped"),
        ("send_back", "superseded", "sent_back"),
    ],
)
def test_action_is_closed_with_a_reason_that_the_run_hears(
    opened: Opener, reviewer: User, told: list[Any], verdict: str, state: str, kind: str
) -> None:
    request = opened()
    assert take(request, reviewer, verdict, reason="wrong order").state == state
    request.refresh_from_db()
    assert (request.state, request.feedback) == (state, "wrong order")
    assert [(told[0].kind, told[0].data)] == [(kind, {"reason": "wrong order"})]


@pytest.mark.parametrize("verdict", ["reject", "stop", "send_back"])
@pytest.mark.parametrize("reason", [None, "  "])
def test_a_refusal_needs_a_reason(
    opened: Opener, reviewer: User, verdict: str, reason: str | None
) -> None:
    request = opened()
    with pytest.raises(BadBody) as refused:
        take(request, reviewer, verdict, reason=reason)
    assert refused.value.params["errors"][0]["field"] == "reason"


KINDS = [
    (Kind.QUESTION, "answer", {"answer": "42"}, "answered", "answered"),
    (Kind.BUDGET, "extend", {"caps": {"steps": 10}}, "answered", "extended"),
    (Kind.BUDGET, "stop", {}, "rejected", "stopped"),
    (Kind.IN_DOUBT, "happened", {"result": {"id": 1}}, "answered", "happened"),
    (Kind.IN_DOUBT, "did_not", {}, "answered", "did_not"),
    (Kind.IN_DOUBT, "compensate", {}, "answered", "compensate"),
    (Kind.RESULT, "accept", {}, "answered", "accepted"),
    (Kind.RESULT, "correct", {"output": {"summary": "x"}}, "answered", "corrected"),
    (Kind.RESULT, "send_back", {"reason": "no"}, "answered", "sent_back"),
    (Kind.ATTENTION, "continue", {}, "answered", "continued"),
    (Kind.ATTENTION, "change", {"choice": "new"}, "answered", "changed"),
    (Kind.ATTENTION, "stop", {}, "rejected", "stopped"),
    (Kind.HAND_BACK, "return", {"message": "done"}, "answered", "returned"),
]


@pytest.mark.parametrize(("kind", "verdict", "body", "state", "resolution"), KINDS)
def test_every_kind_takes_its_verdicts(
    opened: Opener,
    reviewer: User,
    told: list[Any],
    kind: Kind,
    verdict: str,
    body: dict[str, Any],
    state: str,
    resolution: str,
) -> None:
    request = opened(kind=kind, question={"text": "What now?"})
    assert take(request, reviewer, verdict, **body).state == state
    assert told[0].kind == resolution
    for name, value in body.items():
        assert told[0].data[name] == value


@pytest.mark.parametrize(
    ("kind", "verdict", "body", "field"),
    [
        (Kind.QUESTION, "answer", {}, "answer"),
        (Kind.QUESTION, "answer", {"answer": "x", "caps": {"steps": 1}}, "caps"),
        (Kind.QUESTION, "answer", {"answer": 5}, "answer"),
        (Kind.BUDGET, "extend", {}, "caps"),
        (Kind.BUDGET, "extend", {"caps": {"steps": -1}}, "caps.steps"),
        (Kind.BUDGET, "extend", {"caps": {"patience": 1}}, "caps.patience"),
        (Kind.RESULT, "correct", {}, "output"),
        (Kind.ATTENTION, "change", {"choice": "elsewhere"}, "choice"),
        (Kind.HAND_BACK, "return", {}, "message"),
        (Kind.ACTION, "approve", {"arguments": {}}, "arguments"),
        (Kind.ACTION, "edit", {}, "arguments"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_at_its_field(
    opened: Opener, reviewer: User, kind: Kind, verdict: str, body: dict[str, Any], field: str
) -> None:
    question = {
        "schema": {"type": "string"},
        "caps": ["steps"],
        "choices": [{"value": "old", "label": "Old"}, {"value": "new", "label": "New"}],
    }
    request = opened(kind=kind, question=question if kind != Kind.ACTION else None)
    with pytest.raises(BadBody) as refused:
        take(request, reviewer, verdict, **body)
    assert refused.value.params["errors"][0]["field"] == field


def test_a_verdict_of_another_kind_is_refused(opened: Opener, reviewer: User) -> None:
    with pytest.raises(VerdictNotOffered):
        take(opened(), reviewer, "answer", answer="yes")
    with pytest.raises(VerdictNotOffered):
        take(opened(kind=Kind.QUESTION), reviewer)


def test_second_decision_is_refused_and_told_who_was_first(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    first = take(request, reviewer)
    with pytest.raises(AlreadyDecided) as refused:
        take(request, second_reviewer, "reject", reason="no")
    assert refused.value.params == {
        "who": reviewer.get_full_name(),
        "what": "approved",
        "when": first.decided_at.isoformat(),
        "state": "approved",
    }


def test_a_refused_decision_is_on_the_record(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    take(request, reviewer)
    with pytest.raises(AlreadyDecided):
        take(request, second_reviewer)
    assert events_of(request)[-1] == "decision.refused"
    assert Vote.objects.count() == 1


def test_the_same_nonce_gets_the_first_answer(
    opened: Opener, reviewer: User, told: list[Any]
) -> None:
    request = opened()
    decision = verdict_on(request)
    first = decide(request_id=request.pk, decision=decision, caller=by(reviewer))
    again = decide(request_id=request.pk, decision=decision, caller=by(reviewer))
    assert again.replayed
    assert not first.replayed
    assert (again.vote_id, again.state, again.ready_at, again.version) == (
        first.vote_id,
        first.state,
        first.ready_at,
        first.version,
    )
    assert len(told) == 1
    assert Vote.objects.count() == 1


def test_the_same_nonce_with_another_body_is_refused(opened: Opener, reviewer: User) -> None:
    request = opened()
    nonce = uuid.uuid4().hex
    take(request, reviewer, nonce=nonce)
    with pytest.raises(NonceReused):
        take(request, reviewer, "reject", nonce=nonce, reason="changed my mind")


def test_the_same_nonce_of_another_person_is_another_nonce(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=2),)))
    nonce = uuid.uuid4().hex
    take(request, reviewer, nonce=nonce)
    assert take(request, second_reviewer, nonce=nonce).state == "approved"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("revision", 2),
        ("digest", "sha256:" + "0" * 64),
        ("shown_sha256", "sha256:" + "0" * 64),
    ],
)
def test_a_decision_on_something_else_than_was_shown_is_refused(
    opened: Opener, reviewer: User, name: str, value: Any
) -> None:
    request = opened()
    with pytest.raises(ContentChanged) as refused:
        take(request, reviewer, **{name: value})
    assert refused.value.params["differs"] == name
    request.refresh_from_db()
    assert request.state == "pending"


def test_unknown_and_invisible_requests_are_the_same_to_an_outsider(
    opened: Opener, outsider: User
) -> None:
    request = opened()
    before = Event.objects.count()
    for request_id in (uuid.uuid4(), request.pk):
        with pytest.raises(RequestUnknown):
            decide(request_id=request_id, decision=verdict_on(request), caller=by(outsider))
    assert Event.objects.count() == before


def test_who_sees_everything_may_still_not_decide(
    opened: Opener, auditor: User, admin: User
) -> None:
    request = opened()
    with pytest.raises(PermissionMissing):
        take(request, auditor)
    with pytest.raises(NotInGroups):
        take(request, admin)


def test_nobody_approves_their_own(opened: Opener, finance: ReviewGroup) -> None:
    everything = person("jack", "admin", "reviewer", "operator")
    everything.is_superuser = True
    everything.save()
    for slug in ("support", "finance"):
        ReviewGroup.objects.get(slug=slug).memberships.create(user=everything)
    request = opened(initiator=everything.pk)
    decision = verdict_on(request)
    for caller in (by(everything), by_token(everything, "decide", "admin", "read", "run")):
        with pytest.raises(OwnRequest):
            decide(request_id=request.pk, decision=decision, caller=caller)
    for verdict in ("reject", "stop", "send_back", "edit"):
        with pytest.raises(OwnRequest):
            take(request, everything, verdict, reason="x", arguments=None)


@pytest.mark.parametrize("kind", [Kind.BUDGET, Kind.IN_DOUBT, Kind.RESULT, Kind.ATTENTION])
def test_nobody_settles_their_own_run_otherwise(opened: Opener, reviewer: User, kind: Kind) -> None:
    request = opened(kind=kind, initiator=reviewer.pk)
    verdict = {"budget": "stop", "in_doubt": "did_not", "result": "accept", "attention": "stop"}
    with pytest.raises(OwnRequest):
        take(request, reviewer, verdict[kind])


def test_the_initiator_answers_a_question(opened: Opener, operator: User) -> None:
    request = opened(kind=Kind.QUESTION, question={"text": "Which order?"})
    assert take(request, operator, "answer", answer="10291").state == "answered"


def test_a_token_without_the_scope_decides_nothing(opened: Opener, reviewer: User) -> None:
    request = opened()
    with pytest.raises(ScopeMissing):
        decide(
            request_id=request.pk, decision=verdict_on(request), caller=by_token(reviewer, "read")
        )
    token = by_token(reviewer, "decide")
    done = decide(request_id=request.pk, decision=verdict_on(request), caller=token)
    assert done.state == "approved"
    assert Vote.objects.get().auth == "token:7"


def test_a_role_lost_since_the_page_was_opened_is_refused(opened: Opener, reviewer: User) -> None:
    request = opened()
    decision = verdict_on(request)
    reviewer.groups.clear()
    with pytest.raises(PermissionMissing):
        decide(request_id=request.pk, decision=decision, caller=by(reviewer))


def test_a_group_left_since_the_page_was_opened_is_refused(opened: Opener, reviewer: User) -> None:
    request = opened(needs=one_of("finance"))
    decision = verdict_on(request)
    reviewer.memberships.filter(group__slug="finance").delete()
    with pytest.raises(NotInGroups):
        decide(request_id=request.pk, decision=decision, caller=by(reviewer))


def test_two_of_a_group_are_two_people(
    opened: Opener, reviewer: User, second_reviewer: User, told: list[Any]
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=2),)))
    first = take(request, reviewer)
    assert (first.state, first.remaining) == ("pending", {"support": 1})
    assert not told
    with pytest.raises(AlreadyVoted):
        take(request, reviewer)
    assert take(request, second_reviewer).state == "approved"
    assert events_of(request)[:3] == ["request.opened", "request.voted", "decision.refused"]


def test_a_person_in_both_groups_counts_once(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened(needs=one_of("support", "finance"))
    assert take(request, reviewer).state == "pending"
    assert take(request, second_reviewer).state == "approved"


def test_an_approver_who_left_does_not_count_any_more(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=2),)))
    take(request, reviewer)
    User.objects.filter(pk=reviewer.pk).update(is_active=False)
    assert take(request, second_reviewer).state == "pending"


def test_one_rejection_ends_what_two_should_approve(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=2),)))
    take(request, reviewer)
    assert take(request, second_reviewer, "reject", reason="no").state == "rejected"


def test_owner_group_is_left_out_where_the_policy_says_so(
    opened: Opener, reviewer: User, finance: ReviewGroup
) -> None:
    from_finance = person("from-finance", "reviewer", groups=(finance,))
    request = opened(needs=Requirements(groups=one_of("finance").groups, exclude_owner=True))
    with pytest.raises(NotInGroups):
        take(request, reviewer)
    assert take(request, from_finance).state == "approved"


def test_material_edit_voids_votes_and_needs_somebody_else(
    opened: Opener, reviewer: User, second_reviewer: User, told: list[Any]
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=2),)))
    take(request, second_reviewer)
    edited = take(request, reviewer, "edit", arguments={**request.arguments, "amount": "15.00"})
    assert (edited.state, edited.revision) == ("pending", 2)
    old = verdict_on(request)
    request.refresh_from_db()
    assert request.arguments["amount"] == "15.00"
    assert request.title == "Refund €15.00 to Acme GmbH"
    assert not Vote.objects.filter(counts=True).exists()
    with pytest.raises(ContentChanged):
        decide(request_id=request.pk, decision=old, caller=by(second_reviewer))
    with pytest.raises(OwnEdit):
        take(request, reviewer)
    assert take(request, second_reviewer).state == "approved"
    assert told[-1].data["edited"] is True
    assert told[-1].data["arguments"]["amount"] == "15.00"
    assert [r.digest for r in request.revisions.all()][-1] == request.digest
    assert request.revisions.count() == 2


def test_editor_may_not_approve_by_token_either(opened: Opener, reviewer: User) -> None:
    request = opened()
    take(request, reviewer, "edit", arguments={**request.arguments, "amount": "15.00"})
    request.refresh_from_db()
    with pytest.raises(OwnEdit):
        decide(
            request_id=request.pk,
            decision=verdict_on(request),
            caller=by_token(reviewer, "decide"),
        )


def test_editor_may_approve_where_the_policy_says_so(opened: Opener, reviewer: User) -> None:
    request = opened(needs=Requirements(editor_may_approve=True))
    policy = policies.current().policy.document()
    policy["baseline"][1]["requirements"]["editor_may_approve"] = True
    publish(document=policy, base_version=1, caller=Actor.system("test"), why="Editors may.")
    done = take(request, reviewer, "edit", arguments={**request.arguments, "amount": "15.00"})
    assert done.state == "approved"


def test_an_edit_into_what_is_typed_waits_until_its_editor_has_typed_it(
    opened: Opener, reviewer: User
) -> None:
    policy = policies.current().policy.document()
    policy["baseline"][1]["requirements"]["editor_may_approve"] = True
    large = {
        "name": "large",
        "effect": "review",
        "when": {"condition": "double(args.amount) > 50.0"},
        "requirements": {"friction": "typed", "editor_may_approve": True},
    }
    document = policy | {"rules": [large]}
    publish(document=document, base_version=1, caller=Actor.system("test"), why="Large ones.")
    request = opened(needs=Requirements(editor_may_approve=True))
    edited = take(request, reviewer, "edit", arguments={**request.arguments, "amount": "400.00"})
    assert (edited.state, edited.revision) == ("pending", 2)
    request.refresh_from_db()
    with pytest.raises(BadBody):
        take(request, reviewer)
    assert take(request, reviewer, typed="Acme GmbH").state == "approved"


def test_an_edit_that_acts_on_something_else_is_looked_at_before_it_is_approved(
    opened: Opener, reviewer: User, till: Till
) -> None:
    request = opened()
    till.elsewhere = True
    edited = take(request, reviewer, "edit", arguments={**request.arguments, "note": "cracked"})
    assert (edited.state, edited.revision) == ("pending", 2)
    request.refresh_from_db()
    assert take(request, reviewer).state == "approved"


def test_an_edit_that_leaves_too_few_to_approve_it_is_refused(
    opened: Opener, reviewer: User, bystanders: list[User]
) -> None:
    request = opened()
    User.objects.filter(pk__in=[each.pk for each in bystanders]).update(is_active=False)
    with pytest.raises(NobodyCouldDecide, match="1 more of Support"):
        take(request, reviewer, "edit", arguments={**request.arguments, "amount": "15.00"})
    request.refresh_from_db()
    assert (request.revision, request.state, request.barred_editor) == (1, "pending", None)


def test_nothing_is_edited_after_it_was_approved(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    take(request, reviewer)
    with pytest.raises(AlreadyDecided):
        take(request, second_reviewer, "edit", arguments={**request.arguments, "amount": "15.00"})
    request.refresh_from_db()
    assert (request.state, request.revision, request.arguments["amount"]) == (
        "approved",
        1,
        "20.00",
    )


def test_cosmetic_edit_needs_nobody_else(opened: Opener, reviewer: User) -> None:
    request = opened()
    done = take(request, reviewer, "edit", arguments={**request.arguments, "note": "cracked"})
    assert (done.state, done.revision) == ("approved", 2)


def test_cosmetic_edit_does_not_free_the_material_editor(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=2),)))
    take(request, reviewer, "edit", arguments={**request.arguments, "amount": "15.00"})
    request.refresh_from_db()
    take(request, second_reviewer, "edit", arguments={**request.arguments, "note": "cracked"})
    request.refresh_from_db()
    with pytest.raises(OwnEdit):
        take(request, reviewer)


def test_cosmetic_edit_does_not_approve_the_editors_own_material_edit(
    opened: Opener, reviewer: User, second_reviewer: User, told: list[Any]
) -> None:
    request = opened()
    take(request, reviewer, "edit", arguments={**request.arguments, "amount": "15.00"})
    request.refresh_from_db()
    done = take(request, reviewer, "edit", arguments={**request.arguments, "note": "cracked"})
    assert (done.state, done.revision, told) == ("pending", 3, [])
    assert not Vote.objects.filter(counts=True).exists()
    request.refresh_from_db()
    assert take(request, second_reviewer).state == "approved"


def test_edit_into_what_is_denied_is_refused(opened: Opener, reviewer: User) -> None:
    deny = {"name": "never", "effect": "deny", "when": {"condition": "args.amount > 100"}}
    document = policies.current().policy.document() | {"rules": [deny]}
    publish(document=document, base_version=1, caller=Actor.system("test"), why="Limit.")
    request = opened()
    with pytest.raises(EditDenied):
        take(request, reviewer, "edit", arguments={**request.arguments, "amount": "101.00"})
    request.refresh_from_db()
    assert (request.revision, request.arguments["amount"]) == (1, "20.00")


def test_edit_asks_for_whom_the_edited_amount_needs(
    opened: Opener, reviewer: User, finance: ReviewGroup, support: ReviewGroup
) -> None:
    large = {
        "name": "large",
        "effect": "review",
        "when": {"condition": "args.amount > 50"},
        "requirements": {"groups": [{"group": "finance"}]},
    }
    document = policies.current().policy.document() | {"rules": [large]}
    publish(document=document, base_version=1, caller=Actor.system("test"), why="Large ones.")
    request = opened()
    take(request, reviewer, "edit", arguments={**request.arguments, "amount": "60.00"})
    request.refresh_from_db()
    only_support = person("only-support", "reviewer", groups=(support,))
    with pytest.raises(NotInGroups):
        take(request, only_support)
    only_finance = person("only-finance", "reviewer", groups=(finance,))
    assert take(request, only_finance).state == "approved"


@pytest.mark.parametrize(
    "arguments",
    [{"amount": "501"}, {"amount": "-1"}, {"amount": "20.00", "tool": "other"}, {}],
)
def test_edit_that_the_tool_refuses_changes_nothing(
    opened: Opener, reviewer: User, arguments: dict[str, Any]
) -> None:
    request = opened()
    with pytest.raises(Invalid):
        take(request, reviewer, "edit", arguments=arguments)
    request.refresh_from_db()
    assert (request.revision, request.state) == (1, "pending")


def test_edit_that_changes_nothing_is_refused(opened: Opener, reviewer: User) -> None:
    request = opened()
    with pytest.raises(BadBody):
        take(request, reviewer, "edit", arguments=request.arguments)


def test_who_may_not_see_an_argument_may_reject_and_not_approve(
    opened: Opener, till: Till, reviewer: User, second_reviewer: User
) -> None:
    till.sensitive = ("order",)
    request = opened()
    for verdict, body in (("approve", {}), ("edit", {"arguments": {"amount": "1"}})):
        with pytest.raises(SensitiveHidden):
            take(request, reviewer, verdict, **body)
    assert masked(request, by(reviewer)).title == "Till: Pay back"
    trusted = person("trusted", "reviewer", "sensitive-reader")
    for row in reviewer.memberships.all():
        trusted.memberships.create(group=row.group)
    other = opened()
    assert take(other, second_reviewer, "reject", reason="no").state == "rejected"
    assert take(request, trusted).state == "approved"


def test_second_factor_refuses_tokens_and_stale_sessions(opened: Opener, reviewer: User) -> None:
    request = opened(needs=Requirements(friction=Friction.SECOND_FACTOR, friction_seconds=60))
    decision = verdict_on(request)
    for caller in (by_token(reviewer, "decide"), by(reviewer)):
        with pytest.raises(SecondFactorRequired):
            decide(request_id=request.pk, decision=decision, caller=caller)
    done = decide(
        request_id=request.pk,
        decision=decision,
        caller=by(reviewer),
        second_factor=Confirmation(at=database_now(), method="passkey"),
    )
    assert done.state == "approved"


def test_typed_confirmation_must_name_the_subject(opened: Opener, reviewer: User) -> None:
    request = opened(needs=Requirements(friction=Friction.TYPED))
    for typed in (None, "Acme", "acme gmbh"):
        with pytest.raises(BadBody):
            take(request, reviewer, typed=typed)
    assert take(request, reviewer, typed=" Acme  GmbH ").state == "approved"


def test_minimum_reading_counts_from_the_first_look(opened: Opener, reviewer: User) -> None:
    request = opened(needs=Requirements(friction=Friction.READING, friction_seconds=600))
    with pytest.raises(ReadFirst):
        take(request, reviewer)
    show_to(request_id=request.pk, caller=by(reviewer))
    with pytest.raises(ReadFirst):
        take(request, reviewer)
    request.viewings.update(opened_at="2020-01-01T00:00:00Z")
    assert take(request, reviewer).state == "approved"


def test_first_look_is_recorded_once(opened: Opener, reviewer: User) -> None:
    request = opened()
    for _ in range(3):
        show_to(request_id=request.pk, caller=by(reviewer))
    assert events_of(request) == ["request.opened", "request.shown"]
    take(request, reviewer)
    assert Vote.objects.get().opened_at is not None


def test_run_is_locked_before_the_request(opened: Opener, till: Till, reviewer: User) -> None:
    run = uuid.uuid4()
    request = opened(run_id=run)
    take(request, reviewer)
    assert till.locked == [run]


def test_a_receiver_that_fails_undoes_the_decision(
    opened: Opener, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the run could not be woken")

    request = opened()
    monkeypatch.setattr(closing.request_resolved, "send", fail)
    with pytest.raises(RuntimeError):
        take(request, reviewer)
    request.refresh_from_db()
    assert request.state == "pending"
    assert events_of(request) == ["request.opened"]


def test_a_verdict_after_the_deadline_is_refused_also_before_the_sweep_has_come(
    opened: Opener, reviewer: User
) -> None:
    request = opened()
    late = database_now() - timedelta(seconds=1)
    ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=late)
    with pytest.raises(DeadlinePassed):
        take(request, reviewer)
    request.refresh_from_db()
    assert request.state == "pending"
