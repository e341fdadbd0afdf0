"""Legal holds: what one covers is neither erased nor dropped until it is lifted."""

import datetime as dt
from uuid import UUID

import uuid6
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from audit.clock import database_now
from audit.errors import Conflict, Invalid, NotFound
from audit.models import Disclosure, Event
from audit.ports import Caller
from audit.record_keeping import Hold, HoldScope
from audit.recorder import record
from audit.schemas import Disclose


class BadHold(Invalid):
    """A hold that does not say what it covers."""

    code = "bad_hold"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message, params={"errors": [{"field": field, "message": message}]})


class UnknownHold(NotFound):
    """There is no such hold."""

    code = "unknown_hold"

    def __init__(self, hold_id: UUID) -> None:
        super().__init__(gettext("There is no such legal hold."), params={"hold": str(hold_id)})


class HoldLifted(Conflict):
    """The hold was lifted before."""

    code = "hold_lifted"

    def __init__(self) -> None:
        super().__init__(gettext("This hold was lifted already."))


class OnHold(Conflict):
    """What was to be erased or dropped is held."""

    code = "on_hold"

    def __init__(self, hold: Hold) -> None:
        super().__init__(
            gettext(
                "A legal hold stands in the way: {matter} ({covered}). Nothing was erased. It "
                "can be done once the hold is lifted."
            ).format(matter=hold.matter, covered=hold.covered),
            params={"hold": str(hold.pk)},
        )


def set_hold(
    *,
    matter: str,
    why: str,
    scope: HoldScope,
    target: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    caller: Caller,
) -> Hold:
    """Set a hold; see `Hold` for what it covers. Raises `BadHold`, or a Forbidden."""
    caller.require("keep_records", scope="audit")
    matter, why, target = matter.strip(), why.strip(), target.strip()
    for field, text in (("matter", matter), ("why", why)):
        if not text:
            raise BadHold(field, gettext("Say so in a few words."))
    target = _target(scope, target)
    if since is not None and until is not None and since >= until:
        raise BadHold("until", gettext("This is not later than the other moment."))
    with transaction.atomic():
        hold = Hold.objects.create(
            pk=uuid6.uuid7(),
            matter=matter,
            why=why,
            scope=scope,
            target=target,
            since=since,
            until=until,
            set_by=caller.actor.id,
            set_at=database_now(),
        )
        _record("hold.set", hold, caller)
    return hold


def lift_hold(*, hold_id: UUID, caller: Caller) -> Hold:
    """Lift a hold. Raises `UnknownHold`, `HoldLifted`, or a Forbidden."""
    caller.require("keep_records", scope="audit")
    with transaction.atomic():
        hold = Hold.objects.select_for_update().filter(pk=hold_id).first()
        if hold is None:
            raise UnknownHold(hold_id)
        if hold.lifted_at is not None:
            raise HoldLifted
        hold.lifted_by, hold.lifted_at = caller.actor.id, database_now()
        hold.save(update_fields=["lifted_by", "lifted_at"])
        _record("hold.lifted", hold, caller)
    return hold


def no_new_holds(using: str = DEFAULT_DB_ALIAS) -> None:
    """Until the caller's transaction ends nobody sets or lifts a hold: what was looked up stays true."""
    with connections[using].cursor() as cursor:
        cursor.execute("LOCK TABLE audit_hold IN SHARE MODE")


def hold_on_subject(subject: str) -> Hold | None:
    """A hold in force that covers the subject itself, or an event that keeps something apart about it."""
    kept = Event.objects.filter(
        pk__in=Disclosure.objects.filter(key__subject=subject).values("event")
    )
    for hold in Hold.objects.in_force().order_by("set_at", "id"):
        named = f"{hold.scope}:{hold.target}" == subject or hold.scope == HoldScope.EVERYTHING
        if (named and hold.since is None and hold.until is None) or kept.filter(
            hold.events()
        ).exists():
            return hold
    return None


def hold_on_events(events: "QuerySet[Event]") -> Hold | None:
    """A hold in force that covers any of the events."""
    for hold in Hold.objects.in_force().order_by("set_at", "id"):
        if events.filter(hold.events()).exists():
            return hold
    return None


def _target(scope: HoldScope, target: str) -> str:
    """The target as events name it. A hold on what no event can name would stand and hold nothing."""
    if scope == HoldScope.EVERYTHING:
        if target:
            raise BadHold("target", gettext("A hold on everything names nothing else."))
    elif not target:
        raise BadHold("target", gettext("Say which."))
    elif scope == HoldScope.PERSON and not (target.isascii() and target.isdigit()):
        raise BadHold("target", gettext("Nobody has this user name."))
    elif scope == HoldScope.AGENT and not _is_known(target):
        raise BadHold("target", gettext("The log knows no agent of this short name."))
    elif scope in (HoldScope.RUN, HoldScope.REQUEST):
        try:
            return str(UUID(target))
        except ValueError:
            raise BadHold("target", gettext("Enter the whole id.")) from None
    return target


def _is_known(agent: str) -> bool:
    return Event.objects.filter(Hold(scope=HoldScope.AGENT, target=agent).events()).exists()


def _record(type_: str, hold: Hold, caller: Caller) -> None:
    record(
        type=type_,
        actor=caller.actor,
        stream="log",
        facts={
            "hold": hold.pk,
            "scope": hold.scope,
            "target": hold.target or None,
            "since": hold.since,
            "until": hold.until,
        },
        # The matter of a hold is often somebody's name.
        disclosures=[
            Disclose("matter", hold.matter, f"hold:{hold.pk}"),
            Disclose("why", hold.why, f"hold:{hold.pk}"),
        ],
    )
