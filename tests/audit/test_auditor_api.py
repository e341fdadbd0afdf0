"""What auditors and records keepers do on pages, done by a program: the same words, the same refusals."""

import datetime as dt
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from accounts.models import User
from accounts.services.create_token import create_token
from audit.actors import Actor
from audit.clock import database_now
from audit.models import Disclosure, Event, Export
from audit.record_keeping import Erasure, Hold, Sample
from audit.retention import kept_for
from audit.schemas import AgentRef, Disclose
from audit.services.seal import seal
from tests.audit.conftest import SEALING_LOGINS, Record
from tests.harness.people import person

pytestmark = pytest.mark.django_db
AUDIT = "/api/v1/audit"
UNKNOWN = "01a1fae6-52ea-7d20-9c84-529a0f2dd01c"


def bearer(user: User, *scopes: str) -> Client:
    """A program with a token of the person's, with these scopes or with all."""
    made = create_token(
        person=user, name="tests", scopes=scopes or None, caller=Actor.system("tests")
    )
    return Client(headers={"Authorization": f"Bearer {made.bearer}"})


@pytest.fixture
def api(auditor: User) -> Client:
    return bearer(auditor)


@pytest.fixture
def keeper(db: None) -> User:
    return person("keeper", "records-keeper")


@pytest.fixture
def second_keeper(db: None) -> User:
    return person("second-keeper", "records-keeper")


@pytest.fixture
def told(recorded: Record) -> Event:
    """An event that keeps a person's words apart."""
    return recorded(
        type="request.commented",
        stream="policy",
        disclosures=[Disclose("comment", "charged twice", "person:7")],
    )


