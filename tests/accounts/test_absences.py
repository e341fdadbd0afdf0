"""Who is out of office and who stands in: naming, ending, by service, page and API."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.callers import Caller
from accounts.deciders import deciders_by_group
from accounts.errors import BadAbsence, PermissionMissing, ScopeMissing, UnknownAbsence
from accounts.models import Absence, EffectiveMembership, User
from accounts.services.end_absence import end_absence
from accounts.services.name_stand_in import name_stand_in
from audit.clock import database_now
from audit.sentences import sentence
from tests.accounts.conftest import SYSTEM, Bodies, MakeToken

Login = Callable[[Client, User], Client]
WEEK = timedelta(days=7)


def of(user: User, *scopes: Any) -> Caller:
    if scopes:
        return Caller(User.objects.get(pk=user.pk), "token:7", frozenset(scopes))
    return Caller.of_session(User.objects.get(pk=user.pk))


def named(
    person: User, stand_in: User, caller: Any = SYSTEM, begin: timedelta = timedelta(0)
) -> Absence:
    start = database_now() + begin
    return name_stand_in(
        person=person, stand_in=stand_in, starts_at=start, ends_at=start + WEEK, caller=caller
    )


def test_a_person_names_their_own_stand_in_and_the_log_says_so(
    reviewer: User, second_reviewer: User, bodies: Bodies
) -> None:
    absence = named(reviewer, second_reviewer, of(reviewer))
    (body,) = bodies("stand_in.named")
    assert body["stream"] == f"person:{reviewer.pk}"
    assert body["actor"]["id"] == str(reviewer.pk)
    assert body["facts"]["stand_in"] == str(second_reviewer.pk)
    end_absence(absence_id=absence.pk, caller=of(reviewer))
    (ended,) = bodies("absence.ended")
    names = {str(reviewer.pk): "Ann", str(second_reviewer.pk): "Ben"}
    assert sentence(body, names) == "Ann named Ben as the stand-in of Ann."
    assert sentence(ended, names).startswith("Ann ended the time in which Ben stands in for Ann")
    assert not EffectiveMembership.objects.filter(on_behalf_of=reviewer).exists()


def test_naming_for_others_takes_the_permission_to_manage_people(
    reviewer: User, second_reviewer: User, operator: User, admin: User
) -> None:
    for caller in (of(second_reviewer), of(operator)):
        with pytest.raises(PermissionMissing):
            named(reviewer, second_reviewer, caller)
    with pytest.raises(ScopeMissing):
        named(reviewer, second_reviewer, of(admin, "decide", "read"))
    assert named(reviewer, second_reviewer, of(admin)).person == reviewer


def test_a_token_names_ones_own_with_the_scope_that_decides(
    reviewer: User, second_reviewer: User
) -> None:
    with pytest.raises(ScopeMissing):
        named(reviewer, second_reviewer, of(reviewer, "read", "run"))
    absence = named(reviewer, second_reviewer, of(reviewer, "decide"))
    with pytest.raises(ScopeMissing):
        end_absence(absence_id=absence.pk, caller=of(reviewer, "read", "run"))


def errors(refused: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = refused.value.params["errors"]
    return found


def test_nobody_stands_in_for_themselves(reviewer: User) -> None:
    with pytest.raises(BadAbsence) as refused:
        named(reviewer, reviewer, of(reviewer))
    assert set(errors(refused)) == {"stand_in"}
    now = database_now()
    with pytest.raises(IntegrityError, match="accounts_absence_of_somebody_else"):
        with transaction.atomic():
            Absence.objects.create(
                person=reviewer, stand_in=reviewer, starts_at=now, ends_at=now + WEEK
            )


def test_both_must_be_able_to_decide(reviewer: User, operator: User) -> None:
    with pytest.raises(BadAbsence) as refused:
        named(reviewer, operator)
    assert set(errors(refused)) == {"stand_in"}
    with pytest.raises(BadAbsence) as refused:
        named(operator, reviewer)
    assert set(errors(refused)) == {"person"}
    User.objects.filter(pk=reviewer.pk).update(is_active=False)
    with pytest.raises(BadAbsence):
        named(operator, reviewer)


def test_one_person_stands_in_at_a_time(reviewer: User, second_reviewer: User, admin: User) -> None:
    third = User.objects.create_user("third")
    third.groups.set(reviewer.groups.all())
    named(reviewer, second_reviewer)
    with pytest.raises(BadAbsence) as refused:
        named(reviewer, third, begin=timedelta(days=3))
    assert "stands in then already" in errors(refused)["starts_at"][0]
    assert named(reviewer, third, begin=timedelta(days=8)).stand_in == third
    with pytest.raises(BadAbsence) as refused:
        named(third, reviewer, begin=timedelta(days=2))
    assert "out of office then too" in errors(refused)["stand_in"][0]


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (timedelta(days=-9), timedelta(days=-1), "over already"),
        (timedelta(days=2), timedelta(days=1), "after the beginning"),
        (timedelta(0), timedelta(days=400), "At most 366 days"),
    ],
)
def test_a_time_that_does_not_hold_is_refused_at_its_field(
    reviewer: User, second_reviewer: User, start: timedelta, end: timedelta, said: str
) -> None:
    now = database_now()
    with pytest.raises(BadAbsence) as refused:
        name_stand_in(
            person=reviewer,
            stand_in=second_reviewer,
            starts_at=now + start,
            ends_at=now + end,
            caller=SYSTEM,
        )
    assert said in errors(refused)["ends_at"][0]
    assert not Absence.objects.exists()


def test_what_began_in_the_past_begins_now(reviewer: User, second_reviewer: User) -> None:
    before = database_now()
    absence = name_stand_in(
        person=reviewer,
        stand_in=second_reviewer,
        starts_at=datetime(2020, 1, 1, tzinfo=UTC),
        ends_at=before + WEEK,
        caller=SYSTEM,
    )
    assert absence.starts_at >= before


def test_it_is_ended_by_those_whom_it_concerns_once(
    reviewer: User, second_reviewer: User, admin: User, auditor: User, bodies: Bodies
) -> None:
    for who in (reviewer, second_reviewer, admin):
        absence = named(reviewer, second_reviewer)
        with pytest.raises(UnknownAbsence):
            end_absence(absence_id=absence.pk, caller=of(auditor))
        end_absence(absence_id=absence.pk, caller=of(who))
        with pytest.raises(UnknownAbsence):
            end_absence(absence_id=absence.pk, caller=of(who))
    assert len(bodies("absence.ended")) == 3


def test_who_decides_for_a_group_includes_who_stands_in(
    reviewer: User, second_reviewer: User
) -> None:
    named(reviewer, second_reviewer)
    by_slug = {entry.group.slug: entry for entry in deciders_by_group()}
    assert by_slug["support"].stand_ins == ["second-reviewer for reviewer"]


def test_settings_name_a_stand_in_and_end_it(
    client: Client, login: Login, reviewer: User, second_reviewer: User, operator: User
) -> None:
    page = login(client, reviewer)
    assert "Nobody stands in." in page.get(reverse("settings")).content.decode()
    typed = {
        "stand_in": str(second_reviewer.pk),
        "starts_at": f"{database_now():%Y-%m-%dT%H:%M}",
        "ends_at": f"{database_now() + WEEK:%Y-%m-%dT%H:%M}",
    }
    refused = page.post(reverse("own-absence"), {**typed, "ends_at": "2020-01-01T10:00"})
    assert refused.status_code == 422
    assert set(refused.context["form"].errors) == {"ends_at"}
    operator_named = page.post(reverse("own-absence"), {**typed, "stand_in": str(operator.pk)})
    assert set(operator_named.context["form"].errors) == {"stand_in"}
    assert page.post(reverse("own-absence"), typed)["Location"] == reverse("settings")
    absence = Absence.objects.get()
    assert (absence.person, absence.stand_in) == (reviewer, second_reviewer)
    assert (
        "<strong>second-reviewer</strong> stands in"
        in page.get(reverse("settings")).content.decode()
    )
    end = reverse("absence-end", kwargs={"pk": absence.pk})
    assert login(Client(), operator).post(end).status_code == 404
    assert page.post(end)["Location"] == reverse("settings")
    assert page.post(end).status_code == 404


def test_an_admin_names_one_on_the_page_of_the_person(
    client: Client, login: Login, reviewer: User, second_reviewer: User, admin: User
) -> None:
    address = reverse("person-absence", kwargs={"pk": reviewer.pk})
    typed = {
        "stand_in": str(second_reviewer.pk),
        "starts_at": "2020-01-01T10:00",
        "ends_at": f"{database_now() + WEEK:%Y-%m-%dT%H:%M}",
    }
    assert login(Client(), second_reviewer).post(address, typed).status_code == 403
    page = login(client, admin)
    back = reverse("person-detail", kwargs={"pk": reviewer.pk})
    assert page.post(address, typed)["Location"] == back
    assert "stands in" in page.get(back).content.decode()
    absence = Absence.objects.get()
    end = reverse("absence-end", kwargs={"pk": absence.pk})
    assert page.post(end)["Location"] == back


def test_programs_name_list_and_end(
    reviewer: User,
    second_reviewer: User,
    admin: User,
    auditor: User,
    outsider: User,
    make_token: MakeToken,
) -> None:
    def ask(user: User, method: str, path: str = "", **body: Any) -> Any:
        return Client().generic(
            method,
            f"/api/v1/absences{path}",
            json.dumps(body),
            "application/json",
            headers={"Authorization": f"Bearer {make_token(user)}"},
        )

    until = (database_now() + WEEK).isoformat()
    made = ask(reviewer, "POST", stand_in="second-reviewer", ends_at=until)
    assert made.status_code == 201, made.content
    assert made.json()["person"] == "reviewer"
    path = f"/{made.json()['id']}"
    for user, seen in ((reviewer, 1), (second_reviewer, 1), (admin, 1), (auditor, 0)):
        assert len(ask(user, "GET").json()["items"]) == seen, user
    again = ask(reviewer, "POST", stand_in="second-reviewer", ends_at=until)
    assert (again.status_code, again.json()["code"]) == (422, "bad_absence")
    naive = ask(reviewer, "POST", stand_in="second-reviewer", ends_at="2030-01-01T10:00:00")
    assert naive.status_code == 422
    other = {"person": "reviewer", "stand_in": "second-reviewer", "ends_at": until}
    assert ask(second_reviewer, "POST", **other).status_code == 403
    # Who may not name one for others does not learn either who there is.
    unknown = {**other, "person": "nobody-at-all"}
    assert ask(second_reviewer, "POST", **unknown).status_code == 403
    assert ask(outsider, "POST", stand_in="nobody-at-all", ends_at=until).status_code == 403
    assert ask(admin, "POST", **{**other, "stand_in": "nobody"}).json()["code"] == "unknown_person"
    assert ask(auditor, "DELETE", path).status_code == 404
    assert ask(second_reviewer, "DELETE", path).status_code == 204
    assert ask(reviewer, "GET").json()["items"] == []
    assert ask(admin, "POST", **other).status_code == 201
