"""Which events are exceptions, and the page that lists them."""

from collections.abc import Callable
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.test import Client
from django.urls import reverse

from accounts.models import User
from audit.actors import Actor
from audit.exceptions import KINDS
from audit.models import Event
from audit.schemas import ActionRef, AgentRef, Outcome, PolicyRef
from tests.audit.conftest import REVIEWER, Record

pytestmark = pytest.mark.django_db
Login = Callable[[Client, User], Client]

HIGH, LOW = ActionRef("issue_refund", "high"), ActionRef("issue_refund", "low")
APPROVED: dict[str, Any] = {"kind": "action", "verdict": "approve", "open_seconds": 2}
GATE = Actor.system("gate")

EXCEPTIONS: list[tuple[str, dict[str, Any]]] = [
    (
        "self_published",
        {"type": "policy.published", "facts": {"alone": True, "tightens_only": True}},
    ),
    (
        "second_waived",
        {"type": "policy.published", "facts": {"alone": True, "second_waived": True}},
    ),
    ("second_waived", {"type": "policy.rolled_back", "facts": {"second_waived": True}}),
    ("sticky_used", {"type": "action.allowed", "policy": PolicyRef(2, rule="sticky-01a1fae6")}),
    ("approval_undone", {"type": "request.undone", "facts": {"why": "taken_back"}}),
    (
        "doubt_by_hand",
        {"type": "request.decided", "facts": {"kind": "in_doubt", "verdict": "happened"}},
    ),
    (
        "own_edit",
        {
            "type": "request.decided",
            "facts": APPROVED | {"verdict": "edit", "material": True, "open_seconds": 60},
        },
    ),
    ("decided_fast", {"type": "request.decided", "action": HIGH, "facts": APPROVED}),
    (
        "decided_fast",
        {"type": "request.voted", "action": ActionRef("pay", "critical"), "facts": APPROVED},
    ),
    (
        "decided_fast",
        {"type": "request.decided", "action": HIGH, "facts": APPROVED | {"open_seconds": None}},
    ),
    ("kill_switch", {"type": "switch.set", "facts": {"scope": "global"}}),
    ("kill_switch", {"type": "switch.lifted", "facts": {"scope": "global"}}),
    ("kill_switch", {"type": "agent.disabled", "agent": AgentRef("refund-desk")}),
    ("kill_switch", {"type": "agent.enabled", "agent": AgentRef("refund-desk")}),
]
ORDINARY: list[dict[str, Any]] = [
    {"type": "policy.published", "facts": {"alone": False, "tightens_only": False}},
    {"type": "policy.published", "actor": Actor.system("policy")},
    {"type": "action.allowed", "policy": PolicyRef(2, rule="small-refunds")},
    {"type": "action.allowed"},
    {
        "type": "request.undone",
        "actor": Actor.agent("refund-desk"),
        "facts": {"why": "world_changed"},
    },
    {"type": "request.decided", "action": HIGH, "facts": APPROVED | {"open_seconds": 3}},
    {"type": "request.decided", "action": HIGH, "facts": APPROVED | {"verdict": "reject"}},
    {"type": "request.decided", "action": LOW, "facts": APPROVED},
    {"type": "request.decided", "action": HIGH, "actor": GATE, "facts": APPROVED},
    {
        "type": "request.decided",
        "facts": APPROVED | {"verdict": "edit", "material": False, "open_seconds": 60},
    },
    {"type": "request.edited", "action": HIGH, "facts": {"kind": "action", "material": True}},
    {"type": "signout"},
]


@pytest.mark.parametrize(("kind", "given"), EXCEPTIONS)
def test_it_is_an_exception_of_its_kind(recorded: Record, kind: str, given: dict[str, Any]) -> None:
    event = recorded(**{"actor": REVIEWER} | given)
    assert [each.exception for each in Event.objects.exceptions().filter(pk=event.pk)] == [kind]  # type: ignore[attr-defined]


@pytest.mark.parametrize("given", ORDINARY)
def test_it_is_no_exception(recorded: Record, given: dict[str, Any]) -> None:
    recorded(**given)
    assert not Event.objects.exceptions().exists()


def test_every_kind_has_a_name_and_an_example() -> None:
    assert {kind for kind, _ in EXCEPTIONS} == set(KINDS)


def test_an_exception_is_found_by_an_index_however_many_events_there_are(recorded: Record) -> None:
    recorded(type="switch.set", facts={"scope": "global"})
    newest = Event.objects.exceptions().newest_first()[:51]
    by_kind = Event.objects.exceptions("kill_switch").newest_first()[:51]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    for plan in (newest.explain(), by_kind.explain()):
        assert "Index Scan" in plan
        # Neither by going through events that are none, nor by putting all exceptions in order first.
        for detour in ("Seq Scan", "Filter", "->  Sort"):
            assert detour not in plan, plan


@pytest.fixture
def page(client: Client, login: Login, auditor: User) -> Client:
    return login(client, auditor)


def text_of(page: Client, given: str = "") -> str:
    answer = page.get(f"{reverse('audit-exceptions')}?{given}")
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_each_row_says_its_kind_and_leads_to_its_story(
    page: Client, recorded: Record, some_request: UUID
) -> None:
    fast = recorded(
        type="request.decided",
        request=some_request,
        action=HIGH,
        outcome=Outcome("approve"),
        facts=APPROVED,
    )
    text = text_of(page)
    assert KINDS["decided_fast"] in text
    assert "2 s" in text
    assert reverse("audit-event", args=[fast.pk]) in text
    assert reverse("audit-request-story", args=[some_request]) in text


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("kind=kill_switch", True),
        ("kind=own_edit", False),
        ("since=2020-01-01", True),
        ("since=2100-01-01", False),
        ("until=2100-01-01", True),
        ("until=9999-12-31", True),
        ("until=2020-01-01", False),
    ],
)
def test_kind_and_period_choose(page: Client, recorded: Record, given: str, found: bool) -> None:
    event = recorded(type="switch.set", facts={"scope": "global"})
    assert (str(event.pk) in text_of(page, given)) is found


def test_filters_that_do_not_fit_are_marked(page: Client) -> None:
    for given in ("kind=nothing", "since=yesterday", "since=2026-02-01&until=2026-01-01"):
        assert page.get(f"{reverse('audit-exceptions')}?{given}").status_code == 422


def test_pages_follow_each_other_without_gap_or_repetition(
    page: Client, recorded: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.views.exceptions.ROWS_PER_PAGE", 2)
    events = [str(recorded(type="switch.set", facts={"scope": "global"}).pk) for _ in range(5)]
    seen, address = [], reverse("audit-exceptions")
    while address:
        answer = page.get(address)
        seen += [str(row.event.pk) for _, row in answer.context["rows"]]
        address = answer.context["next_url"]
    assert seen == events[::-1]


def test_who_may_not_read_the_log_is_refused(client: Client, login: Login, reviewer: User) -> None:
    assert login(client, reviewer).get(reverse("audit-exceptions")).status_code == 403


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_the_database_gathers_statistics_of_a_log_with_exceptions(recorded: Record) -> None:
    """While it does, it looks for functions nowhere but where its own are."""
    for kind, given in EXCEPTIONS:
        if kind in ("kill_switch", "decided_fast"):
            recorded(**{"actor": REVIEWER} | given)
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE audit_event")
        cursor.execute(
            "SELECT count(*) FROM pg_stats WHERE tablename LIKE %s AND attname = %s",
            ["audit_event%", "type"],
        )
        assert cursor.fetchone()[0] > 0
