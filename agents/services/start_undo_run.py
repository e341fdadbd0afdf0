"""Start the run that holds nothing but an undo: what it is for has ended."""

from __future__ import annotations

from uuid import UUID

from agents.events import announce, tell
from agents.models import EffectRecord, Run
from agents.queues import RUNS, wake_on_commit
from audit.actors import Actor
from audit.canonical import canonical_bytes, sha256_hex
from audit.clock import database_now
from audit.prepared import Prepared

TITLE_LENGTH = 120

_wished = Prepared(
    lambda run: (
        EffectRecord.objects.filter(run=run, undo_asked__isnull=False)
        .select_related("step")
        .order_by("id")
    ),
    UUID(int=0),
)


def start_undo_run(effect: EffectRecord, ended: Run) -> Run:
    """A run of the same agent version, started by whoever asked for the undo. It asks no model.

    The caller holds the row of the run that ended.
    """
    wish = effect.undo_asked or {}
    given = {"undo": effect.step.name, "reason": wish["reason"]}
    title = f"Undo: {ended.title}"
    run = Run.objects.create(
        agent=ended.agent,
        agent_version=ended.agent_version,
        initiator_id=wish["by"],
        input=given,
        input_digest=sha256_hex(canonical_bytes(given)),
        title=title if len(title) <= TITLE_LENGTH else f"{title[: TITLE_LENGTH - 1]}…",
        parent=ended,
        undoes=effect,
        tainted=ended.tainted,
        tainted_by=ended.tainted_by,
        created_at=database_now(),
    )
    facts = {"parent": ended.pk}
    tell(run, "run.started", actor=Actor.person(wish["by"], "none"), facts=facts)
    wake_on_commit(run.pk, run.wake_seq, RUNS)
    announce(run, "started", version=run.version)
    return run


def hand_over_undos(ended: Run) -> None:
    """What was still to be undone in a run that ends is undone in runs of its own.

    An undo run that ends gives up its wish, so that it can be asked for again.
    """
    if ended.undoes_id is not None:
        EffectRecord.objects.filter(pk=ended.undoes_id).update(undo_asked=None)
    for effect in _wished(ended.pk):
        start_undo_run(effect, ended)
