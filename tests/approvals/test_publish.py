"""Publishing policies, and what a document must be."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.errors import PermissionMissing, ScopeMissing
from accounts.models import User
from approvals.errors import (
    BadPolicy,
    NothingChanged,
    PolicyUnknown,
    PolicyUnreadable,
    PublishedMeanwhile,
    WhyMissing,
)
from approvals.models import PolicyVersion
from approvals.policies import default_policy, load
from approvals.services import policies
from approvals.services.publish import draft, publish, publish_draft
from approvals.vocabulary import Risk
from audit.models import Event
from tests.approvals.till import by, by_token

pytestmark = pytest.mark.django_db


def changed(share: str = "0.95") -> Any:
    return policies.current().policy.with_threshold(share, risk=Risk.HIGH)


def test_fresh_database_has_the_shipped_policy_and_its_event() -> None:
    published = policies.current()
    assert published.version == 1
    assert (
        published.policy.thresholds.risks[Risk.HIGH]
        == load(default_policy().document()).thresholds.risks[Risk.HIGH]
    )
    assert policies.current() == published
    assert Event.objects.filter(type="policy.published").count() == 1


def test_admin_publishes_with_a_reason(admin: User) -> None:
    published = publish(document=changed(), base_version=1, caller=by(admin), why="Too many.")
    assert published.version == 2
    assert policies.current() == published
    row = PolicyVersion.objects.get(number=2)
    assert (row.published_by, row.why, row.base) == (admin, "Too many.", 1)


def test_two_admins_do_not_overwrite_each_other(admin: User, second_admin: User) -> None:
    publish(document=changed("0.95"), base_version=1, caller=by(admin), why="Too many.")
    with pytest.raises(PublishedMeanwhile) as refused:
        publish(document=changed("0.70"), base_version=1, caller=by(second_admin), why="Too few.")
    assert refused.value.params == {
        "base": 1,
        "current": 2,
        "who": admin.get_full_name(),
        "why": "Too many.",
    }
    assert policies.current().version == 2


def test_why_and_a_change_are_needed(admin: User) -> None:
    with pytest.raises(WhyMissing):
        publish(document=changed(), base_version=1, caller=by(admin), why=" ")
    with pytest.raises(NothingChanged):
        publish(document=policies.current().policy, base_version=1, caller=by(admin), why="x")


def test_only_admins_publish(reviewer: User, admin: User) -> None:
    with pytest.raises(PermissionMissing):
        publish(document=changed(), base_version=1, caller=by(reviewer), why="x")
    with pytest.raises(ScopeMissing):
        publish(document=changed(), base_version=1, caller=by_token(admin, "decide"), why="x")


def test_draft_is_published_once_and_not_over_another(admin: User, second_admin: User) -> None:
    kept = draft(document=changed("0.91"), base_version=1, caller=by(admin), why="Drafted.")
    late = draft(document=changed("0.92"), base_version=1, caller=by(second_admin))
    assert policies.current().version == 1
    assert publish_draft(draft_id=kept.pk, caller=by(second_admin)).version == 2
    with pytest.raises(PolicyUnknown):
        publish_draft(draft_id=kept.pk, caller=by(admin))
    with pytest.raises(PublishedMeanwhile):
        publish_draft(draft_id=late.pk, caller=by(second_admin), why="x")


def test_a_document_that_was_tampered_with_is_not_used(superuser_url: str) -> None:
    row = PolicyVersion.objects.create(
        number=5,
        document=default_policy().document() | {"undo_seconds": 0},
        sha256=default_policy().digest(),
        state="published",
        published_at="2026-01-01T00:00:00Z",
    )
    with pytest.raises(PolicyUnreadable):
        policies.current()
    row.delete()


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"thresholds": {"default": 80}}, "thresholds.default", "between 0 and 1"),
        ({"thresholds": {"default": "high"}}, "thresholds.default", "number between 0 and 1"),
        ({"thresholds": {"risks": {"huge": 0.5}}}, "thresholds.risks.huge.[key]", "Input"),
        ({"surprise": 1}, "surprise", "not permitted"),
        (
            {"rules": [{"name": "a", "effect": "deny", "when": {"condition": "args.x >"}}]},
            "rules.0.when.condition",
            "Syntax error",
        ),
        (
            {"rules": [{"name": "a", "effect": "deny", "when": {"condition": "amount > 5"}}]},
            "rules.0.when.condition",
            "Only args is known",
        ),
        (
            {"rules": [{"name": "a", "effect": "deny", "threshold": 0.5}]},
            "rules.0",
            "only an allow rule",
        ),
        (
            {"rules": [{"name": "a", "effect": "deny"}, {"name": "a", "effect": "allow"}]},
            "",
            "two rules are called a",
        ),
        (
            {"rules": [{"name": "a", "effect": "review", "requirements": {"groups": []}}]},
            "rules.0",
            "name at least one group",
        ),
        (
            {
                "rules": [
                    {
                        "name": "a",
                        "effect": "review",
                        "requirements": {"groups": [{"group": "treasury"}]},
                    }
                ]
            },
            "rules.0.requirements",
            "no review group treasury",
        ),
        (
            {
                "rules": [
                    {
                        "name": "a",
                        "effect": "deny",
                        "when": {"time_window": {"timezone": "Moon/Base"}},
                    }
                ]
            },
            "rules.0.when.time_window.timezone",
            "no time zone Moon/Base",
        ),
    ],
)
def test_a_bad_document_is_refused_at_its_field(
    admin: User, change: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(BadPolicy) as refused:
        publish(
            document=default_policy().document() | change,
            base_version=1,
            caller=by(admin),
            why="x",
        )
    errors = refused.value.params["errors"]
    assert any(error["field"] == field and message in error["message"] for error in errors), errors
    assert policies.current().version == 1


def test_one_threshold_changes_and_the_rest_stays() -> None:
    policy = default_policy()
    pair = policy.with_threshold("0.33", agent="till", tool="pay_back")
    assert pair.thresholds.agent_tools["till"]["pay_back"] != pair.thresholds.default
    assert pair.with_threshold(None, agent="till", tool="pay_back") == policy
    assert policy.with_threshold(0.5).document()["thresholds"]["default"] == "0.50"
    with pytest.raises(BadPolicy):
        policy.with_threshold(1.5, tool="pay_back")
