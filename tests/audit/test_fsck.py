"""Attacks by a database superuser, and the sentence that names each."""

import tracemalloc
from collections.abc import Callable
from io import StringIO

import orjson
import psycopg
import pytest
from django.core.management import CommandError, call_command

from audit.fsck import Checked, check
from audit.models import Disclosure, Event
from audit.schemas import Disclose
from tests.audit.conftest import Attacker, Record
from tests.audit.keeping import erase

pytestmark = pytest.mark.django_db(transaction=True)

STREAM = "policy"
FORGET = "DELETE FROM audit_pending WHERE event NOT IN (SELECT id FROM audit_event)"


@pytest.fixture
def story(recorded: Record) -> list[Event]:
    """Five events of one stream, and two of others."""
    recorded(stream="log")
    recorded(stream="person:7", disclosures=[Disclose("address", "192.0.2.1", "person:7")])
    return [recorded(stream=STREAM) for _ in range(5)]


def found() -> list[str]:
    return list(check(Checked()))


def edited(event: Event, change: Callable[[dict[str, object]], object]) -> bytes:
    body = orjson.loads(bytes(event.body))
    change(body)
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def test_an_untouched_log_fits(story: list[Event]) -> None:
    checked = Checked()
    assert list(check(checked)) == []
    assert (checked.events, checked.streams, checked.disclosures) == (7, 3, 1)
    assert checked.warnings == []


def test_an_edited_event_shows_at_the_one_after_it(story: list[Event], attacker: Attacker) -> None:
    forged = edited(story[2], lambda body: body["actor"].update(id="8"))  # type: ignore[attr-defined]
    attacker.does("UPDATE audit_event SET body = %s WHERE id = %s", forged, story[2].id)
    sentence, *_ = found()
    assert "event 3 was changed after it was written" in sentence
    assert str(story[3].id) in sentence


def test_an_edited_last_event_shows_at_the_head(story: list[Event], attacker: Attacker) -> None:
    forged = edited(story[4], lambda body: body.update(type="signout"))
    attacker.does("UPDATE audit_event SET body = %s WHERE id = %s", forged, story[4].id)
    first, second = found()
    assert f"The last event of the stream {STREAM}, number 5, was changed" in first
    assert f"Event {story[4].id} waits for sealing and is not there as it was written" in second


def test_a_deleted_event_leaves_a_gap(story: list[Event], attacker: Attacker) -> None:
    attacker.does("DELETE FROM audit_event WHERE id = %s", story[2].id)
    assert f"The stream {STREAM} lacks event 3" in found()[0]


def test_several_deleted_events_leave_a_named_gap(story: list[Event], attacker: Attacker) -> None:
    attacker.does("DELETE FROM audit_event WHERE stream = %s AND seq < 4", STREAM)
    assert f"The stream {STREAM} lacks events 1 to 3" in found()[0]


def test_a_cut_tail_shows_at_the_head(story: list[Event], attacker: Attacker) -> None:
    attacker.does("DELETE FROM audit_event WHERE stream = %s AND seq > 3", STREAM)
    attacker.does(FORGET)
    (sentence,) = found()
    assert "ends at event 3 and its head says 5: the tail was cut" in sentence


def test_a_wholly_deleted_stream_shows_at_its_head(story: list[Event], attacker: Attacker) -> None:
    attacker.does("DELETE FROM audit_event WHERE stream = %s", STREAM)
    attacker.does(FORGET)
    assert found() == [
        f"The stream {STREAM} has 5 events by its head and none is there: they were deleted."
    ]


def test_a_deleted_head_shows(story: list[Event], attacker: Attacker) -> None:
    attacker.does("DELETE FROM audit_stream WHERE name = %s", STREAM)
    assert found() == [f"The stream {STREAM} has 5 events and no head: the head was deleted."]


def test_a_head_that_was_set_back_shows(story: list[Event], attacker: Attacker) -> None:
    attacker.does("UPDATE audit_stream SET seq = 3, head = '\\x00' WHERE name = %s", STREAM)
    assert "goes on to event 5 and its head says 3: the head was set back" in found()[0]


def test_swapped_events_show(story: list[Event], attacker: Attacker) -> None:
    second, third = (
        edited(event, lambda body, seq=seq: body.update(seq=seq))  # type: ignore[misc]
        for event, seq in ((story[1], 3), (story[2], 2))
    )
    attacker.does("UPDATE audit_event SET body = %s WHERE id = %s", second, story[1].id)
    attacker.does("UPDATE audit_event SET body = %s WHERE id = %s", third, story[2].id)
    assert "does not follow from event 1 of its stream" in found()[0]


def test_a_repeated_number_shows(story: list[Event], attacker: Attacker) -> None:
    attacker.does(
        "INSERT INTO audit_event (body) SELECT body FROM audit_event WHERE id = %s", story[1].id
    )
    assert f"The stream {STREAM} has two events with the number 2" in found()[0]


