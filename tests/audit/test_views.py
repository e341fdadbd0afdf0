"""The auditor's pages, without a script."""

import re
from collections.abc import Callable
from html import unescape
from uuid import UUID

import pytest
from django.test import AsyncClient, Client
from django.urls import reverse

from accounts.models import ReviewGroup, User
from agents.models import HostedAgent
from approvals.models import WorkingCalendar
from audit.actors import Actor
from audit.models import Event, Export
from audit.schemas import ActionRef, AgentRef, Disclose, Outcome
from audit.services.write_export import write_export
from tests.audit.conftest import Record

Login = Callable[[Client, User], Client]
pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client: Client, login: Login, auditor: User) -> Client:
    """The auditor's browser."""
    return login(client, auditor)


@pytest.fixture
def decided(recorded: Record, reviewer: User, some_request: UUID, some_run: UUID) -> Event:
    return recorded(
        type="request.decided",
        actor=Actor.person(reviewer.pk, "session"),
        stream=f"request:{some_request}",
        request=some_request,
        run=some_run,
        agent=AgentRef("refund-desk"),
        action=ActionRef("issue_refund", "high", 6100),
        outcome=Outcome("approve"),
        facts={"revision": 1},
        disclosures=[Disclose("reason", "<b>charged twice</b>", f"person:{reviewer.pk}")],
    )


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_an_event_is_a_sentence_with_its_links(
    page: Client, decided: Event, some_request: UUID, reviewer: User
) -> None:
    text = text_of(page, reverse("audit-list"))
    assert f"{reviewer} approved “Issue refund”." in text
    assert reverse("audit-event", args=[decided.pk]) in text
    assert reverse("audit-request-story", args=[some_request]) in text
    assert f"?person={reviewer.pk}" in text


def test_the_newest_event_stands_first(page: Client, recorded: Record) -> None:
    recorded(type="signout")
    recorded(type="signin.succeeded")
    text = text_of(page, reverse("audit-list"))
    assert text.index("<code>signin.succeeded") < text.index("<code>signout")


@pytest.mark.parametrize(
    "given",
    [
        "person=reviewer",
        "person=REVIEWER",
        "person={reviewer}",
        "agent=refund-desk",
        "tool=issue_refund",
        "type=request.decided",
        "type=request.*",
        "run={run}",
        "request={request}",
        "stream=request:{request}",
        "since=2020-01-01T00:00",
        "until=2100-01-01T00:00",
        "person=reviewer&type=request.decided&tool=issue_refund",
    ],
)
def test_filters_in_the_address_find_the_event(
    page: Client, decided: Event, reviewer: User, given: str
) -> None:
    given = given.format(reviewer=reviewer.pk, run=decided.run, request=decided.request)
    text = text_of(page, f"{reverse('audit-list')}?{given}")
    assert str(decided.pk) in text


@pytest.mark.parametrize(
    "given",
    [
        "person=second-reviewer",
        "agent=another",
        "tool=send_email",
        "type=signout",
        "type=run.*",
        "run=01a1fae6-52ea-7d20-9c84-529a0f2dd01c",
        "request=01a1fae6-52ea-7d20-9c84-529a0f2dd01c",
        "stream=log",
        "since=2100-01-01T00:00",
        "until=2020-01-01T00:00",
        "person=reviewer&type=signout",
    ],
)
def test_filters_leave_out_what_does_not_fit(page: Client, decided: Event, given: str) -> None:
    text = text_of(page, f"{reverse('audit-list')}?{given}")
    assert str(decided.pk) not in text
    assert "No event fits these filters" in text


@pytest.mark.parametrize(
    "given",
    ["run=7", "type=nothing", "since=yesterday", "since=2026-02-01T00:00&until=2026-01-01T00:00"],
)
def test_filters_that_do_not_fit_are_marked(page: Client, decided: Event, given: str) -> None:
    response = page.get(f"{reverse('audit-list')}?{given}")
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.content.decode()
    assert str(decided.pk) not in response.content.decode()


