"""Deadlines in working hours: opening, extending, escalating, reopening, reminding."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import Membership, ReviewGroup, User
from approvals.calendar_errors import CalendarUnknown
from approvals.calendars import Calendar, add_working, load, working_seconds_between
from approvals.errors import BadPolicy, DeadlinePassed
from approvals.gate import judge
from approvals.models import ApprovalRequest, FirstMail, PolicyVersion, WorkingCalendar
from approvals.policies import BaselineRow, Policy, PublishedPolicy, Rule
from approvals.schemas import Preview, Requirements
from approvals.services import policies
from approvals.services.consume import consume
from approvals.services.decide import decide
from approvals.services.extend import extend
from approvals.services.publish import publish
from approvals.services.reopen import reopen_changed
from approvals.services.sweep import sweep
from approvals.services.tighten import tighten_open
from approvals.views.listed import Listed
from approvals.views.request_view import RequestView
from approvals.vocabulary import Expiry, Kind
from audit.actors import Actor
from audit.canonical import loads_strict
from audit.clock import database_now
from audit.models import Event
from tests.approvals.conftest import Opener
from tests.approvals.till import by, context, events_of, one_of, refund, sure, verdict_on

SYSTEM = Actor.system("test")
NIGHTS = {
    "slug": "nights",
    "title": "Nights",
    "timezone": "America/New_York",
    "hours": {"monday": ["22:00-06:00"], "thursday": ["00:00-24:00"]},
    "holidays": [],
}


@pytest.fixture
def nights(db: None) -> Calendar:
    WorkingCalendar.objects.create(slug="nights", title="Nights", document=NIGHTS)
    return load(NIGHTS)


def past_due(request: ApprovalRequest) -> None:
    ApprovalRequest.objects.filter(pk=request.pk).update(
        review_deadline=database_now() - timedelta(seconds=1)
    )


def bodies(request: ApprovalRequest, type: str) -> list[dict[str, Any]]:
    rows = Event.objects.filter(stream=f"request:{request.pk}", type=type).order_by("seq")
    return [loads_strict(bytes(row.body)) for row in rows]


def test_the_policy_as_shipped_counts_24_hours_of_the_working_week(opened: Opener) -> None:
    week = WorkingCalendar.objects.get(slug="working-week").calendar
    assert policies.current().policy.calendar == "working-week"
    request = opened()
    assert request.review_deadline == add_working(request.created_at, 24 * 3600, week)
    assert request.counts_by == week


def test_a_setting_has_the_shipped_policy_count_around_the_clock(
    opened: Opener, settings: Settings
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"calendar": ""})
    request = opened()
    assert request.review_deadline == request.created_at + timedelta(hours=24)
    assert (request.calendar, policies.current().policy.calendar) == (None, "")


def test_the_shipped_policy_names_no_calendar_that_is_not_there(
    db: None, settings: Settings
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"calendar": "nowhere"})
    with pytest.raises(BadPolicy, match="there is no working calendar nowhere"):
        policies.current()
    assert not PolicyVersion.objects.exists()


def test_a_rule_has_a_calendar_of_its_own(opened: Opener, nights: Calendar) -> None:
    request = opened(needs=Requirements(review_hours=5, calendar="nights"))
    assert request.review_deadline == add_working(request.created_at, 5 * 3600, nights)
    half = add_working(request.created_at, 2.5 * 3600, nights)
    assert request.remind_at == half


def test_what_passes_no_policy_counts_by_the_installations_calendar(opened: Opener) -> None:
    request = opened(kind=Kind.QUESTION)
    assert request.needs.calendar == "working-week"
    week = WorkingCalendar.objects.get(slug="working-week").calendar
    assert request.review_deadline == add_working(request.created_at, 24 * 3600, week)


def test_a_request_keeps_the_calendar_it_was_opened_by(
    opened: Opener, nights: Calendar, reviewer: User
) -> None:
    request = opened(needs=Requirements(calendar="nights", review_hours=2))
    changed = {**NIGHTS, "hours": {"friday": ["01:00-03:00"]}}
    WorkingCalendar.objects.filter(slug="nights").update(document=changed)
    until = extend(request_id=request.pk, hours=3, caller=by(reviewer))
    assert until == add_working(request.created_at, 5 * 3600, nights)
    later = opened(needs=Requirements(calendar="nights", review_hours=2))
    assert later.review_deadline == add_working(later.created_at, 2 * 3600, load(changed))


def test_an_unknown_calendar_opens_nothing_by_another(opened: Opener) -> None:
    with pytest.raises(CalendarUnknown):
        opened(needs=Requirements(calendar="nowhere"))
    assert not ApprovalRequest.objects.exists()


def test_a_calendar_costs_no_statement_more_than_none(opened: Opener, nights: Calendar) -> None:
    counted = []
    for name in ("", "nights"):
        opened(needs=Requirements(calendar=name))
        with CaptureQueriesContext(connection) as queries:
            opened(needs=Requirements(calendar=name))
        counted.append(len(queries))
        about = [query for query in queries if "workingcalendar" in query["sql"]]
        assert len(about) == (1 if name else 0)
    assert counted[0] == counted[1]


def test_extending_adds_working_hours_and_moves_the_reminder(
    opened: Opener, nights: Calendar, reviewer: User
) -> None:
    request = opened(needs=Requirements(calendar="nights", review_hours=2))
    before = request.review_deadline
    extend(request_id=request.pk, hours=10, caller=by(reviewer))
    request.refresh_from_db()
    assert request.review_deadline == add_working(before, 10 * 3600, nights)
    left = working_seconds_between(database_now(), request.review_deadline, nights)
    half = working_seconds_between(request.remind_at, request.review_deadline, nights)
    assert half == pytest.approx(left / 2, abs=5)


def test_what_asks_for_no_reminder_has_none(opened: Opener, reviewer: User) -> None:
    request = opened(needs=Requirements(reminder=False))
    assert request.remind_at is None
    extend(request_id=request.pk, hours=1, caller=by(reviewer))
    request.refresh_from_db()
    assert request.remind_at is None


def test_a_reopened_request_has_the_whole_working_time_anew(
    opened: Opener, nights: Calendar, reviewer: User
) -> None:
    request = opened(needs=Requirements(calendar="nights", review_hours=5))
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    ApprovalRequest.objects.filter(pk=request.pk).update(reminded_at=database_now())
    start = database_now()
    with transaction.atomic():
        reopened = reopen_changed(
            request_id=request.pk,
            revision=1,
            preview=Preview(title="Refund"),
            what="The order changed.",
            actor=SYSTEM,
        )
    assert reopened.review_deadline >= add_working(start, 5 * 3600, nights)
    assert reopened.remind_at < reopened.review_deadline
    assert reopened.reminded_at is None
    assert reopened.counts_by == nights


def test_a_reminder_says_in_the_log_who_is_asked(
    opened: Opener, reviewer: User, second_reviewer: User, bystanders: list[User]
) -> None:
    request = opened(initiator=second_reviewer.pk)
    FirstMail.objects.filter(request=request).delete()
    ApprovalRequest.objects.filter(pk=request.pk).update(remind_at=database_now())
    assert sweep()["reminded"] == 1
    (body,) = bodies(request, "request.reminded")
    assert body["facts"]["groups"] == ["support"]
    asked = body["facts"]["asked"]
    assert set(asked) == {str(each.pk) for each in (reviewer, *bystanders)}


def on_expiry(request: ApprovalRequest, reader: User) -> str:
    """What the request's page says will happen when the time is over."""
    return RequestView(request, by(reader), Listed()).on_expiry


