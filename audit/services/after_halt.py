"""After a halt: seal on once all fits again, take a log up on another machine, or begin its successor."""

from django.conf import settings
from django.db import connections, transaction
from django.db.models import F, Q

from audit import outside
from audit.actors import Actor
from audit.errors import Conflict
from audit.merkle.notes import NoteNotValid, opened
from audit.models import Checkpoint, Log, SinkCursor
from audit.recorder import record
from audit.sealed_tree import SEALER, State, keys_of, locked, place, sign, vouch
from audit.services.announce_log import announce_log
from audit.services.begin_log import begin_log
from audit.services.move_sink import send_from
from audit.signing import new_key
from audit.vouching import Rewound, Unvouched, check_tree

_LIFT = """
UPDATE audit_treestate SET halted_at = NULL, halted_because = '', trouble = '' WHERE id = 1
"""


def acknowledge(*, actor: Actor) -> None:
    """Let sealing go on after a halt. Raises `Conflict` where it did not halt or something still does not fit."""
    with transaction.atomic(using=SEALER):
        state = locked()
        if not state.halted:
            raise Conflict("Sealing has not halted.")
        try:
            vouch(state, outside.read())
        except (Rewound, Unvouched) as wrong:
            raise Conflict(
                f"It still does not fit: {wrong} Restore what was sealed, or begin a successor with "
                "audit_log succeed."
            ) from wrong
        _lift()
    _say("log.resumed", state, actor)


def adopt(*, actor: Actor) -> Checkpoint:
    """Keep the database's newest checkpoint on this machine, which has none of this log.

    For a further machine, and after a successor was begun on another. The tree and the signature are
    checked; that nothing was cut before, this machine cannot know. Raises `Conflict`.
    """
    with transaction.atomic(using=SEALER):
        state = locked()
        newest = Checkpoint.objects.using(SEALER).select_related("log").newest()
        if newest is None or newest.log_id != state.log_id:
            raise Conflict("The log has no checkpoint that could be taken up.")
        if _kept_origin() == newest.log.origin:
            raise Conflict("This machine keeps a checkpoint of this log already.")
        try:
            check_tree(state.size, state.root, opened(newest.note, keys_of(state)), using=SEALER)
        except (Rewound, NoteNotValid) as wrong:
            raise Conflict(f"The log is not taken up: {wrong}") from wrong
        outside.write(newest.note)
    _say("log.adopted", state, actor)
    return newest


def succeed(*, actor: Actor) -> Log:
    """Begin a new log in the place of this one, whose key was lost or which was set back.

    It goes on over the same leaves under a new name and a new key, and names the last checkpoint of the
    old one. Its first checkpoint is signed here, and sealing goes on. May be called again where it was
    interrupted. Raises `Conflict` where there is no log, and `audit.signing.KeyTrouble`.
    """
    with transaction.atomic(using=SEALER):
        state = locked()
        if state.log_id is None:
            raise Conflict("There is no sealed log yet.")
        if _is_begun(state):
            newest = Log.objects.using(SEALER).get(pk=state.log)
        else:
            newest = begin_log(size=state.size, key=new_key(), former=_last_note())
    _send_again(newest.first_size, actor=actor)
    # The event that names the old log is what makes the new one grow.
    announce_log(actor=actor)
    with transaction.atomic(using=SEALER):
        place(locked(), settings.COUNTERSIGN.sealing_batch)
    with transaction.atomic(using=SEALER):
        state = locked()
        check_tree(state.size, state.root, None, using=SEALER)
        sign(state)
        _lift()
    return newest


def _send_again(size: int, *, actor: Actor) -> None:
    """Let every sink that was given more than the successor begins with go on with its first event."""
    ahead = Q(next__gt=size) | Q(until__gt=F("next"), size__gt=size)
    with transaction.atomic():
        for cursor in SinkCursor.objects.select_for_update().filter(ahead).order_by("name"):
            send_from(cursor, min(cursor.next, size), actor=actor)


def _is_begun(state: State) -> bool:
    """Whether the newest log is a successor that has signed nothing yet."""
    newest = Log.objects.using(SEALER).get(pk=state.log)
    signed = Checkpoint.objects.using(SEALER).filter(log_id=state.log).exists()
    return bool(newest.former) and not signed


def _last_note() -> str:
    kept = outside.read()
    if kept is not None:
        return kept
    newest = Checkpoint.objects.using(SEALER).newest()
    if newest is None:
        raise Conflict("The log has no checkpoint that a successor could name.")
    return newest.note


def _kept_origin() -> str:
    return (outside.read() or "").partition("\n")[0]


def _lift() -> None:
    with connections[SEALER].cursor() as cursor:
        cursor.execute(_LIFT)


def _say(event: str, state: State, actor: Actor) -> None:
    with transaction.atomic():
        record(
            type=event,
            actor=actor,
            stream="log",
            facts={"origin": state.origin, "size": state.size},
        )
