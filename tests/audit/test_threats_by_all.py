"""Each threat by all three who look for it: `audit_fsck`, *Verify now*, and a stranger's `verify.py`.

One attack, done as in `test_threats.py`; then the command is run, the check of the page, and an export of the
whole log is asked for and checked twice: by itself, and with the state file of an auditor who checked before.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
import uuid6
from django.core.management import CommandError, call_command
from django.test import override_settings

from accounts.callers import Caller
from accounts.models import User
from audit import export_file, outside
from audit.canonical import event_bytes
from audit.filters import EventFilter
from audit.merkle.hashing import leaf_hash
from audit.merkle.notes import checkpoint_text, signed
from audit.merkle.proofs import Leaves, root
from audit.models import Checkpoint, Event, Export, Leaf
from audit.services.ask_export import ask_export
from audit.services.seal import Sealed, seal
from audit.services.verify_log import ask_verification, verify_log
from audit.services.write_export import write_export
from audit.signing import signers_for, signing_keys
from audit.verifier import verify
from tests.audit.conftest import SEALING_LOGINS, Attacker, Record
from tests.audit.test_sealing import cut
from tests.audit.test_threats import STREAM, edited, mend_the_stream, rewrite_the_tree

pytestmark = pytest.mark.django_db(transaction=True, databases=SEALING_LOGINS)

HOLDS = "THIS EXPORT HOLDS."
NOT_THE_ROOT = "The events do not lead to the root that the checkpoint signs"
REWRITTEN = (
    "The log is not the one that you checked last: among the first 7 events something was changed"
)


@dataclass(frozen=True)
class Told:
    """What each of them says; `again` is verify.py with the state file of the check before the attack."""

    command: str
    page: str
    export: str
    again: str

    def by_the_installation(self, words: str) -> bool:
        """Whether the command and the page say it, each in its own run."""
        return words in self.command and words in self.page


@dataclass
class Auditor:
    """Somebody who asks for exports and keeps a state file."""

    user: User
    state: Path
    capsys: pytest.CaptureFixture[str]

    def asks(self, **wishes: Any) -> Export:
        asked = ask_export(
            chosen=EventFilter(),
            file_format="bundle",
            caller=Caller.of_session(self.user),
            **wishes,
        )
        write_export(asked.id)
        asked.refresh_from_db()
        return asked

    def export(self, **wishes: Any) -> Path:
        asked = self.asks(**wishes)
        assert asked.state == "finished", asked.problem
        return export_file.path_of(asked)

    def verified(self, path: Path, *options: str) -> str:
        self.capsys.readouterr()
        verify.main([str(path), *options])
        return self.capsys.readouterr().out

    def asks_everybody(self) -> Told:
        said = StringIO()
        with suppress(CommandError):
            call_command("audit_fsck", "--all", stdout=said, stderr=said)
        check = ask_verification(caller=Caller.of_session(self.user))
        verify_log(check.pk)
        check.refresh_from_db()
        page = "\n".join(check.found)
        export = self.asks()
        if export.state == "failed":
            return Told(said.getvalue(), page, export.problem, export.problem)
        path = export_file.path_of(export)
        # The state file stays as it was, whatever this export says.
        kept = self.state.read_bytes()
        again = self.verified(path, "--state", str(self.state))
        self.state.write_bytes(kept)
        return Told(said.getvalue(), page, self.verified(path), again)


@pytest.fixture
def story(recorded: Record, machine: Path) -> Iterator[list[Event]]:
    """Five sealed events of one stream, signed after the third and after the fifth; no export waits."""
    from django.conf import settings

    made = [recorded(stream=STREAM) for _ in range(3)]
    seal()
    made += [recorded(stream=STREAM) for _ in range(2)]
    seal()
    config = settings.COUNTERSIGN.model_copy(update={"export_seal_wait_seconds": 0})
    with override_settings(COUNTERSIGN=config):
        yield made


@pytest.fixture
def seer(
    story: list[Event], auditor: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Auditor:
    """The auditor, who has checked the seven events that there are."""
    seer = Auditor(auditor, tmp_path / "state.json", capsys)
    assert HOLDS in seer.verified(seer.export(), "--state", str(seer.state))
    assert orjson.loads(seer.state.read_bytes())["size"] == 7
    return seer


def edit(story: list[Event], attacker: Attacker) -> None:
    last = story[-1]
    attacker.does(
        "UPDATE audit_event SET body = %s WHERE id = %s", edited(last, type="signout"), last.id
    )
    mend_the_stream(attacker)


def edit_with_its_leaf(story: list[Event], attacker: Attacker) -> None:
    edit(story, attacker)
    attacker.does(
        "UPDATE audit_leaf SET leaf_hash = event.leaf_hash FROM audit_event AS event "
        "WHERE audit_leaf.event = event.id"
    )
    rewrite_the_tree(attacker)


def delete(story: list[Event], attacker: Attacker) -> None:
    attacker.does("DELETE FROM audit_event WHERE id = %s", story[-1].id)
    mend_the_stream(attacker)


def delete_and_move_up(story: list[Event], attacker: Attacker) -> None:
    """Number 3 of the stream goes with its leaf, the later leaves move into its place."""
    gone = Leaf.objects.get(event=story[2].id).index
    attacker.does("DELETE FROM audit_event WHERE id = %s", story[2].id)
    attacker.does("DELETE FROM audit_leaf WHERE index = %s", gone)
    attacker.does("UPDATE audit_leaf SET index = index + 1000 WHERE index > %s", gone)
    attacker.does("UPDATE audit_leaf SET index = index - 1001 WHERE index > 1000")
    rewrite_the_tree(attacker)


def swap(story: list[Event], attacker: Attacker) -> None:
    """Numbers 4 and 5 of the stream change places in the log."""
    one, two = (Leaf.objects.get(event=event.id).index for event in story[3:])
    attacker.does(
        "UPDATE audit_leaf SET index = CASE index WHEN %s THEN %s + 1000 ELSE %s + 1000 END "
        "WHERE index IN (%s, %s)",
        *(one, two, one, one, two),
    )
    attacker.does("UPDATE audit_leaf SET index = index - 1000 WHERE index > 999")
    rewrite_the_tree(attacker)


def cut_the_tail(story: list[Event], attacker: Attacker) -> None:
    """As a restored backup of before the last two events."""
    for event in story[3:]:
        attacker.does("DELETE FROM audit_event WHERE id = %s", event.id)
    cut(attacker, 5)
    mend_the_stream(attacker)


@dataclass(frozen=True)
class Threat:
    """An attack, and what names it: the installation's word about itself, and verify.py."""

    attack: Callable[[list[Event], Attacker], None]
    installation: str
    export: str
    again: str = ""


