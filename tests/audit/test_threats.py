"""Each row of the table of threats in docs/audit.md: done by a superuser of the database, and named by the check.

The attacker does all that a careful one would: lifts the triggers, mends the stream, the pending rows and
whatever else lies in the database and would show. What stays out of reach is what was signed.
"""

from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from django.db import connection

from audit import outside
from audit.fsck import Checked, check
from audit.merkle.hashing import leaf_hash
from audit.merkle.proofs import Leaves, root
from audit.merkle.tiles import extended
from audit.models import Event, Leaf
from audit.services.seal import Sealed, seal
from audit.services.sealing_state import sealing_state
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record

pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)

STREAM = "policy"


@pytest.fixture
def story(recorded: Record, machine: Path) -> list[Event]:
    """Five sealed events of one stream, signed after the third and after the fifth."""
    made = [recorded(stream=STREAM) for _ in range(3)]
    seal()
    made += [recorded(stream=STREAM) for _ in range(2)]
    seal()
    assert found() == []
    return made


def found() -> list[str]:
    return list(check(Checked()))


def named(*words: str) -> bool:
    """Whether one sentence of the check holds all these words."""
    return any(all(word in sentence for word in words) for sentence in found())


def edited(event: Event, **changes: Any) -> bytes:
    return orjson.dumps(orjson.loads(bytes(event.body)) | changes, option=orjson.OPT_SORT_KEYS)


def index_of(event: Event) -> int:
    return Leaf.objects.get(event=event.id).index


def rewrite_the_tree(attacker: Attacker) -> None:
    """Build tiles and state anew from the leaves that are there, as one would who knows the format."""
    leaves = [bytes(leaf.leaf_hash) for leaf in Leaf.objects.order_by("index")]
    attacker.does("DELETE FROM audit_tile")
    for name, data in extended(0, {}, leaves).items():
        attacker.does("INSERT INTO audit_tile VALUES (%s, %s, %s)", name.level, name.n, data)
    attacker.does(
        "UPDATE audit_treestate SET size = %s, root = %s",
        len(leaves),
        root(Leaves(leaves), len(leaves)),
    )


def mend_the_stream(attacker: Attacker) -> None:
    attacker.does(
        "UPDATE audit_stream SET (seq, head) = (SELECT seq, leaf_hash FROM audit_event WHERE stream = name "
        "ORDER BY seq DESC LIMIT 1) WHERE name = %s",
        STREAM,
    )


def test_an_edited_sealed_event_is_named(story: list[Event], attacker: Attacker) -> None:
    last = story[-1]
    attacker.does(
        "UPDATE audit_event SET body = %s WHERE id = %s", edited(last, type="signout"), last.id
    )
    mend_the_stream(attacker)
    assert named(f"Event {last.id} is leaf {index_of(last)}", "sealed with another hash", "changed")


def test_an_edited_sealed_event_is_named_though_its_leaf_and_tree_were_edited_too(
    story: list[Event], recorded: Record, attacker: Attacker
) -> None:
    last = story[-1]
    forged = edited(last, type="signout")
    attacker.does("UPDATE audit_event SET body = %s WHERE id = %s", forged, last.id)
    attacker.does(
        "UPDATE audit_leaf SET leaf_hash = %s WHERE event = %s", leaf_hash(forged), last.id
    )
    mend_the_stream(attacker)
    rewrite_the_tree(attacker)
    assert named("do not have the root of the checkpoint that is kept outside", "rewritten")
    assert named("The checkpoint of 7 events does not have the root", "a leaf was changed")
    recorded(stream="person:7")
    assert seal() == Sealed()
    assert "halted" in sealing_state().complaint


def test_a_deleted_sealed_event_is_named(story: list[Event], attacker: Attacker) -> None:
    last = story[-1]
    attacker.does("DELETE FROM audit_event WHERE id = %s", last.id)
    mend_the_stream(attacker)
    (sentence,) = found()
    assert sentence == (
        f"Leaf {index_of(last)} of the log is event {last.id}, which is not there: it was deleted after it was "
        "sealed."
    )