def test_escalation_gives_the_next_group_its_working_time_and_says_who_is_asked(
    opened: Opener, nights: Calendar, reviewer: User, bystanders: list[User]
) -> None:
    chain = Requirements(
        on_expiry=Expiry.ESCALATE, escalation=("finance",), review_hours=2, calendar="nights"
    )
    request = opened(needs=chain)
    assert on_expiry(request, reviewer) == "it is shown to Finance too"
    past_due(request)
    start = database_now()
    sweep()
    request.refresh_from_db()
    assert on_expiry(request, reviewer) == "it is rejected"
    assert request.review_deadline >= add_working(start, 2 * 3600, nights)
    assert request.remind_at is not None
    (body,) = bodies(request, "request.escalated")
    assert body["facts"]["group"] == "finance"
    asked = body["facts"]["asked"]
    assert set(asked) == {str(each.pk) for each in (reviewer, *bystanders)}
    assert body["facts"]["level"] == 1
    assert "request.extended" not in events_of(request)


@pytest.mark.parametrize("why", ["initiator", "editor", "nobody", "no permission"])
def test_a_group_in_which_nobody_could_decide_is_passed_over_aloud(
    opened: Opener,
    operator: User,
    reviewer: User,
    second_reviewer: User,
    outsider: User,
    support: ReviewGroup,
    why: str,
) -> None:
    empty = ReviewGroup.objects.create(slug="empty", title="Empty")
    last = ReviewGroup.objects.create(slug="last", title="Last")
    Membership.objects.create(user=reviewer, group=last)
    only = {
        "initiator": second_reviewer,
        "editor": second_reviewer,
        "nobody": None,
        "no permission": outsider,
    }[why]
    if only is not None:
        Membership.objects.create(user=only, group=empty)
    needs = Requirements(on_expiry=Expiry.ESCALATE, escalation=("empty", "last"), review_hours=2)
    request = opened(needs=needs, initiator=(only if why == "initiator" else operator).pk)
    if why == "editor":
        ApprovalRequest.objects.filter(pk=request.pk).update(barred_editor=only)
    past_due(request)
    sweep()
    request.refresh_from_db()
    assert request.escalation_level == 2
    assert [b["facts"]["group"] for b in bodies(request, "request.passed_over")] == ["empty"]
    assert [b["facts"]["group"] for b in bodies(request, "request.escalated")] == ["last"]
    assert not request.groups.filter(slug="empty").exists()