ON_SEALED_ROWS = [
    Threat(edit, "sealed with another hash: it was changed after it was written", NOT_THE_ROOT),
    Threat(
        edit_with_its_leaf,
        "do not have the root of the checkpoint that is kept outside of the database: they were rewritten",
        NOT_THE_ROOT,
    ),
    Threat(delete, "which is not there: it was deleted after it was sealed", "missing at 1 places"),
    Threat(
        delete_and_move_up,
        "a leaf was changed, deleted or moved after it was signed",
        # The tree that is left does not have what the checkpoint signs: no evidence can be made of it.
        "No evidence can be made: the sealed log is not whole",
    ),
    Threat(swap, "a leaf was changed, deleted or moved after it was signed", NOT_THE_ROOT),
    Threat(
        cut_the_tail,
        "says 7 events and the log has 5: the tail was cut, or a backup was restored",
        # Nothing that was cut can show in what is left: the auditor's own state shows it.
        HOLDS,
        "The log had 7 events when you checked last and has 5 in this export",
    ),
]


@pytest.mark.parametrize("threat", ON_SEALED_ROWS, ids=lambda threat: threat.attack.__name__)
def test_what_is_done_to_sealed_rows_is_named_by_all_three(
    story: list[Event], seer: Auditor, attacker: Attacker, threat: Threat
) -> None:
    threat.attack(story, attacker)
    told = seer.asks_everybody()
    assert told.by_the_installation(threat.installation), told
    assert threat.export in told.export
    assert (threat.again or threat.export) in told.again


def test_an_unsealed_event_that_was_deleted_is_named_by_all_three(
    story: list[Event], seer: Auditor, attacker: Attacker, recorded: Record
) -> None:
    gone = recorded(stream=STREAM)
    attacker.does("DELETE FROM audit_event WHERE id = %s", gone.id)
    attacker.does("DELETE FROM audit_pending WHERE event = %s", gone.id)
    # The installation works on and seals what comes after.
    recorded(stream=STREAM)
    seal()
    told = seer.asks_everybody()
    assert told.by_the_installation(f"The stream {STREAM} lacks event 6: deleted"), told
    assert "A story goes from number 5 in line" in told.export
    assert "what lay between was taken out" in told.again


