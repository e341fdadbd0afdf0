"""Halt: stop sealing and say so to everybody, or note what keeps a sealer from its work."""

from functools import partial
from typing import Final

import structlog
from django.db import DatabaseError, connections, transaction
from django.utils.translation import gettext

from audit import ports
from audit.actors import Actor
from audit.finding_words import in_words
from audit.recorder import record

SEALER: Final = "sealer"
log = structlog.get_logger(__name__)

_HALT: Final = """
UPDATE audit_treestate SET halted_at = clock_timestamp(), halted_because = %s
WHERE id = 1 AND halted_at IS NULL RETURNING size
"""
_NOTE: Final = "UPDATE audit_treestate SET trouble = %s WHERE id = 1 AND trouble <> %s"
# What this process has said. Not what stands in the database: that may be another machine's, or of before a restart.
_told: Final[set[str]] = set()


def halt(sentence: str, *, why: str) -> bool:
    """Seal nothing more until an operator has looked; whether this call is the one that halted it.

    The first one says so: in the log of the process, in the audit log, and by mail to those who administer.
    """
    with transaction.atomic(using=SEALER):
        with connections[SEALER].cursor() as cursor:
            cursor.execute(_HALT, [sentence])
            halted = cursor.fetchone()
        if halted is None:
            return False
        # Committed before the halt is: whoever looks next, after this process was killed, says it once more.
        _record(why, halted[0])
    log.error("sealing_halted", reason=sentence)
    ports.alarm(partial(_said, sentence))
    return True


def _said(sentence: str) -> tuple[str, str]:
    then = gettext("Nothing is sealed until an operator has looked: {command}.")
    return (
        gettext("Sealing of the audit log has halted"),
        f"{in_words(sentence)}\n\n{then.format(command='manage.py audit_log status')}",
    )


def _record(why: str, size: int) -> None:
    try:
        with transaction.atomic():
            record(
                type="log.halted",
                actor=Actor.system("sealer"),
                stream="log",
                facts={"why": why, "size": size},
            )
    except DatabaseError:
        # What keeps an event from being written must not keep the log from being halted.
        log.exception("halt_not_recorded")


def note_trouble(sentence: str) -> None:
    """Say what keeps this sealer from its work; once in each process, until it has sealed, however often it is met."""
    with connections[SEALER].cursor() as cursor:
        cursor.execute(_NOTE, [sentence, sentence])
    if sentence not in _told:
        _told.clear()
        _told.add(sentence)
        log.warning("sealing_waits", reason=sentence)


def forget_trouble() -> bool:
    """This process has signed: what keeps it from its work from now on is said anew. Whether there was anything."""
    had = bool(_told)
    _told.clear()
    return had
