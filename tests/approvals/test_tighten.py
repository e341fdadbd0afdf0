"""A policy that is published holds for what waits already, and loosens none of it."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from approvals.errors import AlreadyDecided, ContentChanged
from approvals.models import ApprovalRequest, Vote
from approvals.policies import Policy, Rule
from approvals.schemas import GroupNeed, Requirements
from approvals.services import policies
from approvals.services.consume import consume
from approvals.services.decide import decide
from approvals.services.publish import publish
from approvals.services.sweep import sweep
from approvals.services.tighten import tighten, tighten_open
from approvals.vocabulary import Friction
from audit.actors import Actor
from tests.approvals.conftest import Opener
from tests.approvals.till import by, events_of, one_of, verdict_on

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")


def published(*rules: Rule, **changes: Any) -> None:
    current = policies.current()
    policy = current.policy.model_copy(update={"rules": rules, **changes})
    publish(document=policy, base_version=current.version, caller=SYSTEM, why="Incident.")


def rule(effect: str, **more: Any) -> Rule:
    return Rule.model_validate({"name": effect, "title": "New rule", "effect": effect} | more)


TWO_OF_FINANCE = Requirements(groups=(GroupNeed(group="finance", count=2),))


def test_what_is_denied_now_is_rejected_and_its_run_is_told(
    opened: Opener, told: list[Any], finance: object
) -> None:
    request = opened()
    published(rule("deny", when={"tools": ["pay_back"]}))
    assert tighten_open() == 1
    request.refresh_from_db()
    assert (request.state, request.resolution["who"]) == ("rejected", "policy 2")
    assert [resolution.kind for resolution in told] == ["rejected"]
    assert told[0].data["reason"] == "The rule “New rule” denies it."
    assert events_of(request) == ["request.opened", "request.decided"]


def test_who_asks_for_more_gets_a_next_revision_that_voids_votes(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened(needs=one_of("finance", "support"))
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    request.refresh_from_db()
    published(rule("review", requirements=TWO_OF_FINANCE.model_dump()))
    assert tighten_open() == 1
    now = ApprovalRequest.objects.get(pk=request.pk)
    assert (now.state, now.revision, now.policy_version) == ("pending", 2, 2)
    assert {need.group: need.count for need in now.needs.groups} == {"finance": 2, "support": 1}
    assert {row.group.slug: row.needed for row in now.request_groups.all()} == {
        "finance": 2,
        "support": 1,
    }
    assert not Vote.objects.filter(request=request, counts=True).exists()
    assert now.reasons[-1]["code"] == "policy_tighter"
    assert events_of(request)[-1] == "request.tightened"


def test_what_loosens_changes_nothing_that_waits(opened: Opener, reviewer: User) -> None:
    request = opened(needs=one_of("finance", "support"))
    allow = rule("allow", when={"tools": ["pay_back"]}, threshold="0", accepts_taint=True)
    published(allow, baseline=())
    assert tighten_open() == 0
    now = ApprovalRequest.objects.get(pk=request.pk)
    assert (now.revision, now.requirements, now.reasons) == (
        1,
        request.requirements,
        request.reasons,
    )
    assert (now.policy_version, now.checked_version) == (1, 2)


def test_a_verdict_that_comes_before_the_sweep_meets_the_new_policy(
    opened: Opener, reviewer: User
) -> None:
    request = opened()
    published(rule("deny", when={"tools": ["pay_back"]}))
    with pytest.raises(AlreadyDecided) as refused:
        decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    assert refused.value.params["who"] == "policy 2"
    request.refresh_from_db()
    assert request.state == "rejected"
    assert not Vote.objects.filter(request=request).exists()


def test_a_verdict_on_what_asks_for_more_now_has_to_be_given_anew(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    two = Requirements(groups=(GroupNeed(group="support", count=2),))
    published(rule("review", requirements=two.model_dump()))
    with pytest.raises(ContentChanged):
        decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    for person, state in ((reviewer, "pending"), (second_reviewer, "approved")):
        request.refresh_from_db()
        decided = decide(request_id=request.pk, decision=verdict_on(request), caller=by(person))
        assert decided.state == state


def test_a_verdict_on_what_did_not_become_tighter_counts_at_once(
    opened: Opener, reviewer: User
) -> None:
    request = opened()
    published(undo_seconds=20)
    decided = decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    assert decided.state == "approved"


def test_a_stronger_confirmation_is_asked_for_too(opened: Opener, reviewer: User) -> None:
    request = opened()
    needs = Requirements(friction=Friction.TYPED)
    published(rule("review", requirements=needs.model_dump()))
    assert tighten(request_id=request.pk)
    request.refresh_from_db()
    assert request.needs.friction == Friction.TYPED
    assert not tighten(request_id=request.pk)


def test_the_sweep_has_what_was_not_judged_judged(
    opened: Opener, django_capture_on_commit_callbacks: Any
) -> None:
    opened()
    assert sweep()["unjudged"] == 0
    published(rule("deny", when={"tools": ["pay_back"]}))
    assert sweep()["unjudged"] == 1
    tighten_open()
    assert sweep()["unjudged"] == 0


def test_the_stored_context_is_judged_not_the_one_of_now(opened: Opener) -> None:
    request = opened()
    policy: Policy = policies.current().policy
    assert request.context is not None
    assert request.context.calls_last_hour == 0
    often = rule("deny", when={"rate_above": 0})
    published(often, undo_seconds=policy.undo_seconds)
    assert tighten_open() == 0


def test_an_approval_that_the_new_policy_sends_back_keeps_what_was_asked_before(
    opened: Opener, reviewer: User
) -> None:
    support = (GroupNeed(group="support", count=1),)
    request = opened(needs=Requirements(groups=support, friction=Friction.TYPED))
    decision = verdict_on(request, typed="Acme GmbH")
    decide(request_id=request.pk, decision=decision, caller=by(reviewer))
    ApprovalRequest.objects.filter(pk=request.pk).update(ready_at=request.created_at)
    published(rule("review", requirements=TWO_OF_FINANCE.model_dump()))
    spent = consume(
        request_id=request.pk, revision=1, digest=request.digest, actor=Actor.agent("till")
    )
    assert spent.outcome == "reopened"
    now = ApprovalRequest.objects.get(pk=request.pk)
    assert {need.group: need.count for need in now.needs.groups} == {"finance": 2, "support": 1}
    assert {row.group.slug: row.needed for row in now.request_groups.all()} == {
        "finance": 2,
        "support": 1,
    }
    assert now.needs.friction == Friction.TYPED