def with_the_key(attacker: Attacker, *, outside_too: bool) -> None:
    """Write the whole history anew: another actor in every event, and all that follows from it."""
    heads: dict[str, bytes] = {}
    leaves = list(Leaf.objects.order_by("index"))
    for leaf in leaves:
        event = Event.objects.get(pk=leaf.event)
        head = heads.get(event.stream)
        body = orjson.loads(bytes(event.body))
        body["actor"]["id"] = "8"
        body["prev"] = f"sha256:{head.hex()}" if head else None
        forged = event_bytes(body)
        heads[event.stream] = leaf_hash(forged)
        attacker.does("UPDATE audit_event SET body = %s WHERE id = %s", forged, event.id)
        attacker.does(
            "UPDATE audit_leaf SET leaf_hash = %s WHERE index = %s", leaf_hash(forged), leaf.index
        )
    for stream, head in heads.items():
        attacker.does("UPDATE audit_stream SET head = %s WHERE name = %s", head, stream)
    rewrite_the_tree(attacker)
    tree = Leaves([bytes(leaf.leaf_hash) for leaf in Leaf.objects.order_by("index")])
    for checkpoint in Checkpoint.objects.order_by("size"):
        size = checkpoint.size
        text = checkpoint_text("approvals.example/log", size, root(tree, size))
        note = signed(text, signers_for(signing_keys()))
        attacker.does(
            "UPDATE audit_checkpoint SET root = %s, note = %s WHERE size = %s",
            *(root(tree, size), note, size),
        )
        if outside_too:
            outside.write(note)


def test_a_history_that_was_rewritten_with_the_key_is_named_by_what_lies_outside(
    story: list[Event], attacker: Attacker, seer: Auditor
) -> None:
    # Sealed first: what the auditor's first export recorded would not follow from what was rewritten.
    seal()
    with_the_key(attacker, outside_too=False)
    told = seer.asks_everybody()
    assert told.by_the_installation("do not have the root of the checkpoint that is kept outside")
    assert HOLDS in told.export
    assert REWRITTEN in told.again


def test_whoever_has_the_key_and_the_machine_is_named_by_the_auditors_state_alone(
    story: list[Event], attacker: Attacker, seer: Auditor
) -> None:
    seal()
    with_the_key(attacker, outside_too=True)
    told = seer.asks_everybody()
    assert "The audit log fits" in told.command
    assert told.page == ""
    assert HOLDS in told.export
    assert REWRITTEN in told.again


def put_in(attacker: Attacker, like: Event, **changes: Any) -> None:
    """A further event of the stream, put in by hand; the database takes it in as it does any other."""
    body = orjson.loads(bytes(like.body)) | {
        "id": str(uuid6.uuid7()),
        "seq": like.seq + 1,
        "prev": f"sha256:{like.leaf_hex}",
        **changes,
    }
    attacker.inserts(event_bytes(body))


def test_an_event_that_says_an_earlier_time_than_it_was_put_in_at_is_named_by_all_three(
    story: list[Event], seer: Auditor, attacker: Attacker
) -> None:
    put_in(attacker, story[-1], time="2026-03-01T12:00:00.000000Z")
    seal()
    told = seer.asks_everybody()
    assert told.by_the_installation("it was backdated"), told
    for said in (told.export, told.again):
        assert HOLDS in said
        assert "When 1 of the events were written: the one in line 9 says 2026-03-01T12" in said
        assert "It was put in later with an earlier time" in said


def test_an_event_whose_insertion_was_backdated_too_is_named_by_all_three(
    story: list[Event], seer: Auditor, attacker: Attacker
) -> None:
    put_in(attacker, story[-1], time="2026-03-01T12:00:00.000000Z")
    newest = Event.objects.in_stream(STREAM).order_by("-seq")[0]
    for table, column in (("audit_event", "id"), ("audit_pending", "event")):
        attacker.does(
            f"UPDATE {table} SET inserted_at = '2026-03-01 12:00:00+00' WHERE {column} = %s",
            newest.id,
        )
    assert seal() != Sealed()
    told = seer.asks_everybody()
    assert told.by_the_installation("it was put in later with an earlier time"), told
    assert "It was put in later with an earlier time" in told.export


def test_an_old_export_that_is_shown_as_new_is_named(
    story: list[Event], seer: Auditor, recorded: Record
) -> None:
    old = seer.export(challenge="of last year")
    recorded(stream=STREAM)
    seal()
    new = seer.export(challenge="of today")
    assert HOLDS in seer.verified(new, "--state", str(seer.state), "--challenge", "of today")
    assert "An old export is shown as a new one" in seer.verified(old, "--challenge", "of today")
    assert "an old export is shown as a new one" in seer.verified(old, "--state", str(seer.state))


def test_what_a_filter_leaves_out_is_said_and_never_called_whole(
    story: list[Event], seer: Auditor, auditor: User
) -> None:
    asked = ask_export(
        chosen=EventFilter(type="request.*"),
        file_format="bundle",
        caller=Caller.of_session(auditor),
    )
    write_export(asked.id)
    said = seer.verified(export_file.path_of(asked))
    assert "That nothing is left out: the events were chosen" in said
    assert "none is left out" not in said
