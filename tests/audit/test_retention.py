"""Old months lose their bodies and nothing else: streams still fit, holds stand in the way, the log says so."""

import datetime as dt
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction
from django.test import Client
from django.urls import reverse

from accounts.callers import Caller
from accounts.models import User
from audit.canonical import event_bytes
from audit.clock import database_now
from audit.errors import NotFound
from audit.fact_schemas import moment_text
from audit.fsck import Checked, check
from audit.merkle.hashing import leaf_hash
from audit.merkle.proofs import root_from_inclusion
from audit.merkle.tile_paths import Wanted
from audit.models import Disclosure, Event, Leaf
from audit.record_keeping import HoldScope, Retired, RetiredStream
from audit.retention import Month, months_to_drop
from audit.schemas import Disclose
from audit.services.checkpoints import inclusion_paths, newest_checkpoint, prove_event
from audit.services.hold import lift_hold, set_hold
from audit.services.retire import MonthHeld, NotOld, NotSealed, drop_month
from audit.services.seal import seal
from audit.services.tlog import EntriesGone, bundle_data, tile_data
from audit.streaming.batches import entries
from tests.audit.conftest import Attacker, Record
from tests.audit.keeping import came_to_while_held
from tests.harness.people import person

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"])

MONTH = "audit_event_2015_03"
IN_MARCH = dt.datetime(2015, 3, 14, 12, tzinfo=dt.UTC)


@pytest.fixture
def old(recorded: Record, attacker: Attacker, machine: Path) -> list[Event]:
    """Three events of a stream that goes on, and two of one that ended, as if of March 2015; two newer ones.

    All are sealed.
    """
    old = [
        *(recorded(stream="policy") for _ in range(3)),
        *(
            recorded(stream="person:7", disclosures=[Disclose("a", 1, "person:7")])
            for _ in range(2)
        ),
    ]
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {MONTH} PARTITION OF audit_event "
            "FOR VALUES FROM ('2015-03-01 00:00:00+00') TO ('2015-04-01 00:00:00+00')"
        )
        cursor.execute("SELECT audit_protect_partition(%s::regclass)", [MONTH])
    written_in_march(attacker, old)
    recorded(stream="policy")
    recorded(stream="log")
    seal()
    return old


def written_in_march(attacker: Attacker, events: list[Event]) -> None:
    """Give these events, with which their streams begin, the bodies and times of then."""
    heads: dict[str, bytes] = {}
    for event in events:
        head = heads.get(event.stream)
        then = {
            "time": moment_text(IN_MARCH),
            "prev": f"sha256:{head.hex()}" if head else None,
        }
        body = event_bytes(orjson.loads(bytes(event.body)) | then)
        heads[event.stream] = leaf_hash(body)
        attacker.does(
            "UPDATE audit_event SET inserted_at = %s, body = %s WHERE id = %s",
            *(IN_MARCH, body, event.pk),
        )
        attacker.does(
            "UPDATE audit_pending SET inserted_at = %s, leaf_hash = %s WHERE event = %s",
            *(IN_MARCH, leaf_hash(body), event.pk),
        )
    for stream, head in heads.items():
        attacker.does("UPDATE audit_stream SET head = %s WHERE name = %s", head, stream)
    for event in events:
        event.refresh_from_db()


def found() -> list[str]:
    return list(check(Checked()))


def test_a_dropped_month_leaves_every_stream_whole(old: list[Event]) -> None:
    assert found() == []
    assert drop_month(MONTH) == 5
    assert not Event.objects.filter(pk__in=[event.pk for event in old]).exists()
    assert not Disclosure.objects.exists()
    assert found() == []


def test_the_dropping_is_an_event_of_the_same_transaction(old: list[Event]) -> None:
    drop_month(MONTH)
    month = Retired.objects.get()
    body = orjson.loads(bytes(Event.objects.get(type="retention.dropped").body))
    assert body["facts"] == {
        "partition": MONTH,
        "since": "2015-03-01T00:00:00.000000Z",
        "until": "2015-04-01T00:00:00.000000Z",
        "events": 5,
        "leaves_sha256": f"sha256:{bytes(month.leaves_sha256).hex()}",
    }
    assert (month.events, RetiredStream.objects.count()) == (5, 2)


def test_sinks_and_tools_are_told_what_was_dropped_and_keep_its_leaf(old: list[Event]) -> None:
    drop_month(MONTH)
    sent = entries(0, 7)
    assert [entry.why for entry in sent] == ["retention"] * 5 + [""] * 2
    assert [entry.leaf_hash for entry in sent[:5]] == [bytes(event.leaf_hash) for event in old]
    with pytest.raises(EntriesGone, match="was dropped with its month") as refused:
        bundle_data(Wanted(0, 0, 7))
    assert refused.value.params == {"index": 0, "why": "retention"}
    assert len(tile_data(Wanted(0, 0, 7))) == 7 * 32