def test_a_leaf_hash_that_is_no_longer_computed_shows(
    story: list[Event], attacker: Attacker
) -> None:
    attacker.does("ALTER TABLE audit_event ALTER COLUMN leaf_hash DROP EXPRESSION")
    forged = edited(story[4], lambda body: body.update(type="signout"))
    attacker.does("UPDATE audit_event SET body = %s WHERE id = %s", forged, story[4].id)
    assert f"Event {story[4].id}" in found()[0]
    assert "does not have the leaf hash of its body" in found()[0]


def test_a_column_that_differs_from_the_body_shows(story: list[Event], attacker: Attacker) -> None:
    attacker.does("ALTER TABLE audit_event ALTER COLUMN actor_id DROP EXPRESSION")
    attacker.does("UPDATE audit_event SET actor_id = '8' WHERE id = %s", story[0].id)
    assert "columns that differ from its body: actor_id" in found()[0]


def test_a_body_that_the_product_does_not_write_shows(
    story: list[Event], attacker: Attacker
) -> None:
    spaced = bytes(story[4].body).replace(b'":', b'": ')
    attacker.does("UPDATE audit_event SET body = %s WHERE id = %s", spaced, story[4].id)
    assert "not in canonical form" in found()[0]
    twice = bytes(story[4].body).replace(b'"v":1', b'"v":1,"v":1')
    attacker.does("UPDATE audit_event SET body = %s WHERE id = %s", twice, story[4].id)
    assert "stands twice" in found()[0]


def test_a_disclosure_added_later_shows(story: list[Event], attacker: Attacker) -> None:
    attacker.does("UPDATE audit_disclosure SET digest = 'another'")
    assert "was added later" in found()[0]


def test_a_disclosure_moved_to_no_event_shows(story: list[Event], attacker: Attacker) -> None:
    attacker.does("UPDATE audit_disclosure SET event = gen_random_uuid()")
    assert "which is not there" in found()[0]


def test_a_changed_disclosure_shows(story: list[Event], attacker: Attacker) -> None:
    attacker.does("UPDATE audit_disclosure SET ciphertext = ciphertext || '\\x00'")
    assert "cannot be opened" in found()[0]


def test_a_disclosure_that_was_deleted_without_an_erasure_shows(
    story: list[Event], recorded: Record, attacker: Attacker
) -> None:
    recorded(stream="log", disclosures=[Disclose("why", "a typing error", "hold:1")])
    erase("hold:1")
    assert found() == []
    # The application's own login may do this, and needs no superuser.
    Disclosure.objects.filter(name="address").delete()
    assert found() == [
        "Of what events keep apart, 2 values are not there, and erasures account for 1: the others were deleted."
    ]


def test_the_command_names_the_first_thing_and_fails(
    story: list[Event], attacker: Attacker
) -> None:
    attacker.does("DELETE FROM audit_event WHERE id = %s", story[2].id)
    with pytest.raises(CommandError, match=r"^The stream policy lacks event 3"):
        call_command("audit_fsck", stdout=StringIO(), stderr=StringIO())


def test_the_command_names_everything_when_asked(story: list[Event], attacker: Attacker) -> None:
    attacker.does("DELETE FROM audit_event WHERE id = %s", story[2].id)
    said = StringIO()
    with pytest.raises(CommandError, match="2 things do not fit"):
        call_command("audit_fsck", "--all", stdout=StringIO(), stderr=said)
    assert "waits for sealing" in said.getvalue()


def test_the_command_says_what_it_checked(story: list[Event]) -> None:
    said = StringIO()
    call_command("audit_fsck", stdout=said)
    assert "7 events in 3 streams, 1 disclosure;" in said.getvalue()


def test_the_command_says_which_protection_is_missing(
    story: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.protection.SEALER", "default")
    warned = StringIO()
    call_command("audit_fsck", stdout=StringIO(), stderr=warned)
    assert "DATABASE_SEALER_URL" in warned.getvalue()


STREAMS = """
INSERT INTO audit_stream (name) SELECT 'person:many' || number FROM generate_series(%s::int, %s::int) AS number
"""
EVENTS = """
INSERT INTO audit_event (body)
SELECT convert_to(
    '{"actor":{"auth":"session","id":"7","kind":"person"},"id":"' || gen_random_uuid()
    || '","prev":null,"seq":1,"stream":"person:many' || number || '","time":"'
    || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    || '","type":"signout","v":1}', 'UTF8') FROM generate_series(%s::int, %s::int) AS number
"""


def test_memory_does_not_grow_with_the_number_of_streams(
    story: list[Event], superuser_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.fsck._ROWS_AT_A_TIME", 100)

    def megabytes() -> float:
        tracemalloc.start()
        try:
            assert found() == []
            return tracemalloc.get_traced_memory()[1] / 2**20
        finally:
            tracemalloc.stop()

    taken = []
    for first, last in ((1, 200), (201, 1000)):
        with psycopg.connect(superuser_url, autocommit=True) as superuser:
            for statement in (STREAMS, EVENTS):
                superuser.execute(statement, [first, last])
        taken.append(megabytes())
    assert taken[1] < taken[0] + 0.12
