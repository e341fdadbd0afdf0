"""Working calendars as they are kept: services, pages and API, and who may."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.callers import Caller
from accounts.errors import PermissionMissing, ScopeMissing
from accounts.models import User
from accounts.services.create_token import create_token
from approvals.calendar_errors import CalendarInUse, CalendarTaken, CalendarUnknown
from approvals.calendars import add_working
from approvals.models import ApprovalRequest, WorkingCalendar
from approvals.policies import Policy
from approvals.schemas import Requirements
from approvals.services import policies
from approvals.services.delete_calendar import delete_calendar
from approvals.services.publish import publish
from approvals.services.set_calendar import change_calendar, create_calendar
from approvals.templatetags.interface import due
from audit.actors import Actor
from audit.canonical import loads_strict
from audit.models import Event
from audit.sentences import sentence
from tests.approvals.conftest import Opener
from tests.approvals.till import by_token

SYSTEM = Actor.system("test")
Login = Callable[[Client, User], Client]
OFFICE: dict[str, Any] = {
    "slug": "office",
    "title": "Office",
    "timezone": "Europe/Berlin",
    "hours": {"monday": ["09:00-12:00", "13:00-17:00"], "friday": ["09:00-15:00"]},
    "holidays": [{"day": "2026-12-25", "name": "Christmas Day"}],
}
TYPED = {
    "title": "Office",
    "slug": "office",
    "timezone": "Europe/Berlin",
    "monday": "09:00-12:00, 13:00-17:00",
    "friday": "09:00-15:00",
    "holidays": "2026-12-25 Christmas Day\n\n",
}


def events() -> list[dict[str, Any]]:
    rows = Event.objects.filter(type__startswith="calendar.").order_by("inserted_at", "seq")
    return [loads_strict(bytes(row.body)) for row in rows]


def bearer(user: User, *scopes: str) -> Client:
    made = create_token(person=user, name="tests", scopes=scopes or None, caller=SYSTEM)
    return Client(headers={"Authorization": f"Bearer {made.bearer}"})


def test_a_calendar_is_set_up_changed_and_deleted_each_on_the_record(admin: User) -> None:
    caller = Caller.of_session(admin)
    create_calendar(document=OFFICE, caller=caller)
    change_calendar(slug="office", document={**OFFICE, "title": "Bureau"}, caller=caller)
    # What says the same is no change.
    change_calendar(slug="office", document={**OFFICE, "title": "Bureau"}, caller=caller)
    delete_calendar(slug="office", caller=caller)
    told = events()
    assert [each["type"] for each in told] == [
        "calendar.created",
        "calendar.changed",
        "calendar.deleted",
    ]
    assert told[1]["facts"]["from_sha256"] == told[0]["facts"]["sha256"]
    assert told[2]["facts"]["sha256"] == told[1]["facts"]["sha256"]
    names = {str(admin.pk): "Ann"}
    assert sentence(told[0], names) == "Ann set up the working calendar office."


@pytest.mark.parametrize("what", ["create", "change", "delete"])
def test_only_who_publishes_policies_keeps_calendars(
    admin: User, reviewer: User, what: str
) -> None:
    create_calendar(document=OFFICE, caller=SYSTEM)
    moves: dict[str, Callable[[Caller], object]] = {
        "create": lambda who: create_calendar(document={**OFFICE, "slug": "new"}, caller=who),
        "change": lambda who: change_calendar(
            slug="office", document={**OFFICE, "title": "New"}, caller=who
        ),
        "delete": lambda who: delete_calendar(slug="office", caller=who),
    }
    with pytest.raises(PermissionMissing):
        moves[what](Caller.of_session(reviewer))
    with pytest.raises(ScopeMissing):
        moves[what](by_token(admin, "read", "decide"))
    assert len(events()) == 1


def test_a_calendar_that_the_policy_in_force_names_is_not_deleted(
    db: None, settings: Settings
) -> None:
    with pytest.raises(CalendarInUse, match="Policy version 1"):
        delete_calendar(slug="working-week", caller=SYSTEM)
    create_calendar(document=OFFICE, caller=SYSTEM)
    publish(document=Policy(calendar="office"), base_version=1, caller=SYSTEM, why="test")
    with pytest.raises(CalendarInUse, match="Policy version 2"):
        delete_calendar(slug="office", caller=SYSTEM)
    # What this installation's settings name is needed too: by questions, which pass no policy.
    with pytest.raises(CalendarInUse, match="COUNTERSIGN_CALENDAR"):
        delete_calendar(slug="working-week", caller=SYSTEM)
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"calendar": "office"})
    delete_calendar(slug="working-week", caller=SYSTEM)
    with pytest.raises(CalendarUnknown):
        delete_calendar(slug="working-week", caller=SYSTEM)
    assert set(WorkingCalendar.objects.values_list("slug", flat=True)) == {"office"}


def test_two_calendars_do_not_have_one_name(db: None) -> None:
    create_calendar(document=OFFICE, caller=SYSTEM)
    with pytest.raises(CalendarTaken):
        create_calendar(document=OFFICE, caller=SYSTEM)
    with pytest.raises(CalendarUnknown):
        change_calendar(slug="other", document=OFFICE, caller=SYSTEM)


def test_an_open_request_outlives_its_calendar(opened: Opener) -> None:
    policies.current()
    create_calendar(document=OFFICE, caller=SYSTEM)
    request = opened(needs=Requirements(calendar="office"))
    delete_calendar(slug="office", caller=SYSTEM)
    request.refresh_from_db()
    assert request.counts_by is not None
    assert request.counts_by.document() == {**OFFICE}


def test_an_admin_keeps_calendars_by_page(client: Client, login: Login, admin: User) -> None:
    page = login(client, admin)
    answer = page.post(reverse("calendar-add"), TYPED)
    assert (answer.status_code, answer["Location"]) == (302, reverse("calendar-list"))
    row = WorkingCalendar.objects.get(slug="office")
    assert row.calendar.document() == OFFICE
    address = reverse("calendar-detail", kwargs={"slug": "office"})
    form = page.get(address).context["form"]
    assert form.initial["monday"] == "09:00-12:00, 13:00-17:00"
    assert form.initial["holidays"] == "2026-12-25 Christmas Day"
    changed = {**TYPED, "tuesday": "22:00-06:00", "holidays": ""}
    assert page.post(address, changed).status_code == 302
    row.refresh_from_db()
    assert row.calendar.hours["tuesday"] == ("22:00-06:00",)
    listed = page.get(reverse("calendar-list")).content.decode()
    assert "Tuesday 22:00–06:00" in listed
    delete = reverse("calendar-delete", kwargs={"slug": "office"})
    assert page.post(delete).status_code == 302
    assert page.post(delete).status_code == 404
    refused = page.post(reverse("calendar-delete", kwargs={"slug": "working-week"}))
    assert refused.status_code == 409
    assert "counts by the calendar working-week" in refused.content.decode()


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"monday": "nine to five"}, "monday", "write 09:00-17:00"),
        ({"monday": "09:00-12:00, 11:00-17:00"}, "monday", "Monday overlap"),
        ({"timezone": "Mars"}, "timezone", "no time zone Mars"),
        ({"slug": "Office Hours"}, "slug", "pattern"),
        ({"slug": "working-week"}, "slug", "There is a calendar working-week already"),
        ({"holidays": "25 December"}, "holidays", "Line 1"),
        ({"holidays": "2026-02-30 Never"}, "holidays", "2026-02-30 Never"),
        ({"holidays": "2026-12-25 A\n2026-12-25 B"}, "holidays", "stands twice"),
        ({"monday": "", "friday": ""}, None, "at least one hour"),
        ({"title": ""}, "title", "required"),
    ],
)
def test_what_does_not_hold_is_said_at_its_field_and_keeps_what_was_typed(
    client: Client,
    login: Login,
    admin: User,
    typed: dict[str, str],
    field: str | None,
    said: str,
) -> None:
    answer = login(client, admin).post(reverse("calendar-add"), {**TYPED, **typed})
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert set(errors) == {field or "__all__"}
    assert said in str(errors)
    assert said in answer.content.decode()
    assert not WorkingCalendar.objects.filter(slug="office").exists()


def test_all_that_does_not_hold_is_said_at_once(client: Client, login: Login, admin: User) -> None:
    typed = {**TYPED, "monday": "9", "sunday": "10:00-10:00", "holidays": "never"}
    answer = login(client, admin).post(reverse("calendar-add"), typed)
    assert set(answer.context["form"].errors) == {"monday", "sunday", "holidays"}


def test_a_reviewer_reads_calendars_and_changes_none(
    client: Client, login: Login, reviewer: User
) -> None:
    page = login(client, reviewer)
    shown = page.get(reverse("calendar-detail", kwargs={"slug": "working-week"}))
    assert shown.status_code == 200
    assert shown.context["form"] is None
    assert "Monday to Friday 09:00–17:00" in shown.content.decode()
    address = reverse("calendar-detail", kwargs={"slug": "working-week"})
    for path in (address, reverse("calendar-add"), f"{address}delete/"):
        assert page.post(path, TYPED).status_code == 403
    assert page.get(reverse("calendar-add")).status_code == 403
    assert not events()


def test_a_person_without_a_part_in_policies_sees_no_calendar(
    client: Client, login: Login, outsider: User
) -> None:
    page = login(client, outsider)
    assert page.get(reverse("calendar-list")).status_code == 403
    assert bearer(outsider).get("/api/v1/calendars").status_code == 403


def test_programs_keep_calendars_too(admin: User, reviewer: User) -> None:
    client, path = bearer(admin), "/api/v1/calendars/office"
    body = {name: value for name, value in OFFICE.items() if name != "slug"}

    def put(**changes: Any) -> Any:
        return client.put(path, json.dumps(body | changes), content_type="application/json")

    assert put().status_code == 201
    answer = put(title="Bureau")
    assert (answer.status_code, answer.json()["title"]) == (200, "Bureau")
    assert client.get(path).json() == {**OFFICE, "title": "Bureau"}
    listed = bearer(reviewer, "read").get("/api/v1/calendars").json()["items"]
    assert [each["slug"] for each in listed] == ["office", "working-week"]
    refused = put(hours={"monday": ["9-17"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_calendar")
    assert refused.json()["params"]["errors"][0]["field"] == "hours.monday.0"
    assert put(surprise=1).status_code == 422
    assert client.delete(path).status_code == 204
    assert client.delete(path).json()["code"] == "calendar_unknown"
    in_use = client.delete("/api/v1/calendars/working-week")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "calendar_in_use")


def test_a_page_says_how_many_working_hours_are_left(
    opened: Opener, client: Client, login: Login, reviewer: User
) -> None:
    request = opened(needs=Requirements(review_hours=15))
    calendar = request.counts_by
    assert calendar is not None
    # Half an hour has passed, whenever this runs.
    deadline = add_working(timezone.now(), 14.5 * 3600, calendar)
    ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=deadline)
    page = login(client, reviewer)
    shown = page.get(reverse("request-detail", kwargs={"pk": request.pk})).content.decode()
    assert "14 working hours left" in shown
    assert "4 working hours</option>" in shown
    assert "14 working h</time>" in page.get(reverse("inbox-rows")).content.decode()


def test_the_last_hour_and_every_hour_around_the_clock_are_a_countdown(opened: Opener) -> None:
    around = opened(needs=Requirements(calendar="", review_hours=5))
    assert "data-working" not in due(around)
    assert "4 h" in due(around)
    soon = opened()
    soon.review_deadline = timezone.now() + timedelta(minutes=30, seconds=30)
    assert "data-working" not in due(soon)
    assert ">30:" in due(soon)


def test_hours_in_which_nobody_works_are_counted_by_the_clock(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = opened()
    saturday = datetime(2026, 11, 21, 10, tzinfo=UTC)
    request.review_deadline = saturday + timedelta(hours=3)
    monkeypatch.setattr(timezone, "now", lambda: saturday)
    for short in (False, True):
        assert ">3 h</time>" in due(request, short=short)
