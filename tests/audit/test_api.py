"""The log for programs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.test import Client

from accounts.models import User
from audit.models import Event, Export
from audit.sampling import draw
from audit.schemas import ActionRef, AgentRef, Disclose
from audit.services.write_export import write_export
from tests.audit.conftest import Record

Login = Callable[[Client, User], Client]
pytestmark = pytest.mark.django_db
EVENTS = "/api/v1/audit/events"
EXPORTS = "/api/v1/audit/exports"


@pytest.fixture
def api(client: Client, login: Login, auditor: User) -> Client:
    return login(client, auditor)


@pytest.fixture
def proposed(recorded: Record, some_run: UUID) -> Event:
    return recorded(
        type="action.proposed",
        stream=f"run:{some_run}",
        run=some_run,
        agent=AgentRef("refund-desk"),
        action=ActionRef("issue_refund", "high", 6100),
    )


def items(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json()["items"]
    return found


def test_an_event_comes_with_body_and_leaf_hash(api: Client, proposed: Event) -> None:
    (item,) = items(api.get(EVENTS, {"run": str(proposed.run)}))
    body = orjson.loads(bytes(proposed.body))
    assert item["body"] == body
    assert item["leaf_hash"] == f"sha256:{proposed.leaf_hex}"
    assert (item["id"], item["type"], item["stream"], item["seq"], item["time"]) == (
        str(proposed.id),
        "action.proposed",
        proposed.stream,
        1,
        body["time"],
    )


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"type": "action.proposed"}, 1),
        ({"type": "action.*"}, 1),
        ({"type": "run.*"}, 0),
        ({"tool": "issue_refund", "agent": "refund-desk"}, 1),
        ({"tool": "issue_refund", "agent": "other"}, 0),
        ({"person": "7", "tool": "issue_refund"}, 1),
        ({"person": "nobody"}, 0),
        ({"tool": "issue_refund", "since": "2020-01-01T00:00:00Z"}, 1),
        ({"tool": "issue_refund", "until": "2100-01-01T00:00:00+02:00"}, 1),
        ({"until": "2020-01-01T00:00:00Z"}, 0),
    ],
)
def test_events_are_filtered(
    api: Client, proposed: Event, given: dict[str, str], count: int
) -> None:
    assert len(items(api.get(EVENTS, given))) == count


def test_events_are_paged_by_cursor(api: Client, recorded: Record) -> None:
    expected = [str(recorded().pk) for _ in range(5)][::-1]
    seen, cursor = [], None
    for _ in range(3):
        given = {"limit": 2, "type": "request.claimed"} | ({"cursor": cursor} if cursor else {})
        response = api.get(EVENTS, given)
        seen += [item["id"] for item in items(response)]
        cursor = response.json()["next_cursor"]
    assert seen == expected
    assert cursor is None


@pytest.mark.parametrize(
    "given",
    [
        {"type": "nothing"},
        {"run": "7"},
        {"since": "yesterday"},
        {"since": "2026-01-01T00:00:00"},
        {"limit": "0"},
        {"limit": "201"},
        {"cursor": "nonsense"},
    ],
)
def test_a_question_that_does_not_fit_is_a_problem(api: Client, given: dict[str, str]) -> None:
    response = api.get(EVENTS, given)
    assert response.status_code in (400, 422)
    assert response["Content-Type"].startswith("application/problem+json")
    assert response.json()["code"] in ("invalid_request", "bad_cursor")


def post(client: Client, body: dict[str, Any]) -> Any:
    return client.post(EXPORTS, body, content_type="application/json")


def test_an_export_is_asked_for_watched_and_downloaded(api: Client, proposed: Event) -> None:
    asked = post(api, {"format": "jsonl", "filters": {"agent": "refund-desk"}})
    assert asked.status_code == 201
    assert asked.json()["state"] == "queued"
    assert asked.json()["download"] is None
    address = f"{EXPORTS}/{asked.json()['id']}"
    early = api.get(f"{address}/download")
    assert (early.status_code, early.json()["code"]) == (409, "export_not_finished")

    write_export(UUID(asked.json()["id"]))
    finished = api.get(address).json()
    assert (finished["state"], finished["events"]) == ("finished", 1)
    response = api.get(finished["download"])
    assert b"".join(response) == bytes(proposed.body) + b"\n"
    assert Event.objects.filter(type="export.downloaded").count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {"format": "xlsx"},
        {"filters": {"type": "nothing"}},
        {"filters": {"colour": "red"}},
        {"colour": "red"},
    ],
)
def test_an_export_that_does_not_fit_is_a_problem(api: Client, body: dict[str, Any]) -> None:
    response = post(api, body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert not Export.objects.exists()


def test_an_unknown_export_is_not_found(api: Client, some_run: UUID) -> None:
    response = api.get(f"{EXPORTS}/{some_run}")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_export")


@pytest.mark.parametrize("who", ["outsider", "operator", "reviewer", "admin"])
def test_who_may_not_read_the_log_gets_nothing(
    who: str, request: pytest.FixtureRequest, login: Login, api: Client, proposed: Event
) -> None:
    export = post(api, {"format": "jsonl"}).json()["id"]
    write_export(UUID(export))
    stranger = login(Client(), request.getfixturevalue(who))
    for response in (
        stranger.get(EVENTS),
        post(stranger, {}),
        stranger.get(f"{EXPORTS}/{export}"),
        stranger.get(f"{EXPORTS}/{export}/download"),
    ):
        assert response.status_code == 403
        assert response.json()["code"] == "permission_missing"
    assert Export.objects.count() == 1


def test_an_anonymous_caller_gets_nothing(proposed: Event) -> None:
    for response in (Client().get(EVENTS), post(Client(), {})):
        assert response.status_code == 401


def test_a_token_without_the_scope_gets_nothing(auditor: User, proposed: Event) -> None:
    from accounts.callers import Caller
    from accounts.services.create_token import create_token

    def client_with(scopes: list[str]) -> Client:
        made = create_token(
            person=auditor, name="test", scopes=scopes, caller=Caller.of_session(auditor)
        )
        return Client(headers={"Authorization": f"Bearer {made.bearer}"})

    refused = client_with(["read"]).get(EVENTS)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert client_with(["audit"]).get(EVENTS).status_code == 200


SAMPLES = "/api/v1/audit/samples"


def test_a_sample_is_drawn_and_read_again(api: Client, recorded: Record) -> None:
    events = [recorded(type="request.claimed").pk for _ in range(4)]
    wish = {"filters": {"type": "request.claimed"}, "seed": "2026-Q1", "size": 2}
    answer = api.post(SAMPLES, wish, "application/json")
    assert answer.status_code == 201
    sample = answer.json()
    assert [UUID(each["event"]) for each in sample["events"]] == draw("2026-Q1", 2, events)
    assert [each["place"] for each in sample["events"]] == [1, 2]
    assert (sample["population"], sample["seed"]) == (4, "2026-Q1")
    assert api.get(f"{SAMPLES}/{sample['id']}").json() == sample


def test_a_seed_that_does_not_fit_is_refused_with_its_field(api: Client) -> None:
    answer = api.post(SAMPLES, {"seed": "two words", "size": 2}, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_sample")
    assert answer.json()["params"]["errors"][0]["field"] == "seed"


def test_what_an_event_keeps_apart_is_opened_and_that_is_an_event(
    api: Client, recorded: Record, auditor: User
) -> None:
    event = recorded(disclosures=[Disclose("comment", "charged twice", "person:7")])
    (item,) = items(api.get(f"{EVENTS}/{event.pk}/disclosures"))
    assert (item["name"], item["value"], item["erased"]) == ("comment", "charged twice", False)
    looked = Event.objects.get(type="disclosure.read")
    assert looked.actor_id == str(auditor.pk)
    gone = api.get(f"{EVENTS}/01a1fae6-52ea-7d20-9c84-529a0f2dd01c/disclosures")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_event")