def test_a_deleted_leaf_is_named(story: list[Event], attacker: Attacker) -> None:
    middle = index_of(story[2])
    attacker.does("DELETE FROM audit_event WHERE id = %s", story[2].id)
    attacker.does("DELETE FROM audit_leaf WHERE index = %s", middle)
    assert named(f"The log lacks leaf {middle}: deleted")
    # Moved together, the leaves have no gap any more, and no signed root either.
    attacker.does("ALTER TABLE audit_leaf DROP CONSTRAINT audit_leaf_index_from_zero")
    attacker.does("UPDATE audit_leaf SET index = -index WHERE index > %s", middle)
    attacker.does("UPDATE audit_leaf SET index = -index - 1 WHERE index < 0")
    rewrite_the_tree(attacker)
    assert named("a leaf was changed, deleted or moved after it was signed")


def test_sealed_events_in_another_order_are_named(story: list[Event], attacker: Attacker) -> None:
    first, second = index_of(story[3]), index_of(story[4])
    attacker.does("ALTER TABLE audit_leaf DROP CONSTRAINT audit_leaf_event_key")
    attacker.does(
        "UPDATE audit_leaf AS leaf SET event = other.event, leaf_hash = other.leaf_hash, "
        "event_inserted_at = other.event_inserted_at FROM audit_leaf AS other "
        "WHERE leaf.index IN (%s, %s) AND other.index = %s + %s - leaf.index",
        first,
        second,
        first,
        second,
    )
    assert named("Tile 0 of level 0 does not hold the hashes of its leaves")
    rewrite_the_tree(attacker)
    assert named("The checkpoint of 7 events does not have the root", "moved after it was signed")


def test_a_cut_tail_is_named(story: list[Event], attacker: Attacker, recorded: Record) -> None:
    for event in story[3:]:
        attacker.does("DELETE FROM audit_leaf WHERE event = %s", event.id)
        attacker.does("DELETE FROM audit_event WHERE id = %s", event.id)
    attacker.does("DELETE FROM audit_checkpoint WHERE size = 7")
    mend_the_stream(attacker)
    rewrite_the_tree(attacker)
    assert found() == [
        "The checkpoint that is kept outside of the database says 7 events and the log has 5: the tail was "
        "cut, or a backup was restored."
    ]
    assert seal() == Sealed()
    assert "the tail was cut" in sealing_state().complaint


TABLES = [
    "audit_event",
    "audit_stream",
    "audit_pending",
    "audit_leaf",
    "audit_tile",
    "audit_treestate",
    "audit_checkpoint",
]


def test_a_restored_backup_is_named(
    recorded: Record, machine: Path, attacker: Attacker, superuser_url: str
) -> None:
    recorded(stream=STREAM)
    seal()
    connection.close()
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        columns = {table: _columns(superuser, table) for table in TABLES}
        for table in TABLES:
            superuser.execute(f"CREATE TABLE backup_{table} AS TABLE {table}")
    recorded(stream=STREAM)
    seal()
    for table in TABLES:
        attacker.does(f"DELETE FROM {table}")
        attacker.does(
            f"INSERT INTO {table} ({columns[table]}) SELECT {columns[table]} FROM backup_{table}"
        )
    assert found() == [
        "The checkpoint that is kept outside of the database says 4 events and the log has 3: the tail was "
        "cut, or a backup was restored."
    ]
    # Written on past where it was, it is still not what was sealed.
    for _ in range(4):
        recorded(stream="person:7")
    assert seal() == Sealed()
    assert "a backup was restored" in sealing_state().complaint


def _columns(superuser: "psycopg.Connection[Any]", table: str) -> str:
    rows = superuser.execute(
        "SELECT string_agg(column_name, ', ') FROM information_schema.columns "
        "WHERE table_name = %s AND is_generated = 'NEVER' AND is_identity = 'NO'",
        [table],
    )
    return str((rows.fetchone() or [""])[0])


