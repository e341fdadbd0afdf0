"""Who stands in for somebody out of office: what they see and decide, and what they never do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.errors import PermissionMissing
from accounts.models import Absence, EffectiveMembership, ReviewGroup, User
from accounts.services.end_absence import end_absence
from accounts.services.name_stand_in import name_stand_in
from agents.kill_switches import KillSwitch
from agents.models import HostedAgent
from agents.services.operate_agent import disable_agent
from approvals.consumers import audiences_of
from approvals.errors import (
    NotInGroups,
    RequestUnknown,
    SensitiveHidden,
    StandsInForEditor,
    StandsInForInitiator,
)
from approvals.models import ApprovalRequest, Vote
from approvals.quorum import missing
from approvals.schemas import GroupNeed, Requirements
from approvals.services.decide import decide
from approvals.services.notify import recipients, to_be_mailed
from approvals.vocabulary import Kind
from audit.actors import Actor
from audit.canonical import loads_strict
from audit.clock import database_now
from audit.models import Event
from audit.sentences import sentence
from tests.approvals.conftest import Opener
from tests.approvals.till import Till, by, one_of, verdict_on
from tests.harness.people import person

SYSTEM = Actor.system("test")
Away = Callable[..., Absence]


@pytest.fixture
def colleague(db: None) -> User:
    """A reviewer of other things."""
    return person("colleague", "reviewer", groups=(other_group("legal"),))


@pytest.fixture
def away() -> Away:
    """`away(absent, stand_in)`: out of office for a week, from now on."""

    def leave(absent: User, stand_in: User, starts_at: datetime | None = None) -> Absence:
        now = database_now()
        return name_stand_in(
            person=absent,
            stand_in=stand_in,
            starts_at=starts_at or now,
            ends_at=(starts_at or now) + timedelta(days=7),
            caller=SYSTEM,
        )

    return leave


def other_group(slug: str) -> ReviewGroup:
    return ReviewGroup.objects.get_or_create(slug=slug, defaults={"title": slug.title()})[0]


def set_back(absence: Absence, days: int) -> None:
    """As if it had been named so many days ago."""
    Absence.objects.filter(pk=absence.pk).update(
        starts_at=F("starts_at") - timedelta(days=days), ends_at=F("ends_at") - timedelta(days=days)
    )


def sees(user: User, request: ApprovalRequest) -> bool:
    return ApprovalRequest.objects.visible_to(user).filter(pk=request.pk).exists()


def lists(user: User, request: ApprovalRequest) -> bool:
    return ApprovalRequest.objects.decidable_by(user).filter(pk=request.pk).exists()


def approve(request: ApprovalRequest, user: User) -> ApprovalRequest:
    request.refresh_from_db()
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(user))
    request.refresh_from_db()
    return request


def facts_of_votes(request: ApprovalRequest) -> list[dict[str, Any]]:
    types = ["request.voted", "request.decided", "request.edited"]
    rows = Event.objects.filter(stream=f"request:{request.pk}", type__in=types).order_by("seq")
    return [loads_strict(bytes(row.body))["facts"] for row in rows]


def test_a_stand_in_sees_lists_and_decides_and_the_log_says_for_whom(
    opened: Opener, reviewer: User, colleague: User, away: Away
) -> None:
    request = opened()
    assert not sees(colleague, request)
    away(reviewer, colleague)
    assert sees(colleague, request)
    assert lists(colleague, request)
    assert approve(request, colleague).state == "approved"
    assert Vote.objects.get(request=request).on_behalf_of == [reviewer.pk]
    (facts,) = facts_of_votes(request)
    assert facts["on_behalf_of"] == [str(reviewer.pk)]
    body = {
        "type": "request.decided",
        "actor": {"kind": "person", "id": str(colleague.pk)},
        "action": {"tool": "pay_back"},
        "outcome": {"decision": "approve"},
        "facts": facts,
    }
    names = {str(colleague.pk): "Colleague", str(reviewer.pk): "Reviewer"}
    assert sentence(body, names) == "Colleague approved pay_back on behalf of Reviewer."


def test_a_member_decides_for_themselves_also_while_standing_in(
    opened: Opener, reviewer: User, second_reviewer: User, away: Away
) -> None:
    away(reviewer, second_reviewer)
    request = approve(opened(), second_reviewer)
    assert Vote.objects.get(request=request).on_behalf_of == []
    assert "on_behalf_of" not in facts_of_votes(request)[0]


def test_before_and_after_the_absence_nothing_is_seen_or_decided(
    opened: Opener, reviewer: User, colleague: User, away: Away
) -> None:
    request = opened()
    absence = away(reviewer, colleague, starts_at=database_now() + timedelta(days=1))
    for back in (0, 9):
        set_back(absence, back)
        assert not sees(colleague, request)
        assert not lists(colleague, request)
        with pytest.raises(RequestUnknown):
            approve(request, colleague)
    set_back(absence, -5)
    assert sees(colleague, request)


def test_an_absence_that_ended_between_opening_and_deciding_is_refused(
    opened: Opener, reviewer: User, colleague: User, away: Away
) -> None:
    request = opened(initiator=colleague.pk)
    foreign = opened()
    absence = away(reviewer, colleague)
    end_absence(absence_id=absence.pk, caller=by(reviewer))
    with pytest.raises(RequestUnknown):
        approve(foreign, colleague)
    # Who sees it for another reason is told that it is for others.
    with pytest.raises(NotInGroups):
        approve(request, colleague)


def test_a_vote_on_behalf_counts_only_while_the_absence_holds(
    opened: Opener, reviewer: User, second_reviewer: User, colleague: User, away: Away
) -> None:
    two = Requirements(groups=(GroupNeed(group="support", count=2),))
    request = opened(needs=two)
    absence = away(reviewer, colleague)
    assert approve(request, colleague).state == "pending"
    end_absence(absence_id=absence.pk, caller=SYSTEM)
    assert approve(request, second_reviewer).state == "pending"
    assert approve(request, reviewer).state == "approved"


@pytest.mark.parametrize("who", ["stand_in", "absent"])
@pytest.mark.parametrize("loss", ["role", "account"])
def test_who_may_not_decide_any_more_neither_stands_in_nor_is_stood_in_for(
    opened: Opener, reviewer: User, colleague: User, away: Away, who: str, loss: str
) -> None:
    request = opened()
    away(reviewer, colleague)
    assert sees(colleague, request)
    loser = colleague if who == "stand_in" else reviewer
    if loss == "role":
        loser.groups.clear()
    else:
        User.objects.filter(pk=loser.pk).update(is_active=False)
    now = User.objects.get(pk=colleague.pk)
    assert not sees(now, request)
    assert not EffectiveMembership.objects.filter(on_behalf_of=reviewer).exists()


def test_a_role_of_an_absent_person_is_not_handed_on(
    opened: Opener, till: Till, reviewer: User, colleague: User, away: Away
) -> None:
    reviewer.groups.add(Group.objects.get(name="sensitive-reader"))
    till.sensitive = ("order",)
    away(reviewer, colleague)
    assert not by(colleague).holds("read_sensitive")
    with pytest.raises(SensitiveHidden):
        approve(opened(), colleague)


def test_a_stand_in_of_a_stand_in_counts_for_nothing(
    opened: Opener, reviewer: User, colleague: User, away: Away
) -> None:
    third = person("third", "reviewer")
    request = opened()
    away(reviewer, colleague)
    Absence.objects.create(
        person=colleague,
        stand_in=third,
        starts_at=database_now() - timedelta(days=1),
        ends_at=database_now() + timedelta(days=1),
    )
    assert {group for group, _ in by(third).memberships} == {other_group("legal").pk}
    assert not sees(third, request)


def test_nobody_stands_in_for_whoever_started_it(
    opened: Opener, reviewer: User, colleague: User, away: Away
) -> None:
    request = opened(initiator=reviewer.pk)
    away(reviewer, colleague)
    assert sees(colleague, request)
    assert not lists(colleague, request)
    for verdict in ("approve", "reject"):
        with pytest.raises(StandsInForInitiator) as refused:
            decide(
                request_id=request.pk,
                decision=verdict_on(request, verdict, reason="no" if verdict == "reject" else None),
                caller=by(colleague),
            )
    assert "started this run" in refused.value.detail
    request.refresh_from_db()
    assert request.state == "pending"


def test_who_has_another_way_in_decides_what_the_absent_person_started(
    opened: Opener, reviewer: User, second_reviewer: User, colleague: User, away: Away
) -> None:
    away(reviewer, colleague)
    away(second_reviewer, colleague)
    request = opened(initiator=reviewer.pk)
    assert lists(colleague, request)
    assert approve(request, colleague).state == "approved"
    assert Vote.objects.get(request=request).on_behalf_of == [second_reviewer.pk]


def test_nobody_stands_in_for_the_editor_of_what_is_to_be_approved(
    opened: Opener, reviewer: User, colleague: User, away: Away
) -> None:
    request = opened()
    edited = verdict_on(request, "edit", arguments={**request.arguments, "amount": "5.00"})
    decide(request_id=request.pk, decision=edited, caller=by(reviewer))
    away(reviewer, colleague)
    assert not lists(colleague, request)
    with pytest.raises(StandsInForEditor):
        approve(request, colleague)
    decide(
        request_id=request.pk,
        decision=verdict_on(request, "reject", reason="no"),
        caller=by(colleague),
    )


def test_a_left_out_owner_group_leaves_its_stand_ins_out(
    opened: Opener, reviewer: User, colleague: User, finance: ReviewGroup, away: Away
) -> None:
    colleague.memberships.create(group=finance)
    request = opened(needs=one_of("finance", exclude_owner=True))
    assert lists(colleague, request)
    reviewer.memberships.filter(group=finance).delete()
    away(reviewer, colleague)
    assert not lists(colleague, request)
    with pytest.raises(NotInGroups):
        approve(request, colleague)


def test_a_left_out_owner_group_voids_the_vote_of_who_stands_in_for_it_since(
    opened: Opener,
    reviewer: User,
    second_reviewer: User,
    colleague: User,
    finance: ReviewGroup,
    support: ReviewGroup,
    away: Away,
) -> None:
    colleague.memberships.create(group=finance)
    second_reviewer.memberships.filter(group=support).delete()
    two = Requirements(groups=(GroupNeed(group="finance", count=2),), exclude_owner=True)
    request = opened(needs=two)
    approve(request, colleague)
    away(reviewer, colleague)
    assert approve(request, second_reviewer).state == "pending"


def test_absent_person_and_stand_in_fill_one_place_by_one_membership(
    opened: Opener, reviewer: User, second_reviewer: User, colleague: User, away: Away
) -> None:
    two = Requirements(groups=(GroupNeed(group="support", count=2),))
    request = opened(needs=two)
    away(reviewer, colleague)
    assert approve(request, colleague).state == "pending"
    # Away, and votes all the same.
    assert approve(request, reviewer).state == "pending"
    assert approve(request, second_reviewer).state == "approved"


def test_a_stand_in_for_two_people_fills_one_place(
    opened: Opener, reviewer: User, second_reviewer: User, colleague: User, away: Away
) -> None:
    two = Requirements(groups=(GroupNeed(group="support", count=2),))
    request = opened(needs=two)
    away(reviewer, colleague)
    away(second_reviewer, colleague)
    assert approve(request, colleague).state == "pending"
    assert approve(request, reviewer).state == "approved"
    vote = Vote.objects.get(request=request, user=colleague)
    assert vote.on_behalf_of == sorted([reviewer.pk, second_reviewer.pk])


def test_the_initiators_membership_fills_no_place_through_a_stand_in(
    opened: Opener, reviewer: User, second_reviewer: User, colleague: User, away: Away
) -> None:
    two = Requirements(groups=(GroupNeed(group="support", count=2),))
    request = opened(needs=two, initiator=reviewer.pk)
    away(reviewer, colleague)
    away(second_reviewer, colleague)
    assert approve(request, colleague).state == "pending"
    # Both by one membership: that of the initiator does not count.
    assert approve(request, second_reviewer).state == "pending"


def test_a_member_who_stands_in_too_lends_the_place_they_do_not_need() -> None:
    # 7 is of Finance (1) and stands in for 8 of Support (2); both places are filled with 9 of Finance.
    needs = [(1, 1), (2, 1)]
    assert not missing(needs, {7: {1}, 9: {1}}, lent={7: [(2, 8)]})
    assert missing(needs, {7: {1}}, lent={7: [(2, 8)]})
    assert missing([(2, 2)], {8: {2}, 9: set()}, lent={9: [(2, 8)]})


def test_mail_reaches_the_stand_in_but_not_about_what_the_absent_person_started(
    opened: Opener, reviewer: User, colleague: User, away: Away
) -> None:
    away(reviewer, colleague)
    theirs, own = opened(), opened(initiator=reviewer.pk)
    assert colleague.email in recipients(to_be_mailed().get(pk=theirs.pk))
    assert colleague.email not in recipients(to_be_mailed().get(pk=own.pk))
    assert not mail.outbox


@pytest.mark.django_db(transaction=True)
async def test_a_stand_in_hears_of_what_happens_in_the_groups(
    reviewer: User, colleague: User, away: Away, support: ReviewGroup
) -> None:
    await sync_to_async(away)(reviewer, colleague)
    heard = await audiences_of(colleague.pk, None, "")
    assert heard is not None
    assert f"group:{support.pk}" in heard


def test_standing_in_lets_nobody_operate_agents_or_runs(
    reviewer: User, colleague: User, away: Away, support: ReviewGroup
) -> None:
    away(reviewer, colleague)
    HostedAgent.objects.create(slug="till", title="Till", category="bounded", owner_group=support)
    with pytest.raises(PermissionMissing):
        disable_agent(slug="till", reason="no", caller=by(colleague))
    disable_agent(slug="till", reason="yes", caller=by(reviewer))
    assert KillSwitch.objects.active().filter(agent__slug="till").exists()


def test_the_deciding_path_costs_no_statement_more(
    opened: Opener, reviewer: User, colleague: User, away: Away
) -> None:
    def statements(user: User) -> int:
        request = opened()
        caller = Caller.of_session(User.objects.get(pk=user.pk))
        with CaptureQueriesContext(connection) as queries:
            decide(request_id=request.pk, decision=verdict_on(request), caller=caller)
        return len(queries)

    statements(reviewer)
    plain = statements(reviewer)
    away(reviewer, colleague)
    assert statements(colleague) == plain


def test_a_question_is_answered_by_its_initiator_on_nobodys_behalf(
    opened: Opener, reviewer: User, operator: User, colleague: User, away: Away
) -> None:
    away(reviewer, colleague)
    asked = opened(
        kind=Kind.QUESTION,
        initiator=colleague.pk,
    )
    ApprovalRequest.objects.filter(pk=asked.pk).update(
        question={"question": "Which?", "schema": {"type": "string"}}
    )
    decide(
        request_id=asked.pk,
        decision=verdict_on(asked, "answer", answer="this"),
        caller=by(colleague),
    )
    assert Vote.objects.get(request=asked).on_behalf_of == []