def test_escalating_to_a_group_that_was_asked_asks_for_no_fewer_people(
    opened: Opener, reviewer: User, second_reviewer: User, bystanders: list[User]
) -> None:
    both = one_of("finance", "support")
    needs = both.model_copy(update={"on_expiry": Expiry.ESCALATE, "escalation": ("finance",)})
    request = opened(needs=needs)
    past_due(request)
    sweep()
    request.refresh_from_db()
    assert request.escalation_level == 1
    asked = request.request_groups.values_list("group__slug", "needed", "stands_in")
    assert set(asked) == {("finance", 1, True), ("support", 1, False)}
    decided = decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    assert decided.state == "pending"
    # Tightened while it waits, it asks for more of the same group, which still stands in.
    policy = policies.current().policy.document()
    policy["baseline"][1]["requirements"]["groups"] = [{"group": "finance", "count": 2}]
    publish(document=policy, base_version=1, caller=SYSTEM, why="Two of them.")
    tighten_open()
    assert set(asked.all()) == {("finance", 2, True), ("support", 1, False)}
    request.refresh_from_db()
    votes = ((reviewer, "pending"), (second_reviewer, "pending"), (bystanders[0], "approved"))
    for person, state in votes:
        decided = decide(request_id=request.pk, decision=verdict_on(request), caller=by(person))
        assert decided.state == state


def test_the_last_deadline_of_a_chain_counts_before_the_sweep_comes(
    opened: Opener, reviewer: User, finance: ReviewGroup
) -> None:
    needs = Requirements(on_expiry=Expiry.ESCALATE, escalation=("finance",))
    request = opened(needs=needs)
    past_due(request)
    sweep()
    request.refresh_from_db()
    assert (request.state, request.escalation_level) == ("pending", 1)
    past_due(request)
    with pytest.raises(DeadlinePassed):
        decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    sweep()
    request.refresh_from_db()
    assert request.state == "expired"


