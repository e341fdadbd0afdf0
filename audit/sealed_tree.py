"""The sealed tree in the database: read under its lock, extended, signed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db import connections

from audit import outside
from audit.fault_points import reached
from audit.merkle.notes import VerifierKey, checkpoint_text, signed
from audit.merkle.proofs import root
from audit.merkle.stored import tiles
from audit.merkle.tiles import TileHashes, edge_of, extended, hashes_of
from audit.models import STANDING_CHECKPOINTS, LogKey
from audit.signing import signers_for, signing_keys
from audit.vouching import Unvouched, check_outside

SEALER: Final = "sealer"

_LOOK = f"""
SELECT state.size, state.root, state.halted_at IS NOT NULL, state.trouble,
    EXISTS (SELECT FROM audit_pending),
    coalesce((SELECT size FROM {STANDING_CHECKPOINTS} AS standing ORDER BY size DESC LIMIT 1), 0),
    newest.id, coalesce(newest.origin, '')
FROM audit_treestate AS state
LEFT JOIN LATERAL (SELECT id, origin FROM audit_log ORDER BY id DESC LIMIT 1) AS newest ON true
WHERE state.id = 1
"""  # noqa: S608 - nothing of anybody's is in it
# A statement of its own: what is read after it is read as it is once the lock is held.
_LOCK = "SELECT FROM audit_treestate WHERE id = 1 FOR UPDATE"
_TAKE = """
WITH taken AS (
    DELETE FROM audit_pending WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM audit_pending ORDER BY place LIMIT %s::bigint))
    RETURNING place, event, inserted_at, leaf_hash
), placed AS (
    INSERT INTO audit_leaf (index, event, event_inserted_at, leaf_hash)
    SELECT %s::bigint + row_number() OVER (ORDER BY place) - 1, event, inserted_at, leaf_hash
    FROM taken RETURNING index, leaf_hash
)
SELECT coalesce(string_agg(leaf_hash, ''::bytea ORDER BY index), '') FROM placed
"""
_EXTEND = """
INSERT INTO audit_tile (level, n, data)
SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[])
ON CONFLICT (level, n) DO UPDATE SET data = EXCLUDED.data
"""
_GROW = """
UPDATE audit_treestate SET size = %s, root = %s, sealed_at = clock_timestamp() WHERE id = 1
"""
_SIGN = """
WITH cleared AS (
    UPDATE audit_treestate SET trouble = '' WHERE id = 1 AND trouble <> ''
)
INSERT INTO audit_checkpoint (size, root, log_id, note) VALUES (%s, %s, %s, %s)
"""


@dataclass(frozen=True)
class State:
    """The committed tree, the log that it belongs to, and whether there is anything to do."""

    size: int
    root: bytes
    halted: bool
    trouble: str
    waiting: bool
    signed: int
    log_id: int | None
    origin: str

    @property
    def log(self) -> int:
        """The newest log's id; 0, which no log has, before there is one."""
        return self.log_id or 0


def locked_or_none() -> State | None:
    """The committed state with its row locked; None while another sealer is at work."""
    with connections[SEALER].cursor() as cursor:
        cursor.execute(f"{_LOCK} SKIP LOCKED")
        if cursor.fetchone() is None:
            return None
    return looked()


def locked() -> State:
    """The committed state with its row locked, once any sealer at work is done."""
    with connections[SEALER].cursor() as cursor:
        cursor.execute(_LOCK)
    return looked()


def looked() -> State:
    with connections[SEALER].cursor() as cursor:
        cursor.execute(_LOOK)
        row = cursor.fetchone()
    if row is None:
        raise Unvouched("The state of the sealed log is not in the database: it was deleted.")
    return State(row[0], bytes(row[1]), *row[2:])


def vouch(state: State, note: str | None) -> None:
    """Hold the tree against the note that is kept outside (`audit.vouching.check_outside`)."""
    check_outside(
        note,
        origin=state.origin,
        keys=lambda: keys_of(state),
        size=state.size,
        current_root=state.root,
        has_checkpoints=state.signed > 0,
        using=SEALER,
    )


def keys_of(state: State) -> Iterable[VerifierKey]:
    """Every key that signs or signed for the log."""
    return [row.key for row in LogKey.objects.using(SEALER).filter(log_id=state.log)]


def place(state: State, batch: int) -> int:
    """Give up to `batch` of the events that wait their places; returns how many. The state is locked."""
    edge = tiles(edge_of(state.size), using=SEALER)
    with connections[SEALER].cursor() as cursor:
        cursor.execute(_TAKE, [batch, state.size])
        added = hashes_of(bytes(cursor.fetchone()[0]))
        if not added:
            return 0
        changed = extended(state.size, edge, added)
        size = state.size + len(added)
        names = sorted(changed)
        cursor.execute(
            _EXTEND,
            [
                [name.level for name in names],
                [name.n for name in names],
                [changed[name] for name in names],
            ],
        )
        cursor.execute(_GROW, [size, root(TileHashes(edge | changed), size)])
    return len(added)


def sign(state: State) -> None:
    """Sign the tree, keep the checkpoint outside, store it. The state is locked and committed.

    Outside first: a checkpoint that could not be kept there is not published either.
    """
    note = signed(
        checkpoint_text(state.origin, state.size, state.root),
        signers_for(signing_keys(using=SEALER)),
    )
    reached("seal.signed")
    outside.write(note)
    reached("seal.kept")
    with connections[SEALER].cursor() as cursor:
        cursor.execute(_SIGN, [state.size, state.root, state.log_id, note])