def test_an_event_that_is_gone_beside_the_dropped_ones_still_shows(
    old: list[Event], attacker: Attacker
) -> None:
    drop_month(MONTH)
    attacker.does("DELETE FROM audit_event WHERE stream = 'policy' AND seq = 4")
    assert "ends at event 3 and its head says 4: the tail was cut" in found()[0]


def test_what_is_said_of_a_dropped_month_cannot_be_made_up(
    old: list[Event], attacker: Attacker, superuser_url: str
) -> None:
    drop_month(MONTH)
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("ALTER TABLE audit_retired DISABLE TRIGGER ALL")
        superuser.execute("UPDATE audit_retired SET events = 4")
        assert "differs from the event of the dropping" in "\n".join(found())
        superuser.execute("ALTER TABLE audit_retiredstream DISABLE TRIGGER ALL")
        superuser.execute("DELETE FROM audit_retiredstream")
        superuser.execute("DELETE FROM audit_retired")
    sentences = "\n".join(found())
    assert "The stream policy lacks events 1 to 3" in sentences
    assert "The stream person:7 has 2 events by its head and none is there" in sentences
    assert f"An event says that the month {MONTH} was dropped" in sentences


def test_a_month_that_was_dropped_by_hand_is_named(old: list[Event], superuser_url: str) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        superuser.execute(f"DROP TABLE {MONTH}")
        superuser.execute(
            "INSERT INTO audit_retired (partition, since, until, events, leaves_sha256) "
            "VALUES (%s, '2015-03-01Z', '2015-04-01Z', 5, '\\x00')",
            [MONTH],
        )
    assert f"The month {MONTH} is said to be dropped, and no event says so." in found()


@pytest.mark.parametrize(
    ("scope", "target", "held"),
    [
        (HoldScope.EVERYTHING, "", True),
        (HoldScope.PERSON, "7", True),
        (HoldScope.PERSON, "9", False),
    ],
)
def test_a_hold_on_any_event_of_it_keeps_the_month(
    old: list[Event], scope: HoldScope, target: str, held: bool
) -> None:
    keeper = Caller.of_session(person("keeper", "records-keeper"))
    set_hold(matter="case 17", why="A suit.", scope=scope, target=target, caller=keeper)
    if held:
        with pytest.raises(MonthHeld, match="case 17"):
            drop_month(MONTH)
    else:
        drop_month(MONTH)
    assert Retired.objects.exists() is not held


def test_what_is_not_sealed_stays(old: list[Event], superuser_url: str) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        superuser.execute(
            "INSERT INTO audit_pending (event, inserted_at, leaf_hash) "
            "SELECT id, inserted_at, leaf_hash FROM audit_event WHERE id = %s",
            [old[0].pk],
        )
    with pytest.raises(NotSealed):
        drop_month(MONTH)
    assert not Retired.objects.exists()


def test_a_hold_that_is_being_set_is_waited_for(old: list[Event]) -> None:
    assert isinstance(came_to_while_held(lambda: drop_month(MONTH)), MonthHeld)
    assert not Retired.objects.exists()


def test_what_has_to_be_kept_stays_and_what_is_no_month_of_the_log(
    old: list[Event], settings: Any
) -> None:
    for name in ("audit_event_default", "audit_event_1999_01", "accounts_user"):
        with pytest.raises(NotOld):
            drop_month(name)
    age = (dt.datetime.now(dt.UTC) - dt.datetime(2015, 4, 1, tzinfo=dt.UTC)).days
    for days, stays in ((age + 1, True), (age - 1, False)):
        settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
            update={"audit_retention_days": days}
        )
        assert (MONTH not in [month.partition for month in months_to_drop(database_now())]) is stays
        if stays:
            with pytest.raises(NotOld):
                drop_month(MONTH)


def _all_months() -> list[Month]:
    return months_to_drop(dt.datetime(2100, 1, 1, tzinfo=dt.UTC))


def test_the_database_keeps_six_months_whoever_asks(old: list[Event]) -> None:
    (youngest, *_) = [month for month in _all_months() if month.partition != MONTH]
    with pytest.raises(DatabaseError, match="younger than six months"):
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            cursor.execute("SELECT audit_retire(%s)", [youngest.partition])
    with pytest.raises(DatabaseError, match="is no month of the audit log"):
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            cursor.execute("SELECT audit_retire('audit_event_default')")


