"""Recording: what enters an event, and what is refused."""

import hashlib
import re
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import pytest
import rfc8785
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.actors import Actor
from audit.canonical import MalformedJson, OutsideProfile
from audit.clock import database_now
from audit.facts import UnknownEventType, UnknownFact
from audit.models import AppendOnly, Disclosure, Event, Pending, Stream, SubjectKey
from audit.recorder import LARGEST_BODY, EventTooLarge, NoTransaction, record
from audit.schemas import ActionRef, AgentRef, Disclose, Outcome, PolicyRef
from tests.audit.conftest import REVIEWER, Record

VERSION = "sha256:" + "ab" * 32
pytestmark = pytest.mark.django_db


@pytest.fixture
def decided(recorded: Record, some_request: UUID, some_run: UUID) -> Event:
    """An event with everything in it."""
    return recorded(
        type="request.decided",
        stream=f"request:{some_request}",
        request=some_request,
        run=some_run,
        agent=AgentRef("refund-desk", VERSION, some_run),
        action=ActionRef("issue_refund", "high", 6100),
        policy=PolicyRef(14, VERSION, "refunds-over-50"),
        outcome=Outcome("approve", "approval", "as-asked"),
        facts={"revision": 1, "given": 1, "needed": 1},
        disclosures=[
            Disclose("args_sha256", VERSION, f"request:{some_request}"),
            Disclose("reason", "Zweimal belastet, ✓", "person:7"),
            *(Disclose("note", number, "person:7") for number in range(6)),
        ],
    )


def body_of(event: Event) -> dict[str, Any]:
    return orjson.loads(bytes(event.body))


def test_the_body_has_exactly_the_fields_of_the_format(
    decided: Event, some_request: UUID, some_run: UUID
) -> None:
    body = body_of(decided)
    digests = body.pop("_sd")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body.pop("time"))
    assert body == {
        "v": 1,
        "id": str(decided.id),
        "type": "request.decided",
        "stream": f"request:{some_request}",
        "seq": 1,
        "prev": None,
        "actor": {"kind": "person", "id": "7", "auth": "session"},
        "agent": {"slug": "refund-desk", "version": VERSION, "run": str(some_run)},
        "action": {"tool": "issue_refund", "risk": "high", "confidence_bp": 6100},
        "policy": {"version": 14, "sha256": VERSION, "rule": "refunds-over-50"},
        "outcome": {"decision": "approve", "meaning": "approval", "reason_code": "as-asked"},
        "facts": {"revision": 1, "given": 1, "needed": 1},
        "request": str(some_request),
    }
    assert digests == sorted(digests)
    assert [len(urlsafe_b64decode(digest + "=")) for digest in digests] == [32] * 8


def test_the_stored_bytes_are_canonical(decided: Event, recorded: Record) -> None:
    for event in (decided, recorded(type="signout"), recorded(stream="policy")):
        assert bytes(event.body) == rfc8785.dumps(body_of(event))


def test_the_database_computes_the_leaf_hash_and_every_column(
    decided: Event, some_request: UUID, some_run: UUID
) -> None:
    assert bytes(decided.leaf_hash) == hashlib.sha256(b"\x00" + bytes(decided.body)).digest()
    columns = (decided.type, decided.actor_kind, decided.actor_id, decided.agent, decided.tool)
    assert columns == ("request.decided", "person", "7", "refund-desk", "issue_refund")
    assert (decided.request, decided.run) == (some_request, some_run)
    assert decided.occurred_at.isoformat().replace("+00:00", "Z") == body_of(decided)["time"]


def test_no_personal_data_stands_in_the_body(decided: Event) -> None:
    assert b"belastet" not in bytes(decided.body)
    assert b"args_sha256" not in bytes(decided.body)


def test_a_stream_is_numbered_and_linked(recorded: Record, some_run: UUID) -> None:
    first, second, third = (recorded(stream=f"run:{some_run}", run=some_run) for _ in range(3))
    assert [event.seq for event in (first, second, third)] == [1, 2, 3]
    assert first.prev is None
    assert bytes(second.prev or b"") == bytes(first.leaf_hash)
    assert body_of(third)["prev"] == f"sha256:{second.leaf_hex}"
    head = Stream.objects.get(name=f"run:{some_run}")
    assert (head.seq, bytes(head.head or b"")) == (3, bytes(third.leaf_hash))


def test_streams_are_numbered_each_on_its_own(recorded: Record) -> None:
    assert [recorded(stream=stream).seq for stream in ("log", "policy", "log")] == [1, 1, 2]


def test_every_event_waits_for_the_sealer(recorded: Record) -> None:
    event = recorded()
    pending = Pending.objects.get(event=event.id)
    assert bytes(pending.leaf_hash) == bytes(event.leaf_hash)


def test_the_time_is_the_databases(recorded: Record) -> None:
    before = database_now()
    event = recorded()
    assert before <= event.occurred_at <= event.inserted_at <= database_now()