def test_pages_lead_through_all_events(
    page: Client, recorded: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.views.EVENTS_PER_PAGE", 2)
    expected = {str(recorded().pk) for _ in range(5)}
    address, seen = f"{reverse('audit-list')}?type=request.*", []
    for _ in range(3):
        text = text_of(page, address)
        found = re.findall(r"/audit/events/([0-9a-f-]{36})/", text)
        seen += found
        following = re.search(r'href="([^"]+)" rel="next"', text)
        address = following.group(1) if following else ""
    assert address == ""
    assert len(seen) == 5
    assert set(seen) == expected


def test_a_stale_cursor_leads_to_the_first_page(page: Client) -> None:
    response = page.get(f"{reverse('audit-list')}?type=signout&cursor=nonsense")
    assert response.status_code == 302
    assert response["Location"] == f"{reverse('audit-list')}?type=signout"


def test_an_event_opens_its_json_hashes_and_neighbours(
    page: Client, recorded: Record, decided: Event
) -> None:
    after = recorded(stream=decided.stream, type="request.undone")
    text = text_of(page, reverse("audit-event", args=[decided.pk]))
    assert '"revision": 1' in text
    assert f"sha256:{decided.leaf_hex}" in text
    assert "Nothing: it is the first" in text
    assert reverse("audit-event", args=[after.pk]) in text
    assert reverse("request-detail", args=[decided.request]) in text
    assert reverse("run-detail", args=[decided.run]) in text


def test_disclosures_are_shown_when_asked_for_and_recorded(page: Client, decided: Event) -> None:
    address = reverse("audit-event", args=[decided.pk])
    assert "charged twice" not in text_of(page, address)
    assert not Event.objects.filter(type="disclosure.read").exists()

    shown = page.get(f"{address}?disclosures=shown").content.decode()
    assert "&lt;b&gt;charged twice&lt;/b&gt;" in shown
    assert Event.objects.filter(type="disclosure.read").count() == 1


def test_agents_tools_groups_and_calendars_are_called_by_their_titles(
    page: Client, recorded: Record, reviewer: User, decided: Event, some_run: UUID
) -> None:
    group = ReviewGroup.objects.create(slug="risk-desk", title="Risk and compliance")
    HostedAgent.objects.create(
        slug="refund-desk", title="Refund office", category="bounded", owner_group=group
    )
    WorkingCalendar.objects.create(slug="bank-days", title="Bank days", document={})
    by = Actor.person(reviewer.pk, "session")
    joined = {"person": str(reviewer.pk), "group": "risk-desk"}
    recorded(type="group.joined", actor=by, stream=f"person:{reviewer.pk}", facts=joined)
    recorded(type="calendar.created", actor=by, stream="policy", facts={"calendar": "bank-days"})
    changed = {"person": str(reviewer.pk), "added": ["records-keeper"], "removed": []}
    recorded(type="role.changed", actor=by, stream=f"person:{reviewer.pk}", facts=changed)
    recorded(
        type="model.called",
        actor=Actor.agent("refund-desk"),
        stream=f"run:{some_run}",
        run=some_run,
        agent=AgentRef("refund-desk"),
    )
    listed = text_of(page, reverse("audit-list"))
    assert "Refund office asked its model." in listed
    assert f"{reviewer} added {reviewer} to Risk and compliance." in listed
    assert f"{reviewer} set up the working calendar Bank days." in listed
    assert f"changed the roles of {reviewer}: added Records keeper." in listed
    assert "Run of Refund office</a>" in listed
    assert "Request of Refund office</a>" in listed
    event = text_of(page, reverse("audit-event", args=[decided.pk]))
    assert ">Refund office</a> <code" in event
    assert ">Issue refund</a> <code" in event


def test_an_event_that_is_not_there_is_not_found(page: Client, some_run: UUID) -> None:
    assert page.get(reverse("audit-event", args=[some_run])).status_code == 404


def test_an_export_is_asked_for_written_and_downloaded(page: Client, decided: Event) -> None:
    listed = text_of(page, f"{reverse('audit-list')}?agent=refund-desk")
    assert '<input type="hidden" name="agent" value="refund-desk">' in listed

    asked = page.post(
        reverse("audit-export-ask"), {"agent": "refund-desk", "format": "jsonl"}, follow=True
    )
    assert "Look again" in asked.content.decode()
    export = Export.objects.get()
    download = reverse("audit-export-download", args=[export.pk])
    assert "waiting for a worker" in page.get(download, follow=True).content.decode()

    write_export(export.pk)
    assert download in text_of(page, reverse("audit-export", args=[export.pk]))
    response = page.get(download)
    assert b"".join(response) == bytes(decided.body) + b"\n"
    assert response["Content-Disposition"] == (
        f'attachment; filename="countersign-audit-{export.pk}.jsonl"'
    )
    assert str(export.pk) in text_of(page, reverse("audit-export-list"))


def test_what_became_of_an_export_is_said_in_the_readers_language(page: Client) -> None:
    page.post(reverse("audit-export-ask"), {"format": "csv"})
    Export.objects.update(
        state="failed", problem="Whoever wrote the file was stopped 3 times. Ask for it again."
    )
    address = reverse("audit-export", args=[Export.objects.get().pk])
    assert "was stopped 3 times." in text_of(page, address)
    in_german = page.get(address, headers={"Accept-Language": "de"}).content.decode()
    assert "Das Schreiben der Datei wurde 3-mal abgebrochen." in in_german


def test_an_export_with_filters_that_do_not_fit_is_not_made(page: Client) -> None:
    page.post(reverse("audit-export-ask"), {"run": "7", "format": "csv"})
    page.post(reverse("audit-export-ask"), {"format": "xlsx"})
    assert not Export.objects.exists()


def test_the_page_of_an_export_looks_again_by_a_fragment(page: Client) -> None:
    page.post(reverse("audit-export-ask"), {"format": "csv"})
    address = reverse("audit-export", args=[Export.objects.get().pk])
    fragment = page.get(address, headers={"HX-Request": "true"}).content.decode()
    assert fragment.lstrip().startswith('<div id="export"')
    assert f'hx-get="{address}"' in fragment


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_a_file_is_streamed_in_blocks(
    recorded: Record, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asgiref.sync import sync_to_async

    monkeypatch.setattr("audit.download._BLOCK", 100)
    client = AsyncClient()
    await client.aforce_login(
        auditor, backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    event = await sync_to_async(recorded)()
    await client.post(reverse("audit-export-ask"), {"format": "jsonl", "type": event.type})
    export = await Export.objects.aget()
    await sync_to_async(write_export)(export.pk)
    response = await client.get(reverse("audit-export-download", args=[export.pk]))
    assert response.is_async
    blocks = [block async for block in response]
    assert max(map(len, blocks)) == 100
    assert b"".join(blocks) == bytes(event.body) + b"\n"
    assert response["Content-Length"] == str(len(event.body) + 1)


def addresses(event: Event, export: Export) -> list[tuple[str, str]]:
    return [
        ("get", reverse("audit-list")),
        ("get", reverse("audit-event", args=[event.pk])),
        ("get", reverse("audit-export-list")),
        ("get", reverse("audit-export", args=[export.pk])),
        ("get", reverse("audit-export-download", args=[export.pk])),
        ("post", reverse("audit-export-ask")),
    ]


@pytest.fixture
def export(decided: Event, page: Client) -> Export:
    page.post(reverse("audit-export-ask"), {"format": "jsonl"})
    export = Export.objects.get()
    write_export(export.pk)
    page.logout()
    return export


@pytest.mark.parametrize("who", ["outsider", "operator", "reviewer", "admin"])
def test_who_may_not_read_the_log_sees_no_page(
    who: str,
    request: pytest.FixtureRequest,
    login: Login,
    decided: Event,
    export: Export,
) -> None:
    client = login(Client(), request.getfixturevalue(who))
    for method, address in addresses(decided, export):
        response = getattr(client, method)(address, {"format": "jsonl"})
        assert response.status_code == 403, address
        assert str(decided.leaf_hex) not in response.content.decode()
    assert Export.objects.count() == 1


def test_who_is_not_signed_in_is_led_to_the_sign_in(decided: Event, export: Export) -> None:
    for method, address in addresses(decided, export):
        response = getattr(Client(), method)(address)
        assert response.status_code == 302, address
        assert response["Location"].startswith(reverse("account_login"))


def test_downloading_is_recorded_and_looking_is_not(page: Client, decided: Event) -> None:
    before = Event.objects.count()
    page.get(reverse("audit-list"))
    page.get(reverse("audit-event", args=[decided.pk]))
    assert Event.objects.count() == before


def test_the_list_asks_the_database_the_same_however_long_it_is(
    page: Client, recorded: Record, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    for person in range(30):
        recorded(actor=Actor.person(person, "session"))
    with django_assert_max_num_queries(12):  # type: ignore[attr-defined]
        page.get(reverse("audit-list"))
