"""Check the whole log in the background, because somebody asked for it, and say what was found in sentences."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext

from audit import queues
from audit.actors import Actor
from audit.background import lease
from audit.clock import database_now
from audit.errors import NotFound
from audit.finding_words import in_words
from audit.fsck import Checked, check
from audit.ports import Caller, alarm
from audit.recorder import record
from audit.schemas import Outcome
from audit.verification import Verification, VerificationQuerySet, VerificationState

KEPT_FINDINGS: Final = 100
_IN_THE_LOG: Final = {
    VerificationState.FITS: "everything_fits",
    VerificationState.DIFFERS: "something_does_not_fit",
    VerificationState.FAILED: "not_finished",
}

log = structlog.get_logger(__name__)


def ask_verification(*, caller: Caller) -> Verification:
    """Have the log checked; whoever asks while a check is underway gets that one. It is recorded.

    Raises a Forbidden unless the caller may read the log.
    """
    caller.require("read_audit", scope="audit")
    with transaction.atomic():
        asked = Verification(asked_by=caller.actor.id, created_at=database_now())
        # Of two wishes at the same moment, the second waits here for the first.
        Verification.objects.bulk_create([asked], ignore_conflicts=True)
        if not Verification.objects.filter(pk=asked.pk).exists():
            return Verification.objects.underway().get()
        _record("verification.asked", asked, caller.actor)
        queues.verify_log_on_commit(asked.id)
    return asked


def find_verification(verification_id: UUID, *, caller: Caller) -> Verification:
    """A check that somebody asked for; raises `NotFound`, or a Forbidden unless the caller may read the log."""
    caller.require("read_audit", scope="audit")
    found = Verification.objects.filter(pk=verification_id).first()
    if found is None:
        raise NotFound("There is no such check.")
    return found


def verify_log(verification_id: UUID) -> None:
    """Check the log and keep what was found; does nothing when that is done, or being done.

    An attempt whose process was killed is taken up again once its lease is over, from the beginning.
    """
    held = _take(verification_id)
    if held is None:
        return
    checked = Checked()
    try:
        with _beating(held, checked):
            found = list(islice(check(checked), KEPT_FINDINGS + 1))
    except Exception:
        _end(held, VerificationState.FAILED, problem="The check ended with an error. Ask again.")
        raise
    except BaseException:
        # The worker is told to stop: whoever looks next takes the check up at once.
        held.update(beat_at=None)
        raise
    more = len(found) > KEPT_FINDINGS
    _end(
        held,
        VerificationState.DIFFERS if found else VerificationState.FITS,
        events=checked.events,
        leaves=checked.log.leaves,
        found=found[:KEPT_FINDINGS],
        notes=[*checked.warnings, *checked.log.notes],
        looked_at=checked.counted(),
        summary=checked.in_words(),
        problem=f"Only the first {KEPT_FINDINGS} are shown: audit_fsck --all names all."
        if more
        else "",
    )


def resume_verifications() -> int:
    """Put checks on the queue again whose wake-up was lost or whose worker went away; returns how many.

    For the scheduler.
    """
    unheard = Verification.objects.unheard()
    for each in unheard:
        queues.verify_log(each.id)
    return len(unheard)


def _take(verification_id: UUID) -> VerificationQuerySet | None:
    """The check as this attempt's own; None when there is nothing to do."""
    taken = Verification.objects.take(verification_id)
    if taken is None:
        most = settings.COUNTERSIGN.export_attempts
        _end(
            Verification.objects.free(verification_id),
            VerificationState.FAILED,
            problem=f"Whoever checked was stopped {most} times.",
        )
    return taken


@contextmanager
def _beating(held: VerificationQuerySet, checked: Checked) -> Iterator[None]:
    """Give signs of life, and tell how far the check is, from beside it: it holds one snapshot throughout."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(lease().total_seconds() / 3):
            try:
                held.update(
                    beat_at=database_now(), events=checked.events, leaves=checked.log.leaves
                )
            except Exception:
                # The next sign of life may get through; without any, another attempt takes over.
                log.exception("verification_beat_failed")
        connection.close()

    beside = threading.Thread(target=beat, daemon=True)
    beside.start()
    try:
        yield
    finally:
        done.set()
        beside.join()


def _end(held: VerificationQuerySet, state: VerificationState, **came_to: object) -> None:
    """Keep what the check came to, and record it, unless another attempt took over."""
    with transaction.atomic():
        ending = held.select_for_update().first()
        if ending is None:
            return
        Verification.objects.filter(pk=ending.pk).update(
            state=state, finished_at=database_now(), **came_to
        )
        ending.refresh_from_db()
        _record(
            "verification.ended",
            ending,
            Actor.system("verification"),
            Outcome(decision=_IN_THE_LOG[state]),
        )
    if state == VerificationState.DIFFERS:
        alarm(partial(_said, str(ending.found[0])))


def _said(found: str) -> tuple[str, str]:
    return (
        gettext("The audit log does not fit"),
        gettext("A check of the audit log found: {what}").format(what=in_words(found)),
    )


def _record(
    type_: str, verification: Verification, actor: Actor, outcome: Outcome | None = None
) -> None:
    ended = outcome is not None
    record(
        type=type_,
        actor=actor,
        stream="log",
        outcome=outcome,
        facts={
            "verification": verification.id,
            **({"events": verification.events, "size": verification.leaves} if ended else {}),
            **({"found": len(verification.found)} if ended else {}),
        },
    )
