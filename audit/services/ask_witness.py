"""Ask a witness: it is given the newest checkpoint with the proof that the log only grew, and cosigns it."""

import datetime as dt
from functools import partial

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from audit import ports
from audit.actors import Actor
from audit.clock import database_now
from audit.fault_points import reached
from audit.finding_words import in_words
from audit.merkle.cosignatures import Cosignature as Signed
from audit.merkle.tiles import MissingHash
from audit.models import Checkpoint, Cosignature, WitnessState
from audit.recorder import record
from audit.services.checkpoints import consistency_path
from audit.services.stream_out import let_wait
from audit.streaming.failing import NotDelivered
from audit.streaming.witnesses import Witness
from audit.streaming.witnessing import OtherSize, add_checkpoint

AT_ONCE = 2
ASKER = Actor.system("witness-asker")
log = structlog.get_logger(__name__)


def ask_witness(name: str, witness: Witness) -> bool:
    """Have the witness cosign the newest checkpoint, if it has not and nobody else is at it; whether it is worth
    asking again at once."""
    now = database_now()
    newest = Checkpoint.objects.newest()
    known = WitnessState.objects.filter(pk=name).first()
    if newest is None or _is_cosigned(newest, witness) or (known is not None and known.waits(now)):
        return False
    if known is None:
        WitnessState.objects.get_or_create(name=name, defaults={"key": witness.key})
    with transaction.atomic():
        let_wait(settings.COUNTERSIGN.audit_sink_timeout_seconds)
        state = WitnessState.objects.select_for_update(skip_locked=True).filter(pk=name).first()
        checkpoint = Checkpoint.objects.select_related("log").newest()
        if state is None or checkpoint is None or state.waits(database_now()):
            return False
        if _is_cosigned(checkpoint, witness):
            return False
        return _ask(state, witness, checkpoint)


def _is_cosigned(checkpoint: Checkpoint, witness: Witness) -> bool:
    """Whether what the witness signed by its key is kept: what it has seen and what came back may differ."""
    return Cosignature.objects.filter(checkpoint=checkpoint, key=witness.key).exists()


def _ask(state: WitnessState, witness: Witness, checkpoint: Checkpoint) -> bool:
    if (state.key, state.origin) != (witness.key, checkpoint.log.origin):
        # Another witness, or another log, of which it has seen nothing that is known here.
        state.key, state.origin, state.size = witness.key, checkpoint.log.origin, 0
        state.cosigned_at = None
    try:
        signed = add_checkpoint(
            witness,
            checkpoint.note,
            old=state.size,
            proof=consistency_path(state.size, checkpoint.size) if state.size else [],
            seconds=settings.COUNTERSIGN.audit_sink_timeout_seconds,
        )
    except OtherSize as other:
        return _note_size(state, other.size, checkpoint)
    except NotDelivered as failure:
        _note_failure(state, failure)
        return False
    except MissingHash as missing:
        _note_failure(state, NotDelivered("tile_missing", f"{missing} audit_fsck says more."))
        return False
    reached("witness.cosigned")
    _keep(state, checkpoint, signed)
    return False


def _note_size(state: WitnessState, size: int, checkpoint: Checkpoint) -> bool:
    """Take the witness's word for what it has seen; a larger log than there is was set back."""
    if size > checkpoint.size:
        _note_failure(
            state,
            NotDelivered(
                "ahead",
                f"It has cosigned {size} events of the log, which has {checkpoint.size}: the tail was cut, or a "
                "backup was restored.",
            ),
        )
        return False
    state.size = size
    state.attempts += 1
    state.save()
    # At once, but not again and again: one that names another size each time is asked at the usual pace.
    return state.attempts <= AT_ONCE


def _keep(state: WitnessState, checkpoint: Checkpoint, signed: Signed) -> None:
    now = database_now()
    cosigned_at = dt.datetime.fromtimestamp(signed.seconds, dt.UTC)
    Cosignature.objects.get_or_create(
        checkpoint=checkpoint,
        key=state.key,
        defaults={"line": signed.line, "cosigned_at": cosigned_at, "received_at": now},
    )
    state.size, state.cosigned_at = checkpoint.size, cosigned_at
    is_over = state.succeeded()
    state.save()
    if is_over:
        record(
            type="witness.recovered",
            actor=ASKER,
            stream="log",
            facts={"witness": state.name, "size": state.size},
        )


def _note_failure(state: WitnessState, failure: NotDelivered) -> None:
    if state.failing_since is None:
        log.warning("witness_failing", witness=state.name, why=failure.why)
    is_news = state.failed(failure, database_now(), first_wait=settings.COUNTERSIGN.witness_seconds)
    state.save()
    if is_news:
        record(
            type="witness.failing",
            actor=ASKER,
            stream="log",
            facts={"witness": state.name, "why": failure.why, "size": state.size},
        )
        transaction.on_commit(partial(_raise_alarm, state.name, str(failure)), robust=True)


def _raise_alarm(name: str, problem: str) -> None:
    ports.alarm(partial(_said, name, problem))


def _said(name: str, problem: str) -> tuple[str, str]:
    title = gettext("The witness {name} does not cosign the audit log").format(name=name)
    return title, in_words(problem)