def test_an_unsealed_event_that_was_deleted_is_named(
    story: list[Event], recorded: Record, attacker: Attacker
) -> None:
    recorded(stream=STREAM)
    last = recorded(stream=STREAM)
    attacker.does("DELETE FROM audit_event WHERE id = %s", last.id)
    attacker.does("DELETE FROM audit_pending WHERE event = %s", last.id)
    assert found() == [
        f"The stream {STREAM} ends at event 6 and its head says 7: the tail was cut."
    ]


def test_an_event_that_was_taken_out_of_what_waits_is_named(
    story: list[Event], recorded: Record, attacker: Attacker
) -> None:
    last = recorded(stream=STREAM)
    attacker.does("DELETE FROM audit_pending")
    seal()
    assert found() == [
        f"Event {last.id} is neither in the log nor waits for it: it was taken out of what waits."
    ]


def test_a_backdated_event_is_named(story: list[Event], attacker: Attacker) -> None:
    last = story[-1]
    attacker.does(
        "UPDATE audit_event SET inserted_at = inserted_at - interval '2 hours' WHERE id = %s",
        last.id,
    )
    assert named(f"Event {last.id} was written at", "it was moved in time after it was written")


def test_an_event_that_was_put_in_with_an_earlier_time_is_named(
    story: list[Event], recorded: Record, attacker: Attacker
) -> None:
    late = recorded(stream="person:7")
    for table, column in (("audit_event", "id"), ("audit_pending", "event")):
        attacker.does(
            f"UPDATE {table} SET inserted_at = inserted_at - interval '2 hours' WHERE {column} = %s",
            late.id,
        )
    seal()
    assert named(
        f"Event {late.id} says that it was written at", "it was put in later with an earlier"
    )


AROUND = [
    (
        "UPDATE audit_checkpoint SET note = replace(note, E'\\n7\\n', E'\\n6\\n') WHERE size = 7",
        "is not signed by",
    ),
    ("UPDATE audit_checkpoint SET root = sha256('')", "does not say what its signed note says"),
    ("UPDATE audit_treestate SET size = 5", "the state was set back"),
    ("UPDATE audit_treestate SET size = 9", "leaves were deleted"),
    (
        "INSERT INTO audit_tile SELECT 1, 0, data FROM audit_tile",
        "stands past the end of the log",
    ),
    ("DELETE FROM audit_tile", "Tile 0 of level 0 does not hold"),
    ("DELETE FROM audit_logkey", "is not signed by a key of the log"),
]


def test_what_was_changed_around_the_leaves_is_named(
    story: list[Event], attacker: Attacker
) -> None:
    for deed, words in AROUND:
        attacker.does(deed)
        assert any(words in sentence for sentence in found()), deed


def test_the_check_says_when_there_is_nothing_outside_to_hold_the_log_against(
    story: list[Event],
) -> None:
    outside.path().unlink()
    checked = Checked()
    assert list(check(checked)) == []
    assert "whether the tail was cut cannot be told" in checked.log.notes[0]
    outside.write("nothing\n")
    assert "is not valid" in found()[0]
    outside.write("another.example/log\n7\n" + "A" * 43 + "=\n\n— another.example/log AAAAAAAA\n")
    checked = Checked()
    assert list(check(checked)) == []
    assert "is of another log, another.example/log" in checked.log.notes[0]


def test_events_that_wait_although_the_log_is_sealed_are_counted(
    story: list[Event], recorded: Record, attacker: Attacker
) -> None:
    recorded(stream=STREAM)
    attacker.does(
        "UPDATE audit_event SET inserted_at = inserted_at - interval '1 minute' WHERE seq = 6"
    )
    attacker.does("UPDATE audit_pending SET inserted_at = inserted_at - interval '1 minute'")
    assert "1 events wait to be sealed" in found()[-1]
