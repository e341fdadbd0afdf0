"""Sticky approvals: what they let run, and what they never do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.errors import PermissionMissing, ScopeMissing
from accounts.models import ReviewGroup, User
from approvals.errors import BadBody, NotSticky, OwnRequest, StickyUnknown, WhyMissing
from approvals.gate import judge
from approvals.models import ApprovalRequest, StickyApproval
from approvals.policies import Rule, load
from approvals.schemas import Requirements
from approvals.services import policies
from approvals.services.decide import decide
from approvals.services.publish import publish
from approvals.services.sticky import grant_sticky, revoke_sticky
from approvals.services.undo import undo
from approvals.vocabulary import Friction, GateOutcome, Risk
from audit.actors import Actor
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import (
    Till,
    by,
    by_token,
    context,
    events_of,
    one_of,
    refund,
    sure,
    verdict_on,
)
from tests.harness.people import person

pytestmark = pytest.mark.django_db

LIKE = {"amount": "at_most", "note": "any"}


@pytest.fixture
def granter(finance: ReviewGroup, support: ReviewGroup) -> User:
    return person("granter", "reviewer", "sticky-approver", groups=(finance, support))


@pytest.fixture
def approved(opened: Opener, granter: User) -> ApprovalRequest:
    request = opened(amount="20.00")
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(granter))
    request.refresh_from_db()
    return request


def grant(request: ApprovalRequest, user: User, **changes: Any) -> StickyApproval:
    values: dict[str, Any] = {"constraints": LIKE, "hours": 8, "why": "The batch of broken cups."}
    return grant_sticky(request_id=request.pk, caller=by(user), **(values | changes))


def outcome(amount: str = "15.00", **changes: Any) -> GateOutcome:
    about = {"at": database_now()} | changes.pop("about", {})
    arguments = {"order": "10291", "amount": amount, "note": "other words"} | changes.pop(
        "args", {}
    )
    action = refund(arguments=arguments, **changes)
    return judge(action, sure(100), context(**about), policies.current()).outcome


def test_calls_within_the_constraints_run_whatever_their_score(
    approved: ApprovalRequest, granter: User
) -> None:
    assert outcome() == GateOutcome.REVIEW
    sticky = grant(approved, granter)
    verdict = judge(refund("20.00"), sure(0), context(at=database_now()), policies.current())
    assert (verdict.outcome, verdict.rule) == (GateOutcome.ALLOW, f"sticky-{sticky.pk}")
    assert outcome() == GateOutcome.ALLOW
    assert events_of(approved)[-1] == "sticky.granted"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "20.01"},
        {"amount": "-1"},
        {"amount": "NaN"},
        {"args": {"order": "10292"}},
        {"args": {"more": 1}},
        {"tool": "erase"},
        {"agent": "other"},
        {"about": {"tainted": True}},
        {"about": {"at": database_now}},
    ],
)
def test_whatever_differs_is_reviewed_as_before(
    approved: ApprovalRequest, granter: User, changes: dict[str, Any]
) -> None:
    grant(approved, granter)
    if changes.get("about", {}).get("at"):
        changes = {"about": {"at": database_now() + timedelta(hours=9)}}
    assert outcome(**changes) == GateOutcome.REVIEW


def test_an_argument_that_is_missing_fits_nothing(approved: ApprovalRequest, granter: User) -> None:
    grant(approved, granter)
    action = refund(arguments={"order": "10291", "amount": "15.00"})
    verdict = judge(action, sure(), context(at=database_now()), policies.current())
    assert verdict.outcome == GateOutcome.REVIEW


def test_rules_that_deny_or_review_are_stronger(approved: ApprovalRequest, granter: User) -> None:
    grant(approved, granter)
    for effect, said in (("review", GateOutcome.REVIEW), ("deny", GateOutcome.DENY)):
        current = policies.current()
        rule = Rule.model_validate(
            {"name": "stronger", "effect": effect, "when": {"tools": ["pay_back"]}}
        )
        publish(
            document=current.policy.model_copy(update={"rules": (rule,)}),
            base_version=current.version,
            caller=Actor.system("test"),
            why="Stronger.",
        )
        assert outcome() == said


def test_nobody_lets_their_own_runs_act_with_it(
    approved: ApprovalRequest, granter: User, second_reviewer: User
) -> None:
    grant(approved, granter)
    assert outcome(about={"initiator": second_reviewer.pk}) == GateOutcome.ALLOW
    assert outcome(about={"initiator": granter.pk}) == GateOutcome.REVIEW


def test_it_rests_while_whoever_granted_it_may_grant_none(
    approved: ApprovalRequest, granter: User, client: Client
) -> None:
    sticky = grant(approved, granter)
    role = Group.objects.get(name="sticky-approver")
    granter.groups.remove(role)
    assert outcome() == GateOutcome.REVIEW
    assert not policies.current().still_has(f"sticky-{sticky.pk}")
    client.force_login(granter)
    page = client.get("/policies/sticky/").content.decode()
    assert "Rests" in page
    assert "In force" not in page
    granter.groups.add(role)
    assert outcome() == GateOutcome.ALLOW
    assert "In force" in client.get("/policies/sticky/").content.decode()
    User.objects.filter(pk=granter.pk).update(is_active=False)
    assert outcome() == GateOutcome.REVIEW
    # Whoever may revoke it does so all the same: it would come back with the right.
    revoke_sticky(sticky_id=sticky.pk, caller=by(person("chief", "admin")))


def test_it_stands_for_no_more_than_one_plain_approval_whatever_became_of_the_call(
    approved: ApprovalRequest, granter: User
) -> None:
    grant(approved, granter)
    current = policies.current()
    one = {"groups": [{"group": "finance", "count": 1}]}
    two = {"groups": [{"group": "finance", "count": 2}]}
    for requirements, risk, said in (
        (one, Risk.HIGH, GateOutcome.ALLOW),
        (one, Risk.CRITICAL, GateOutcome.REVIEW),
        (two, Risk.HIGH, GateOutcome.REVIEW),
        ({**one, "friction": Friction.TYPED}, Risk.HIGH, GateOutcome.REVIEW),
    ):
        document = current.policy.document()
        document["baseline"] = [
            {**row, "outcome": "review", "requirements": requirements}
            for row in document["baseline"]
        ]
        changed = replace(current, policy=load(document))
        action = refund("15.00", risk=risk)
        assert judge(action, sure(), context(at=database_now()), changed).outcome == said


def test_one_that_was_revoked_or_is_over_allows_nothing(
    approved: ApprovalRequest, granter: User
) -> None:
    sticky = grant(approved, granter)
    revoke_sticky(sticky_id=sticky.pk, caller=by(granter))
    assert outcome() == GateOutcome.REVIEW
    assert not policies.current().still_has(f"sticky-{sticky.pk}")
    assert events_of(approved)[-1] == "sticky.revoked"
    with pytest.raises(StickyUnknown):
        revoke_sticky(sticky_id=sticky.pk, caller=by(granter))
    over = grant(approved, granter)
    StickyApproval.objects.filter(pk=over.pk).update(
        granted_at=database_now() - timedelta(hours=9),
        expires_at=database_now() - timedelta(hours=1),
    )
    assert outcome() == GateOutcome.REVIEW


def test_it_ends_with_the_approval_that_it_was_granted_from(
    approved: ApprovalRequest, granter: User, reviewer: User
) -> None:
    sticky = grant(approved, granter)
    assert outcome() == GateOutcome.ALLOW
    undo(request_id=approved.pk, caller=by(reviewer))
    assert outcome() == GateOutcome.REVIEW
    assert not policies.current().still_has(f"sticky-{sticky.pk}")
    sticky.refresh_from_db()
    assert sticky.revoked_by == reviewer
    assert {"sticky.revoked", "request.undone"} <= set(events_of(approved))


def test_who_granted_it_the_owner_group_and_admins_revoke(
    approved: ApprovalRequest, granter: User, reviewer: User, admin: User, outsider: User
) -> None:
    sticky = grant(approved, granter)
    with pytest.raises(PermissionMissing):
        revoke_sticky(sticky_id=sticky.pk, caller=by(outsider))
    for who in (reviewer, admin, granter):
        revoke_sticky(sticky_id=sticky.pk, caller=by(who))
        StickyApproval.objects.filter(pk=sticky.pk).update(revoked_at=None, revoked_by=None)


def test_it_takes_the_right_and_a_place_among_those_who_decide(
    approved: ApprovalRequest, granter: User, reviewer: User, operator: User, admin: User
) -> None:
    for who in (reviewer, admin):
        with pytest.raises(PermissionMissing):
            grant(approved, who)
    with pytest.raises(ScopeMissing):
        grant_sticky(
            request_id=approved.pk,
            constraints={},
            hours=1,
            why="x",
            caller=by_token(granter, "read"),
        )
    operator.groups.add(*Group.objects.filter(name__in=["reviewer", "sticky-approver"]))
    for group in granter.review_groups.all():
        group.members.add(operator)
    with pytest.raises(OwnRequest):
        grant(approved, operator)
    assert not StickyApproval.objects.exists()


@pytest.mark.parametrize(
    ("needs", "changes", "said"),
    [
        (one_of("finance", "support"), {}, "more than one person"),
        (Requirements(friction=Friction.TYPED), {}, "a confirmation of its own"),
        (None, {"risk": Risk.CRITICAL}, "more than one person"),
    ],
)
def test_what_takes_more_than_one_plain_approval_is_never_sticky(
    opened: Opener,
    granter: User,
    reviewer: User,
    needs: Requirements | None,
    changes: dict[str, Any],
    said: str,
) -> None:
    request = opened(needs=needs, action=refund("20.00", **changes))
    for who in (granter, reviewer):
        request.refresh_from_db()
        if request.state == "pending":
            decision = (
                verdict_on(request, typed=request.what.subject)
                if (request.needs.friction == Friction.TYPED)
                else verdict_on(request)
            )
            decide(request_id=request.pk, decision=decision, caller=by(who))
    with pytest.raises(NotSticky, match=said):
        grant(request, granter)


def test_what_was_not_approved_is_never_sticky(opened: Opener, granter: User) -> None:
    with pytest.raises(NotSticky, match="Only an action that was approved"):
        grant(opened(), granter)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"hours": 0}, BadBody),
        ({"hours": 169}, BadBody),
        ({"why": " "}, WhyMissing),
        ({"constraints": {"order": "at_most", "note": "at_most"}}, BadBody),
        ({"constraints": {"stranger": "any"}}, BadBody),
        ({"constraints": {"order": "any", "amount": "any", "note": "any"}}, BadBody),
    ],
)
def test_what_does_not_hold_is_refused_at_its_field(
    approved: ApprovalRequest, granter: User, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        grant(approved, granter, **changes)
    assert not StickyApproval.objects.exists()


def test_the_policy_may_let_nobody_grant_any(approved: ApprovalRequest, granter: User) -> None:
    current = policies.current()
    publish(
        document=current.policy.model_copy(update={"sticky_hours": 0}),
        base_version=current.version,
        caller=Actor.system("test"),
        why="None.",
    )
    with pytest.raises(NotSticky, match="lets nobody"):
        grant(approved, granter)


def test_granted_and_ended_on_pages(
    approved: ApprovalRequest, granter: User, reviewer: User
) -> None:
    client = Client()
    client.force_login(granter)
    url = f"/requests/{approved.pk}/sticky/"
    assert url in client.get(f"/requests/{approved.pk}/").content.decode()
    form = client.get(url).context["form"]
    names = {name: field.name for name, _, field in form.rows()}
    fields = {names["amount"]: "at_most", names["order"]: "same", names["note"]: "any"}
    answer = client.post(url, fields | {"hours": "500", "why": "Cups."})
    assert answer.status_code == 422
    assert "at most 168" in answer.content.decode()
    assert client.post(url, fields | {"hours": "8", "why": "Cups."})["Location"] == (
        "/policies/sticky/"
    )
    assert outcome() == GateOutcome.ALLOW
    page = client.get("/policies/sticky/").content.decode()
    assert "In force" in page
    assert "Cups." in page
    other = Client()
    other.force_login(reviewer)
    assert url not in other.get(f"/requests/{approved.pk}/").content.decode()
    assert other.get(url).status_code == 403
    sticky = StickyApproval.objects.get()
    client.post(f"/policies/sticky/{sticky.pk}/revoke/")
    assert outcome() == GateOutcome.REVIEW


def test_sensitive_values_are_not_told_in_the_list(
    till: Till, opened: Opener, granter: User, admin: User
) -> None:
    till.sensitive = ("order",)
    request = opened(amount="20.00")
    granter.groups.add(Group.objects.get(name="sensitive-reader"))
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(granter))
    grant(request, granter)
    client = Client()
    client.force_login(admin)
    assert "10291" not in client.get("/policies/sticky/").content.decode()
    listed = client.get("/api/v1/sticky-approvals").json()
    assert listed["items"][0]["constraints"]["order"]["value"] == {"hidden": True}
