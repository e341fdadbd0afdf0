"""Erase what the log knows about a subject: one person proposes, another confirms.

Events, hashes and proofs stay as they are. A legal hold stands in the way until it is lifted.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from audit.clock import database_now
from audit.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from audit.models import Disclosure, SubjectKey
from audit.ports import Caller
from audit.record_keeping import Erasure, ErasureReason, ErasureState, Hold
from audit.recorder import record
from audit.schemas import Outcome
from audit.services.hold import OnHold, hold_on_subject, no_new_holds
from audit.services.refusals import record_refusal


class NothingToErase(Invalid):
    """The log keeps nothing apart about this subject."""

    code = "nothing_to_erase"

    def __init__(self, subject: str) -> None:
        message = gettext("The log keeps nothing apart about {subject}.").format(subject=subject)
        super().__init__(message, params={"errors": [{"field": "subject", "message": message}]})


class AlreadyProposed(Conflict):
    """The same erasure waits for its second person already."""

    code = "erasure_proposed"

    def __init__(self) -> None:
        super().__init__(gettext("This erasure is proposed already and waits for a second person."))


class UnknownErasure(NotFound):
    """There is no such proposal."""

    code = "unknown_erasure"

    def __init__(self, erasure_id: UUID) -> None:
        super().__init__(gettext("There is no such erasure."), params={"erasure": str(erasure_id)})


class ErasureClosed(Conflict):
    """Somebody decided on the proposal before."""

    code = "erasure_closed"

    def __init__(self, erasure: Erasure) -> None:
        super().__init__(
            gettext("This erasure is {state}.").format(state=erasure.get_state_display()),
            params={"state": erasure.state},
        )


class OwnErasure(Forbidden):
    """Whoever proposed an erasure is not the one who confirms it."""

    code = "own_erasure"

    def __init__(self) -> None:
        super().__init__(gettext("You proposed this erasure. Somebody else has to confirm it."))


class OtherSubject(Invalid):
    """What was named to confirm is not what the proposal is about."""

    code = "other_subject"

    def __init__(self, subject: str) -> None:
        message = gettext("To confirm, name exactly what is to be erased: {subject}").format(
            subject=subject
        )
        super().__init__(message, params={"errors": [{"field": "subject", "message": message}]})


@dataclass(frozen=True)
class Extent:
    """What an erasure that is still open would erase now, and the hold that stands in its way."""

    disclosures: int
    events: int
    hold: Hold | None


def propose_erasure(*, subject: str, reason: ErasureReason, caller: Caller) -> Erasure:
    """Propose to erase all disclosures recorded under `subject`, such as `person:7`.

    Raises `NothingToErase`, `OnHold`, `AlreadyProposed`, or a Forbidden. A refusal is recorded.
    """
    caller.require("keep_records", scope="audit")
    subject = subject.strip()
    try:
        with transaction.atomic():
            count = _disclosures(subject)
            if not count:
                raise NothingToErase(subject)
            _require_no_hold(subject)
            try:
                with transaction.atomic():
                    erasure = Erasure.objects.create(
                        subject=subject,
                        reason_code=reason,
                        proposed_by=caller.actor.id,
                        proposed_at=database_now(),
                        disclosures=count,
                    )
            except IntegrityError as error:
                raise AlreadyProposed from error
            _record("redaction.proposed", erasure, caller)
    except OnHold as refusal:
        _record_refused(subject, caller, refusal)
        raise
    return erasure


def confirm_erasure(*, erasure_id: UUID, subject: str, caller: Caller) -> Erasure:
    """Erase what was proposed, and named once more as `subject`: its disclosures and keys are gone for good.

    Raises `UnknownErasure`, `ErasureClosed`, `OwnErasure`, `OtherSubject`, `OnHold`, or a Forbidden; nothing has
    changed then. That it was one's own, or on hold, is recorded.
    """
    caller.require("keep_records", scope="audit")
    erasure: Erasure | None = None
    try:
        with transaction.atomic():
            no_new_holds()
            erasure = _open(erasure_id)
            if erasure.proposed_by == caller.actor.id:
                raise OwnErasure
            if subject.strip() != erasure.subject:
                raise OtherSubject(erasure.subject)
            _require_no_hold(erasure.subject)
            keys = SubjectKey.objects.filter(subject=erasure.subject)
            # Writers in flight are waited for, and others wait: what is counted is what the database deletes with
            # the keys, and a check of the log goes by that number.
            list(keys.select_for_update().values_list("pk", flat=True))
            erasure.disclosures = _disclosures(erasure.subject)
            keys._raw_delete(using="default")
            _close(erasure, ErasureState.CONFIRMED, caller)
            _record("disclosure.redacted", erasure, caller)
    except (OwnErasure, OnHold) as refusal:
        if erasure is not None:
            _record_refused(erasure.subject, caller, refusal)
        raise
    return erasure


def decline_erasure(*, erasure_id: UUID, caller: Caller) -> Erasure:
    """Close the proposal without erasing anything; whoever made it may do so too.

    Raises `UnknownErasure`, `ErasureClosed`, or a Forbidden.
    """
    caller.require("keep_records", scope="audit")
    with transaction.atomic():
        erasure = _open(erasure_id)
        _close(erasure, ErasureState.DECLINED, caller)
        _record("redaction.declined", erasure, caller)
    return erasure


def find_erasure(erasure_id: UUID, *, caller: Caller) -> Erasure:
    """The erasure, or `UnknownErasure`; raises a Forbidden unless the caller keeps records."""
    caller.require("keep_records", scope="audit")
    erasure = Erasure.objects.filter(pk=erasure_id).first()
    if erasure is None:
        raise UnknownErasure(erasure_id)
    return erasure


def extent_of(erasure: Erasure) -> Extent | None:
    """What it would erase now; None once somebody decided on it."""
    if erasure.state != ErasureState.PROPOSED:
        return None
    kept = Disclosure.objects.filter(key__subject=erasure.subject)
    return Extent(
        kept.count(), kept.values("event").distinct().count(), hold_on_subject(erasure.subject)
    )


def _open(erasure_id: UUID) -> Erasure:
    erasure = Erasure.objects.select_for_update().filter(pk=erasure_id).first()
    if erasure is None:
        raise UnknownErasure(erasure_id)
    if erasure.state != ErasureState.PROPOSED:
        raise ErasureClosed(erasure)
    return erasure


def _close(erasure: Erasure, state: ErasureState, caller: Caller) -> None:
    erasure.state = state
    erasure.decided_by, erasure.decided_at = caller.actor.id, database_now()
    erasure.save()


def _disclosures(subject: str) -> int:
    return Disclosure.objects.filter(key__subject=subject).count()


def _require_no_hold(subject: str) -> None:
    if hold := hold_on_subject(subject):
        raise OnHold(hold)


def _record(type_: str, erasure: Erasure, caller: Caller) -> None:
    decisions = {"redaction.proposed": "propose", "redaction.declined": "decline"}
    record(
        type=type_,
        actor=caller.actor,
        stream="log",
        outcome=Outcome(decision=decisions.get(type_, "redacted"), reason_code=erasure.reason_code),
        facts={
            "erasure": erasure.pk,
            "subject": erasure.subject,
            "disclosures": erasure.disclosures,
            "proposed_by": erasure.proposed_by,
        },
    )


def _record_refused(subject: str, caller: Caller, refusal: Refusal) -> None:
    record_refusal(
        refusal=refusal,
        type="redaction.refused",
        actor=caller.actor,
        stream="log",
        facts={"subject": subject},
    )