def test_the_application_drops_nothing(old: list[Event]) -> None:
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT audit_retire(%s)", [MONTH])
    for statement in (
        "DELETE FROM audit_hold",
        "DELETE FROM audit_retired",
        "DELETE FROM audit_erasure",
    ):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            with connections["default"].cursor() as cursor:
                cursor.execute(statement)


def test_the_command_lists_drops_and_says_what_stays(old: list[Event]) -> None:
    said = StringIO()
    call_command("audit_retention", stdout=said)
    assert f"{MONTH} is older than 3650 days." in said.getvalue()
    assert not Retired.objects.exists()

    keeper = Caller.of_session(person("keeper", "records-keeper"))
    hold = set_hold(matter="case 17", why="x", scope=HoldScope.PERSON, target="7", caller=keeper)
    with pytest.raises(CommandError, match="1 month stays"):
        call_command("audit_retention", "--drop", stdout=StringIO(), stderr=StringIO())
    hold.lifted_at, hold.lifted_by = IN_MARCH, "1"
    hold.save()
    said = StringIO()
    call_command("audit_retention", "--drop", stdout=said)
    assert f"{MONTH}: 5 bodies dropped." in said.getvalue()


def test_a_page_says_that_the_body_before_is_no_longer_kept(
    old: list[Event], client: Client, auditor: User
) -> None:
    drop_month(MONTH)
    client.force_login(auditor, backend="allauth.account.auth_backends.AuthenticationBackend")
    after = Event.objects.get(stream="policy", seq=4)
    text = client.get(reverse("audit-event", args=[after.pk])).content.decode()
    assert "Number 3, body no longer kept (retention of March 2015)" in text
    gone = client.get(reverse("audit-event", args=[old[0].pk])).content.decode()
    assert "The bodies of March 2015 were dropped" in gone
    assert old[0].leaf_hex in gone
    never = reverse("audit-event", args=["01a1fae6-52ea-7d20-9c84-529a0f2dd01c"])
    assert client.get(never).status_code == 404


def test_an_event_whose_body_was_dropped_is_still_proved_to_stand_in_the_log(
    old: list[Event], auditor: User, outsider: User
) -> None:
    checkpoint = newest_checkpoint()
    assert checkpoint is not None
    drop_month(MONTH)
    for event in old:
        leaf = Leaf.objects.get(event=event.pk)
        # Whoever kept the bytes computes the same leaf hash from them.
        assert leaf_hash(bytes(event.body)) == bytes(leaf.leaf_hash)
        (path,) = inclusion_paths([leaf.index], checkpoint.size)
        root = root_from_inclusion(bytes(leaf.leaf_hash), leaf.index, checkpoint.size, path)
        assert root == bytes(checkpoint.root)
        assert prove_event(event.pk, viewer=auditor).path == path
        with pytest.raises(NotFound):
            prove_event(event.pk, viewer=outsider)


def test_a_leaf_that_is_put_among_those_of_a_dropped_month_shows(
    old: list[Event], attacker: Attacker
) -> None:
    drop_month(MONTH)
    newer = Event.objects.get(stream="policy", seq=4)
    attacker.does(
        "UPDATE audit_leaf SET event_inserted_at = %s WHERE event = %s", IN_MARCH, newer.pk
    )
    attacker.does("DELETE FROM audit_event WHERE id = %s", newer.pk)
    assert any(f"has other leaves of the dropped month {MONTH}" in each for each in found())


def test_a_month_is_due_held_or_dropped_on_its_page_and_over_the_api(
    old: list[Event], client: Client, login: Callable[[Client, User], Client], auditor: User
) -> None:
    login(client, auditor)

    def march() -> dict[str, Any]:
        months = client.get("/api/v1/audit/retention").json()["months"]
        (found,) = [month for month in months if month["partition"] == MONTH]
        return dict(found)

    def page() -> str:
        return client.get(reverse("audit-retention")).content.decode()

    assert (march()["state"], march()["events"]) == ("due", None)
    assert "May be dropped" in page()
    keeper = Caller.of_session(person("keeper", "records-keeper"))
    hold = set_hold(
        matter="case 17", why="A suit.", scope=HoldScope.PERSON, target="7", caller=keeper
    )
    assert (march()["state"], march()["on_hold"]) == ("held", str(hold.pk))
    assert "case 17" in page()
    lift_hold(hold_id=hold.pk, caller=keeper)
    drop_month(MONTH)
    gone = march()
    assert (gone["state"], gone["events"], gone["on_hold"]) == ("dropped", 5, None)
    assert gone["leaves_sha256"] == f"sha256:{bytes(Retired.objects.get().leaves_sha256).hex()}"
    assert "Hashes of 5 events" in page()