def test_an_event_costs_one_statement_and_two_with_disclosures(some_request: UUID) -> None:
    stream = f"request:{some_request}"
    kept = [Disclose("reason", "x", "person:7"), Disclose("note", "y", "person:8")]
    for disclosures, statements in (((), 1), (kept, 2), (kept, 2)):
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            record(type="request.voted", actor=REVIEWER, stream=stream, disclosures=disclosures)
        assert len([q for q in queries if "SAVEPOINT" not in q["sql"]]) == statements


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_recorded() -> None:
    with pytest.raises(NoTransaction):
        record(type="signout", actor=REVIEWER, stream="log")
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_goes_with_the_change_that_rolls_back(recorded: Record) -> None:
    with transaction.atomic():
        record(
            type="signout",
            actor=REVIEWER,
            stream="log",
            disclosures=[Disclose("address", "192.0.2.1", "person:7")],
        )
        transaction.set_rollback(True)
    assert not Event.objects.exists()
    assert not Disclosure.objects.exists()
    assert recorded().seq == 1


def test_the_actor_cannot_be_left_out() -> None:
    with pytest.raises(TypeError, match="actor"):
        record(type="signout", stream="log")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "actor",
    [
        Actor("person", "", "session"),
        Actor("person", "A Name", "session"),
        Actor("robot", "7", "none"),  # type: ignore[arg-type]
        Actor("system", "sweeper", "line\nbreak"),
        Actor("person", 7, "session"),  # type: ignore[arg-type]
    ],
)
def test_an_actor_that_is_no_code_is_refused(recorded: Record, actor: Actor) -> None:
    with pytest.raises(OutsideProfile):
        recorded(actor=actor)


@pytest.mark.parametrize(
    "stream", ["", "runs", "run:7", "request:", "person:", "person:a b", "log\n", "agent:ä"]
)
def test_an_unknown_stream_is_refused(recorded: Record, stream: str) -> None:
    with pytest.raises(OutsideProfile):
        recorded(stream=stream)


def test_an_unknown_event_type_is_refused(recorded: Record) -> None:
    with pytest.raises(UnknownEventType, match=r"request\.eaten"):
        recorded(type="request.eaten")


@pytest.mark.parametrize(
    "facts",
    [
        {"colour": "red"},
        {"revision": "1"},
        {"revision": -1},
        {"revision": 2**53},
        {"revision": True},
        {"why": "a sentence with spaces"},
        {"threshold_bp": 0.8},
        {"reasons": ["x" * 201]},
        {"reasons": ["x"] * 201},
    ],
)
def test_unknown_facts_and_wrong_values_are_refused(
    recorded: Record, facts: dict[str, Any]
) -> None:
    with pytest.raises(UnknownFact, match=next(iter(facts))):
        recorded(type="request.opened", facts=facts)


def test_text_that_is_no_unicode_is_refused_and_leaves_nothing(recorded: Record) -> None:
    for value in ("\ud800", {"name": ["\udfff"]}, {"\ud800": 1}, float("nan"), 2**53):
        with pytest.raises(MalformedJson):
            recorded(disclosures=[Disclose("reason", value, "person:7")])
    assert not Event.objects.exists()
    assert not SubjectKey.objects.exists()


def test_two_runs_in_one_event_are_refused(recorded: Record, some_run: UUID) -> None:
    with pytest.raises(OutsideProfile, match="two runs"):
        recorded(agent=AgentRef("refund-desk", run=uuid.uuid4()), run=some_run)


def test_an_event_of_60000_bytes_fits_and_one_more_does_not(recorded: Record) -> None:
    kept = [Disclose("reason", "x", "person:7")] * 600

    def of_fields(number: int, fields: list[str]) -> Event:
        # A stream of its own each time: number and link then take the same room.
        return recorded(
            type="request.edited",
            stream=f"person:{number}",
            facts={"fields": fields},
            disclosures=kept,
        )

    left = LARGEST_BODY - len(of_fields(1, ["x"]).body)
    element = len(',""') + 197
    fields = ["x" * 197] * (left // element)
    fields += ["x" * (left % element + 1)]  # one more than the "x" that was measured with

    assert len(of_fields(2, fields).body) == LARGEST_BODY
    with pytest.raises(EventTooLarge), transaction.atomic():
        of_fields(3, [*fields[:-1], fields[-1] + "x"])
    assert not Event.objects.in_stream("person:3").exists()


def test_a_body_over_the_limit_is_refused_and_names_the_way_out(recorded: Record) -> None:
    kept = [Disclose("reason", "x", "person:7")] * 1500
    with (
        CaptureQueriesContext(connection) as queries,
        pytest.raises(EventTooLarge, match="SHA-256"),
        transaction.atomic(),
    ):
        record(type="signout", actor=REVIEWER, stream="log", disclosures=kept)
    assert [query for query in queries if "SAVEPOINT" not in query["sql"]] == []


def test_events_cannot_be_changed_through_the_orm(recorded: Record) -> None:
    event = recorded()
    attempts: list[Callable[[], object]] = [
        event.save,
        event.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(type="x"),
        lambda: Event.objects.bulk_create([event]),
        lambda: Event.objects.bulk_update([event], ["type"]),
    ]
    for attempt in attempts:
        with pytest.raises(AppendOnly):
            attempt()
