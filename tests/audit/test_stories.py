"""The story of a run or a request, as an auditor reads it."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from audit.actors import Actor
from audit.models import Event
from audit.schemas import ActionRef, AgentRef, Outcome
from audit.story import story_of
from tests.audit.conftest import Attacker, Record

Login = Callable[[Client, User], Client]
REFUND = ActionRef("issue_refund", "high", 6100)
DESK = AgentRef("refund-desk")


@pytest.fixture
def told(recorded: Record, reviewer: User, some_request: UUID, some_run: UUID) -> list[Event]:
    """A run from its start to its end, with one request."""
    desk = Actor.agent("refund-desk")
    of_run = {"stream": f"run:{some_run}", "run": some_run, "agent": DESK}
    of_request = {
        "stream": f"request:{some_request}",
        "request": some_request,
        "run": some_run,
        "agent": DESK,
        "action": REFUND,
    }
    return [
        recorded(type="run.woken", actor=desk, **of_run),
        recorded(type="request.claimed", actor=Actor.person(reviewer.pk, "session"), **of_request),
        recorded(
            type="request.decided",
            actor=Actor.person(reviewer.pk, "session"),
            outcome=Outcome("approve"),
            facts={"revision": 1},
            **of_request,
        ),
        recorded(type="run.woken", actor=desk, **of_run),
    ]


def read(page: Client, name: str, pk: UUID) -> str:
    response = page.get(reverse(name, args=[pk]))
    assert response.status_code == 200
    return unescape(response.content.decode())


@pytest.mark.django_db
def test_a_run_is_told_with_its_requests_in_order_and_no_event_missing(
    client: Client, login: Login, auditor: User, told: list[Event], some_run: UUID, reviewer: User
) -> None:
    text = read(login(client, auditor), "audit-run-story", some_run)
    places = [text.index(reverse("audit-event", args=[event.pk])) for event in told]
    assert places == sorted(places)
    assert f"{reviewer} approved “Issue refund”." in text
    assert "No event of this story is missing" in text


@pytest.mark.django_db
def test_a_request_is_told_alone_and_leads_to_its_run(
    client: Client,
    login: Login,
    auditor: User,
    told: list[Event],
    some_run: UUID,
    some_request: UUID,
) -> None:
    text = read(login(client, auditor), "audit-request-story", some_request)
    assert reverse("audit-run-story", args=[some_run]) in text
    assert reverse("audit-event", args=[told[1].pk]) in text
    assert reverse("audit-event", args=[told[0].pk]) not in text


@pytest.mark.django_db(transaction=True)
def test_an_event_that_was_deleted_is_missed(
    client: Client,
    login: Login,
    auditor: User,
    told: list[Event],
    some_run: UUID,
    attacker: Attacker,
) -> None:
    attacker.does("DELETE FROM audit_event WHERE id = %s", told[1].pk)
    text = read(login(client, auditor), "audit-run-story", some_run)
    assert "1 event of this story is not here" in text
    assert "No event of this story is missing" not in text


@pytest.mark.django_db(transaction=True)
def test_what_took_long_is_said_between_the_lines(
    auditor: User, told: list[Event], some_run: UUID, attacker: Attacker
) -> None:
    story = story_of("run", some_run, viewer=auditor)
    assert story is not None
    assert [line.gap for line in story.lines] == [None] * 4
    attacker.does(
        "UPDATE audit_event SET body = convert_to(replace(convert_from(body, 'UTF8'), %s, %s), 'UTF8') "
        "WHERE id = %s",
        f"{told[3].occurred_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        f"{told[3].occurred_at + timedelta(hours=2):%Y-%m-%dT%H:%M:%S.%fZ}",
        told[3].pk,
    )
    later = story_of("run", some_run, viewer=auditor)
    assert later is not None
    gap = later.lines[3].gap
    assert gap is not None
    assert gap >= timedelta(hours=2)


@pytest.mark.django_db
def test_nobody_reads_a_story_who_may_not_read_the_log(
    client: Client, login: Login, reviewer: User, told: list[Event], some_run: UUID
) -> None:
    page = login(client, reviewer)
    assert page.get(reverse("audit-run-story", args=[some_run])).status_code == 403


@pytest.mark.django_db
def test_a_run_without_events_has_no_story(
    client: Client, login: Login, auditor: User, some_run: UUID
) -> None:
    page = login(client, auditor)
    assert page.get(reverse("audit-run-story", args=[some_run])).status_code == 404


@pytest.mark.django_db
def test_a_person_is_called_by_their_name_where_events_are_about_them(
    client: Client, login: Login, auditor: User, recorded: Record, reviewer: User
) -> None:
    recorded(type="signout", stream=f"person:{reviewer.pk}")
    text = unescape(login(client, auditor).get(reverse("audit-list")).content.decode())
    assert f">{reviewer}</a>" in text
    assert f">person:{reviewer.pk}</a>" not in text
