"""Drafts and publishing, and what a document must be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from accounts.callers import Caller
from accounts.errors import PermissionMissing, ScopeMissing
from accounts.models import ReviewGroup, User
from approvals.errors import (
    BadPolicy,
    DraftChanged,
    DraftUnknown,
    NothingChanged,
    NotSubmitted,
    OutsideScope,
    PolicyUnreadable,
    PublishedMeanwhile,
    SecondPersonNeeded,
    WhyMissing,
)
from approvals.models import PolicyVersion
from approvals.policies import Rule, default_policy, load
from approvals.schemas import GroupNeed, Requirements
from approvals.services import policies
from approvals.services.drafts import (
    begin_draft,
    change_draft,
    rebase_draft,
    submit_draft,
    withdraw_draft,
)
from approvals.services.publish import publish_draft, roll_back
from approvals.vocabulary import Risk
from audit.models import Event
from tests.approvals.till import Till, by, by_token
from tests.harness.people import person

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


def drafted(caller: Caller, document: Any = None, why: str = "Too many slips.") -> PolicyVersion:
    base = policies.current()
    return begin_draft(
        document=document or changed(), base_version=base.version, caller=caller, why=why
    )


def submitted(caller: Caller, document: Any = None) -> PolicyVersion:
    draft = drafted(caller, document)
    return submit_draft(draft_id=draft.pk, edition=draft.edition, caller=caller)


def log() -> list[str]:
    types = Event.objects.filter(type__startswith="policy.").oldest_first()
    return list(types.values_list("type", flat=True))


def loosened(share: str = "0.50") -> Any:
    return changed(share)


def test_a_second_admin_publishes_what_the_first_submitted(admin: User, second_admin: User) -> None:
    draft = submitted(by(admin), loosened())
    assert draft.tightens_only is False
    published = publish_draft(draft_id=draft.pk, caller=by(second_admin))
    assert published.version == 2
    assert policies.current() == published
    row = PolicyVersion.objects.get(number=2)
    assert (row.author, row.published_by, row.why) == (admin, second_admin, "Too many slips.")
    assert (row.base, row.second_waived) == (1, False)
    assert log()[-3:] == ["policy.drafted", "policy.submitted", "policy.published"]


def test_who_wrote_what_loosens_does_not_publish_it(admin: User, second_admin: User) -> None:
    draft = submitted(by(admin), loosened())
    with pytest.raises(SecondPersonNeeded, match="threshold is lower"):
        publish_draft(draft_id=draft.pk, caller=by(admin))
    with pytest.raises(SecondPersonNeeded):
        publish_draft(draft_id=draft.pk, caller=by_token(admin, "admin"))
    assert policies.current().version == 1


def test_who_changed_a_draft_is_one_of_its_authors(admin: User, second_admin: User) -> None:
    draft = drafted(by(admin), loosened())
    changed_draft = change_draft(
        draft_id=draft.pk, document=loosened("0.60"), edition=1, caller=by(second_admin)
    )
    submit_draft(draft_id=draft.pk, edition=changed_draft.edition, caller=by(admin))
    for author in (admin, second_admin):
        with pytest.raises(SecondPersonNeeded):
            publish_draft(draft_id=draft.pk, caller=by(author))
    assert publish_draft(draft_id=draft.pk, caller=by(person("third-admin", "admin"))).version == 2


def test_what_only_tightens_is_published_alone(admin: User, second_admin: User) -> None:
    draft = drafted(by(admin), changed("0.97"))
    assert publish_draft(draft_id=draft.pk, caller=by(admin)).version == 2
    row = PolicyVersion.objects.get(number=2)
    assert (row.tightens_only, row.second_waived) == (True, False)


def test_where_nobody_else_could_the_second_is_waived_and_the_log_says_so(admin: User) -> None:
    draft = drafted(by(admin), loosened())
    assert publish_draft(draft_id=draft.pk, caller=by(admin)).version == 2
    assert PolicyVersion.objects.get(number=2).second_waived
    event = Event.objects.filter(type="policy.published").newest_first().first()
    assert event is not None
    assert orjson.loads(bytes(event.body))["facts"]["second_waived"] is True


def test_what_is_not_submitted_is_published_by_nobody_else(admin: User, second_admin: User) -> None:
    draft = drafted(by(admin), loosened())
    with pytest.raises(NotSubmitted):
        publish_draft(draft_id=draft.pk, caller=by(second_admin))


def test_a_draft_that_changed_under_somebody_is_neither_submitted_nor_published(
    admin: User, second_admin: User
) -> None:
    draft = submitted(by(admin), loosened())
    seen = draft.edition
    change_draft(draft_id=draft.pk, document=loosened("0.10"), edition=seen, caller=by(admin))
    with pytest.raises(DraftChanged):
        publish_draft(draft_id=draft.pk, caller=by(second_admin), edition=seen)
    with pytest.raises(NotSubmitted):
        publish_draft(draft_id=draft.pk, caller=by(second_admin))
    with pytest.raises(DraftChanged):
        submit_draft(draft_id=draft.pk, edition=seen, caller=by(admin))


def test_the_later_of_two_drafts_is_told_and_rebased(admin: User, second_admin: User) -> None:
    mine = drafted(by(admin), changed("0.50"))
    theirs = submitted(by(second_admin), policies.current().policy.with_threshold("0.99", tool="x"))
    publish_draft(draft_id=theirs.pk, caller=by(admin))
    with pytest.raises(PublishedMeanwhile) as refused:
        submit_draft(draft_id=mine.pk, edition=1, caller=by(admin))
    assert refused.value.params["who"] == admin.get_full_name()
    rebased = rebase_draft(draft_id=mine.pk, edition=1, caller=by(admin))
    assert rebased.conflicts == []
    thresholds = load(rebased.draft.document).thresholds
    assert (thresholds.risks[Risk.HIGH], thresholds.tools) == (
        Decimal("0.50"),
        {"x": Decimal("0.99")},
    )
    assert submit_draft(draft_id=mine.pk, edition=2, caller=by(admin)).base == 2


def test_what_both_changed_is_said_at_a_rebase(admin: User, second_admin: User) -> None:
    mine = drafted(by(admin), changed("0.50"))
    theirs = submitted(by(second_admin), changed("0.99"))
    publish_draft(draft_id=theirs.pk, caller=by(second_admin))
    rebased = rebase_draft(draft_id=mine.pk, edition=1, caller=by(admin))
    assert rebased.conflicts == [
        "The threshold of high was changed there too; this draft's own change stays."
    ]
    assert load(rebased.draft.document).thresholds.risks[Risk.HIGH] == Decimal("0.50")


def test_an_earlier_version_comes_back_in_one_step(admin: User, second_admin: User) -> None:
    publish_draft(draft_id=submitted(by(admin), loosened()).pk, caller=by(second_admin))
    back = roll_back(version=1, caller=by(admin), why="Too many slips.")
    assert (back.number, back.restores, back.tightens_only) == (3, 1, True)
    assert policies.current().policy == policies.version(1).policy
    assert log()[-1] == "policy.rolled_back"
    waiting = roll_back(version=2, caller=by(admin), why="Not so bad.")
    assert (waiting.number, waiting.state) == (None, "submitted")
    assert publish_draft(draft_id=waiting.pk, caller=by(second_admin)).version == 4


def test_a_withdrawn_draft_is_gone(admin: User, second_admin: User) -> None:
    draft = submitted(by(admin), loosened())
    withdraw_draft(draft_id=draft.pk, edition=draft.edition, caller=by(admin))
    with pytest.raises(DraftUnknown):
        publish_draft(draft_id=draft.pk, caller=by(second_admin))
    assert log()[-1] == "policy.withdrawn"


def test_a_published_draft_is_published_once(admin: User, second_admin: User) -> None:
    draft = submitted(by(admin), loosened())
    publish_draft(draft_id=draft.pk, caller=by(second_admin))
    with pytest.raises(DraftUnknown):
        publish_draft(draft_id=draft.pk, caller=by(second_admin))


def test_why_and_a_change_are_needed(admin: User) -> None:
    draft = drafted(by(admin), why=" ")
    with pytest.raises(WhyMissing):
        submit_draft(draft_id=draft.pk, edition=1, caller=by(admin))
    with pytest.raises(WhyMissing):
        publish_draft(draft_id=draft.pk, caller=by(admin))
    same = drafted(by(admin), policies.current().policy)
    with pytest.raises(NothingChanged):
        submit_draft(draft_id=same.pk, edition=1, caller=by(admin))


def test_only_admins_write_and_publish(outsider: User, admin: User, second_admin: User) -> None:
    with pytest.raises(PermissionMissing):
        drafted(by(outsider))
    with pytest.raises(ScopeMissing):
        drafted(by_token(admin, "decide"))
    draft = submitted(by(admin), loosened())
    with pytest.raises(PermissionMissing):
        publish_draft(draft_id=draft.pk, caller=by(outsider))
    with pytest.raises(ScopeMissing):
        publish_draft(draft_id=draft.pk, caller=by_token(second_admin, "decide"))


def own_rule(effect: str = "review", group: str = "support", **more: Any) -> Rule:
    return Rule.model_validate({"name": "own", "effect": effect, "scope": f"group:{group}"} | more)


def with_rule(rule: Rule) -> Any:
    policy = policies.current().policy
    return policy.model_copy(update={"rules": (*policy.rules, rule)})


def test_an_owner_group_tightens_its_own_agents_and_nothing_else(
    till: Till, reviewer: User, finance: ReviewGroup
) -> None:
    draft = drafted(by(reviewer), with_rule(own_rule()))
    assert draft.scope == "support"
    assert publish_draft(draft_id=draft.pk, caller=by(reviewer)).version == 2
    for document in (changed("0.99"), with_rule(own_rule(group="finance", name="theirs"))):
        with pytest.raises(OutsideScope):
            drafted(by(reviewer), document)
    for effect in ("review", "deny"):
        everywhere = own_rule(effect, scope="global", name="everywhere")
        with pytest.raises(OutsideScope):
            drafted(by(reviewer), with_rule(everywhere))


def test_an_owner_group_does_not_loosen_alone(till: Till, reviewer: User, admin: User) -> None:
    draft = drafted(by(reviewer), with_rule(own_rule()))
    publish_draft(draft_id=draft.pk, caller=by(reviewer))
    without = policies.current().policy.model_copy(update={"rules": ()})
    removal = submitted(by(reviewer), without)
    with pytest.raises(SecondPersonNeeded):
        publish_draft(draft_id=removal.pk, caller=by(reviewer))
    assert publish_draft(draft_id=removal.pk, caller=by(admin)).version == 3


def test_an_owner_group_does_not_touch_an_admins_draft(
    till: Till, reviewer: User, admin: User
) -> None:
    draft = submitted(by(admin), changed("0.99"))
    for act in (
        lambda: publish_draft(draft_id=draft.pk, caller=by(reviewer)),
        lambda: withdraw_draft(draft_id=draft.pk, edition=1, caller=by(reviewer)),
    ):
        with pytest.raises(DraftUnknown):
            act()


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (Requirements(groups=(GroupNeed(group="finance", count=4),)), "lacks 2 more of finance"),
        (Requirements(groups=(GroupNeed(group="empty"),)), "lacks 1 more of empty"),
        (
            Requirements(groups=(GroupNeed(group="support"),), exclude_owner=True),
            "people of support are left out",
        ),
    ],
)
def test_what_nobody_could_meet_is_neither_submitted_nor_published(
    till: Till,
    admin: User,
    reviewer: User,
    second_reviewer: User,
    needs: Requirements,
    said: str,
) -> None:
    ReviewGroup.objects.create(slug="empty", title="Empty")
    rule = Rule(name="strict", effect="review", requirements=needs)
    draft = drafted(by(admin), with_rule(rule))
    for act in (submit_draft, publish_draft):
        with pytest.raises(BadPolicy, match=said) as refused:
            act(draft_id=draft.pk, edition=draft.edition, caller=by(admin))
        fields = [error["field"] for error in refused.value.params["errors"]]
        assert fields == ["rules.0.requirements"]
    assert policies.current().version == 1


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
            "rules.0.requirements",
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
        submitted(by(admin), default_policy().document() | change)
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