def test_a_chain_in_which_nobody_could_decide_ends_in_a_no(opened: Opener) -> None:
    ReviewGroup.objects.create(slug="empty", title="Empty")
    request = opened(needs=Requirements(on_expiry=Expiry.ESCALATE, escalation=("empty",)))
    past_due(request)
    sweep()
    request.refresh_from_db()
    assert request.state == "expired"
    assert events_of(request)[-2:] == ["request.passed_over", "request.expired"]


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (Policy(calendar="nowhere"), "calendar"),
        (
            Policy(baseline=(BaselineRow(requirements=Requirements(calendar="nowhere")),)),
            "baseline.0.requirements.calendar",
        ),
        (
            Policy(
                rules=(
                    Rule(
                        name="r",
                        effect="review",
                        requirements=one_of("@owner", calendar="nowhere"),
                    ),
                )
            ),
            "rules.0.requirements.calendar",
        ),
    ],
)
def test_a_policy_that_names_an_unknown_calendar_is_refused_at_its_field(
    db: None, policy: Policy, field: str
) -> None:
    base = policies.current().version
    with pytest.raises(BadPolicy, match="no working calendar nowhere") as refused:
        publish(document=policy, base_version=base, caller=SYSTEM, why="test")
    assert [error["field"] for error in refused.value.params["errors"]] == [field]
    assert policies.current().version == base


@pytest.mark.parametrize(
    ("one", "other", "sum_"),
    [
        ((4, None), (24, "office"), (4, None)),
        ((4, "office"), (24, "nights"), (4, "office")),
        ((None, "office"), (None, None), (None, "office")),
        ((4, "office"), (4, None), (4, "office")),
        ((4, "office"), (4, "nights"), (4, "nights")),
        ((4, "office"), (4, ""), (4, "")),
        ((None, "office"), (24, None), (24, None)),
    ],
)
def test_requirements_added_up_keep_the_sooner_deadline(
    one: tuple[Any, Any], other: tuple[Any, Any], sum_: tuple[Any, Any]
) -> None:
    a, b = (Requirements(review_hours=hours, calendar=name) for hours, name in (one, other))
    for both in (a.plus(b), b.plus(a)):
        assert (both.review_hours, both.calendar) == sum_


def test_what_never_expires_has_no_calendar(opened: Opener) -> None:
    request = opened(kind=Kind.ATTENTION)
    assert (request.review_deadline, request.remind_at, request.calendar) == (None, None, None)


@pytest.mark.parametrize("by_what", ["tightening", "spending", "editing"])
def test_a_policy_of_later_does_not_change_the_calendar_of_what_is_open(
    opened: Opener,
    nights: Calendar,
    reviewer: User,
    second_reviewer: User,
    by_what: str,
) -> None:
    request = opened(needs=Requirements(calendar="nights", undo_seconds=0))
    if by_what == "spending":
        decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    two = one_of("support", "finance", undo_seconds=0, review_hours=1, calendar="working-week")
    rule = {"name": "both", "effect": "review", "requirements": two.model_dump()}
    current = policies.current()
    document = current.policy.document() | {"rules": [rule]}
    publish(document=document, base_version=current.version, caller=SYSTEM, why="Tighter.")
    if by_what == "tightening":
        assert tighten_open() == 1
    elif by_what == "spending":
        with transaction.atomic():
            spent = consume(request_id=request.pk, revision=1, digest=request.digest, actor=SYSTEM)
        assert spent.outcome == "reopened"
    else:
        ApprovalRequest.objects.filter(pk=request.pk).update(checked_version=2)
        edited = verdict_on(request, "edit", arguments={**request.arguments, "amount": "5.00"})
        decide(request_id=request.pk, decision=edited, caller=by(reviewer))
    request.refresh_from_db()
    assert request.revision == 2
    assert (request.needs.calendar, request.counts_by) == ("nights", nights)


@pytest.mark.parametrize(("own", "counted"), [(None, "office"), ("nights", "nights"), ("", "")])
def test_the_gate_fills_in_the_policys_calendar_where_a_rule_names_none(
    own: str | None, counted: str
) -> None:
    rule = Rule(name="r", effect="review", requirements=one_of("finance", calendar=own))
    policy = Policy(rules=(rule,), calendar="office")
    verdict = judge(refund(), sure(), context(), PublishedPolicy(1, policy.digest(), policy))
    assert verdict.requirements is not None
    assert verdict.requirements.calendar == counted