def post(client: Client, path: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(f"{AUDIT}/{path}", body or {}, content_type="application/json")


def got(client: Client, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"{AUDIT}/{path}", query)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def all_of(client: Client, path: str, **query: Any) -> list[dict[str, Any]]:
    """Every item of a list, two a page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = got(client, path, limit=2, **query, **({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) <= 2
        found += page["items"]
        cursor = page["next_cursor"]
    return found


# -- events ---------------------------------------------------------------------------------------


def test_one_event_is_read_with_its_sentence(api: Client, recorded: Record) -> None:
    event = recorded(type="agent.disabled", agent=AgentRef("refund-desk"))
    read = got(api, f"events/{event.pk}")
    (listed,) = got(api, "events", type="agent.disabled")["items"]
    assert read == listed
    assert "refund-desk" in read["sentence"]
    assert refused(api.get(f"{AUDIT}/events/{UNKNOWN}")) == (404, "unknown_event")


def test_a_story_comes_in_sentences_oldest_first_and_says_what_is_missing(
    api: Client, recorded: Record, some_run: UUID, some_request: UUID
) -> None:
    about: dict[str, Any] = {"run": some_run, "agent": AgentRef("refund-desk")}
    first = recorded(type="run.woken", stream=f"run:{some_run}", **about)
    second = recorded(
        type="request.claimed",
        stream=f"request:{some_request}",
        request=some_request,
        **about,
    )
    story = got(api, f"runs/{some_run}/story")
    assert [UUID(line["event"]) for line in story["items"]] == [first.pk, second.pk]
    assert all(line["sentence"] for line in story["items"])
    assert (story["missing"], story["more"]) == (0, False)
    (line,) = got(api, f"requests/{some_request}/story")["items"]
    assert line["type"] == "request.claimed"
    assert refused(api.get(f"{AUDIT}/runs/{UNKNOWN}/story")) == (404, "unknown_story")


def test_exceptions_are_listed_by_kind_and_time(api: Client, recorded: Record) -> None:
    expected = [str(recorded(type="switch.set", facts={"scope": "global"}).pk) for _ in range(3)]
    recorded(type="request.claimed")
    recorded(type="policy.published", facts={"alone": True, "tightens_only": False})
    listed = all_of(api, "exceptions", kind="kill_switch")
    assert [each["event"]["id"] for each in listed] == expected[::-1]
    assert {(each["kind"], each["title"]) for each in listed} == {("kill_switch", "Kill switch")}
    assert "self_published" in {each["kind"] for each in all_of(api, "exceptions")}
    assert got(api, "exceptions", until="2020-01-01T00:00:00Z")["items"] == []
    assert refused(api.get(f"{AUDIT}/exceptions?kind=odd")) == (422, "invalid_request")


# -- lists of what was asked for ------------------------------------------------------------------


def test_exports_samples_and_checks_are_listed_with_who_asked(api: Client, auditor: User) -> None:
    exports = [post(api, "exports", {"format": form}).json()["id"] for form in ("csv", "jsonl")]
    samples = [post(api, "samples", {"size": 1, "seed": seed}).json()["id"] for seed in "abc"]
    check = post(api, "verifications").json()["id"]
    assert [each["id"] for each in all_of(api, "exports")] == exports[::-1]
    assert [each["id"] for each in all_of(api, "samples")] == samples[::-1]
    assert [each["id"] for each in all_of(api, "verifications")] == [check]
    who = {"id": str(auditor.pk), "name": auditor.username}
    assert got(api, "exports")["items"][0]["asked_by"] == who
    assert got(api, "samples")["items"][0]["drawn_by"] == who
    assert got(api, "verifications")["items"][0]["asked_by"] == who


@pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)
def test_the_sealed_log_is_told_with_keys_and_every_checkpoint(
    api: Client, recorded: Record, machine: Path
) -> None:
    sizes = []
    for _ in range(3):
        recorded()
        sizes.append(seal().events)
    log = got(api, "log")
    assert (log["origin"], log["complaint"]) == ("approvals.example/log", None)
    assert log["sealed"] == sum(sizes)
    (key,) = log["keys"]
    assert key["verifier"].startswith("approvals.example/log+")
    assert key["retired_at"] is None
    listed = all_of(api, "checkpoints")
    assert [each["size"] for each in listed] == [sum(sizes[:n]) for n in (3, 2, 1)]
    assert listed[0]["note"] == got(api, "checkpoint")["note"]


# -- holds ----------------------------------------------------------------------------------------

HOLD = {"matter": "case 17", "why": "A suit.", "scope": "person", "target": "keeper"}


def test_a_hold_is_set_listed_and_lifted(api: Client, keeper: User, second_keeper: User) -> None:
    made = post(bearer(keeper), "holds", HOLD)
    assert made.status_code == 201
    hold = made.json()
    assert (hold["target"], hold["target_name"]) == (str(keeper.pk), "keeper")
    assert (hold["set_by"]["name"], hold["lifted_at"]) == ("keeper", None)
    assert all_of(api, "holds") == [hold]

    lifted = post(bearer(second_keeper), f"holds/{hold['id']}/lift").json()
    assert lifted["lifted_by"] == {"id": str(second_keeper.pk), "name": "second-keeper"}
    again = post(bearer(keeper), f"holds/{hold['id']}/lift")
    assert refused(again) == (409, "hold_lifted")
    assert refused(post(bearer(keeper), f"holds/{UNKNOWN}/lift")) == (404, "unknown_hold")
    assert {event.type for event in Event.objects.of_type("hold.set", "hold.lifted")} == {
        "hold.set",
        "hold.lifted",
    }


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"matter": " "}, "bad_hold"),
        ({"target": ""}, "bad_hold"),
        ({"scope": "run", "target": "7"}, "bad_hold"),
        ({"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "bad_hold"),
        ({"scope": "planet"}, "invalid_request"),
        ({"since": "2026-02-01T00:00:00"}, "invalid_request"),
        ({"colour": "red"}, "invalid_request"),
        ({"matter": "x" * 101}, "invalid_request"),
    ],
)
def test_a_hold_that_does_not_fit_is_refused(
    keeper: User, given: dict[str, str], code: str
) -> None:
    assert refused(post(bearer(keeper), "holds", HOLD | given)) == (422, code)
    assert not Hold.objects.exists()


# -- erasures -------------------------------------------------------------------------------------

ERASURE = {"subject": "person:7", "reason": "asked"}


def test_an_erasure_takes_two_programs_of_two_people(
    told: Event, keeper: User, second_keeper: User
) -> None:
    one, other = bearer(keeper), bearer(second_keeper)
    made = post(one, "erasures", ERASURE)
    assert made.status_code == 201
    erasure = made.json()
    assert (erasure["state"], erasure["would_erase"], erasure["in_events"]) == ("proposed", 1, 1)
    confirm = f"erasures/{erasure['id']}/confirm"
    assert refused(post(one, confirm, {"subject": "person:7"})) == (403, "own_erasure")
    assert refused(post(other, confirm, {"subject": "person:8"})) == (422, "other_subject")
    assert refused(post(other, confirm)) == (422, "invalid_request")
    assert Disclosure.objects.filter(event=told.pk).exists()

    done = post(other, confirm, {"subject": "person:7"}).json()
    assert (done["state"], done["disclosures"], done["would_erase"]) == ("confirmed", 1, None)
    assert done["decided_by"]["name"] == "second-keeper"
    assert not Disclosure.objects.filter(event=told.pk).exists()
    assert refused(post(other, confirm, {"subject": "person:7"})) == (409, "erasure_closed")
    (listed,) = all_of(one, "erasures")
    assert listed.items() <= done.items()


def test_an_erasure_is_declined_and_nothing_is_erased(
    told: Event, keeper: User, second_keeper: User
) -> None:
    erasure = post(bearer(keeper), "erasures", ERASURE).json()["id"]
    assert refused(post(bearer(keeper), "erasures", ERASURE)) == (409, "erasure_proposed")
    declined = post(bearer(second_keeper), f"erasures/{erasure}/decline").json()
    assert declined["state"] == "declined"
    assert Disclosure.objects.filter(event=told.pk).exists()


def test_an_erasure_says_which_hold_stands_in_its_way(
    told: Event, keeper: User, second_keeper: User
) -> None:
    one, other = bearer(keeper), bearer(second_keeper)
    erasure = post(one, "erasures", ERASURE).json()["id"]
    hold = post(one, "holds", HOLD | {"target": "7"}).json()["id"]
    assert got(other, f"erasures/{erasure}")["on_hold"] == hold
    confirmed = post(other, f"erasures/{erasure}/confirm", {"subject": "person:7"})
    assert refused(confirmed) == (409, "on_hold")
    assert confirmed.json()["params"] == {"hold": hold}
    assert refused(post(one, "erasures", {"subject": "person:8", "reason": "asked"})) == (
        422,
        "nothing_to_erase",
    )
    assert refused(one.get(f"{AUDIT}/erasures/{UNKNOWN}")) == (404, "unknown_erasure")


def test_a_person_is_named_for_an_erasure_by_their_user_name(
    keeper: User, second_keeper: User
) -> None:
    answer = post(bearer(keeper), "erasures", {"subject": "second-keeper", "reason": "asked"})
    assert f"person:{second_keeper.pk}" in str(answer.json())


# -- retention ------------------------------------------------------------------------------------


def test_the_month_of_now_is_kept(api: Client) -> None:
    now = database_now()
    told = got(api, "retention")
    month = told["months"][0]
    assert (month["state"], month["since"][:7]) == ("kept", f"{now:%Y-%m}")
    assert dt.datetime.fromisoformat(month["kept_until"]) > now + kept_for()
    assert told["kept_days"] == kept_for().days


# -- doors ----------------------------------------------------------------------------------------

READ = ["exports", "samples", "verifications", "checkpoints", "log", "holds", "exceptions"]
READ += ["retention", "access"]
KEEP: list[tuple[str, dict[str, Any]]] = [
    ("holds", HOLD),
    (f"holds/{UNKNOWN}/lift", {}),
    ("erasures", ERASURE),
    (f"erasures/{UNKNOWN}/confirm", {"subject": "person:7"}),
    (f"erasures/{UNKNOWN}/decline", {}),
]


@pytest.mark.parametrize("who", ["outsider", "operator", "reviewer", "admin"])
def test_who_may_not_read_the_log_reads_none_of_it(
    who: str, request: pytest.FixtureRequest
) -> None:
    stranger = bearer(request.getfixturevalue(who))
    paths = [*READ, "erasures", f"erasures/{UNKNOWN}", f"events/{UNKNOWN}", f"runs/{UNKNOWN}/story"]
    for path in paths:
        answer = stranger.get(f"{AUDIT}/{path}")
        assert refused(answer) == (403, "permission_missing"), path


def test_an_auditor_who_keeps_no_records_reads_holds_and_sets_none(
    api: Client, told: Event
) -> None:
    for path in READ:
        got(api, path)
    assert refused(api.get(f"{AUDIT}/erasures")) == (403, "permission_missing")
    for path, body in KEEP:
        assert refused(post(api, path, body)) == (403, "permission_missing"), path
    assert not Hold.objects.exists()
    assert not Erasure.objects.exists()


def test_a_token_without_the_scope_reads_and_changes_nothing(
    auditor: User, keeper: User, told: Event
) -> None:
    reading, keeping = bearer(auditor, "read"), bearer(keeper, "read")
    for path in READ:
        assert refused(reading.get(f"{AUDIT}/{path}")) == (403, "scope_missing"), path
    for path, body in KEEP:
        assert refused(post(keeping, path, body)) == (403, "scope_missing"), path
    for path in ("exports", "samples", "verifications"):
        assert refused(post(reading, path, {"size": 1} if path == "samples" else {})) == (
            403,
            "scope_missing",
        )
    assert not Sample.objects.exists()
    assert not Export.objects.exists()
