"""Seal: give events their place in the log, and sign what the log has become.

Two transactions. The first takes events that have committed and extends the tree; the second reads the
committed tree, holds it against the checkpoint that is kept outside the database, and signs. A position is
given only to what is visible, so a transaction that commits late is sealed late and never missed.
"""

from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from audit import outside
from audit.fault_points import reached
from audit.merkle.notes import NoteNotValid
from audit.merkle.tiles import MissingHash
from audit.outside import OutsideTrouble
from audit.sealed_tree import SEALER, locked_or_none, looked, place, sign, vouch
from audit.services.announce_log import announce_log
from audit.services.begin_log import begin_log
from audit.services.halt import forget_trouble, halt, note_trouble
from audit.signing import KeyTrouble, own_key
from audit.vouching import Rewound, Unvouched

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sealed:
    """What one pass did: how many events got a place, and the size that was signed, 0 for none."""

    events: int = 0
    signed: int = 0


def seal() -> Sealed:
    """One pass: all that waits is given its place, and the log's size is signed where it grew.

    Safe to call at any time and from several processes: one works, the others return. A log that was set
    back is halted; what else keeps it from sealing (a key, a disk) is noted, and the next pass tries again.
    """
    try:
        # Read before the state: another sealer may be at work, and what it signs is never ahead of the tree.
        kept = outside.read()
        state = looked()
        if state.halted:
            return Sealed()
        if state.log_id is not None:
            vouch(state, kept)
        if not state.waiting and state.signed == state.size:
            return Sealed()
        if state.log_id is None:
            _begin()
        return Sealed(_place_all(), _sign())
    except Rewound as evidence:
        halt(str(evidence), why=evidence.why)
    except (KeyTrouble, OutsideTrouble, Unvouched, MissingHash, NoteNotValid) as trouble:
        note_trouble(str(trouble))
    except IntegrityError:
        log.exception("sealing_refused")
        note_trouble("An event that waits is in the log already: audit_fsck names it.")
    return Sealed()


def _begin() -> None:
    """Give the log its name and its key, once; nothing where another sealer does, or has done so meanwhile."""
    with transaction.atomic(using=SEALER):
        state = locked_or_none()
        if state is not None and state.log_id is None:
            if outside.read() is not None:
                raise Unvouched(
                    f"The database holds no sealed log, and {outside.path()} has a checkpoint: the database was "
                    "emptied or is another one. Move that file away if a new log is to begin."
                )
            begin_log(size=state.size, key=own_key())
    announce_log()


def _place_all() -> int:
    placed, batch = 0, settings.COUNTERSIGN.sealing_batch
    while True:
        with transaction.atomic(using=SEALER):
            state = locked_or_none()
            if state is None or state.halted or state.log_id is None:
                return placed
            vouch(state, outside.read())
            added = place(state, batch) if state.waiting else 0
            reached("seal.before_commit")
        reached("seal.placed")
        placed += added
        if added < batch:
            return placed


def _sign() -> int:
    """Sign the committed tree where it has grown; the size, or 0."""
    with transaction.atomic(using=SEALER):
        state = locked_or_none()
        if state is None or state.halted or state.signed == state.size:
            return 0
        vouch(state, outside.read())
        sign(state)
    reached("seal.committed")
    if forget_trouble():
        log.info("sealing_goes_on", size=state.size)
    return state.size
