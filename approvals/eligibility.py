"""Who may decide a request: permission and scope, group, and never one's own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.confirmations import Confirmation
from accounts.vocabulary import Permission
from approvals.asked import not_stood_in_for
from approvals.errors import (
    NotInGroups,
    OwnEdit,
    OwnRequest,
    ReadFirst,
    SecondFactorRequired,
    SensitiveHidden,
    StandsInForEditor,
    StandsInForInitiator,
)
from approvals.models import ApprovalRequest, RequestGroup, Viewing
from approvals.vocabulary import INITIATOR_MAY, Friction, Verdict
from approvals.withholding import Withheld
from audit.prepared import Prepared

_viewing = Prepared(
    lambda request, revision, person: Viewing.objects.filter(
        request=request, revision=revision, user=person
    ).order_by("pk"),
    UUID(int=0),
    1,
    2,
)

APPROVING = frozenset({Verdict.APPROVE, Verdict.EDIT})
#: Verdicts by which a final answer goes out.
PASSING_ON = frozenset({Verdict.ACCEPT, Verdict.CORRECT})
#: Who works with policies reads them: reviewers, admins, and those who may read everything.
POLICY_READERS: tuple[Permission, ...] = (
    "publish_policies",
    "decide_requests",
    "read_everything",
)


def require(
    request: ApprovalRequest, groups: Sequence[RequestGroup], caller: Caller, verdict: Verdict
) -> None:
    """Raise the `Forbidden` that says why this caller's verdict is not taken."""
    own = request.initiator_id is not None and request.initiator_id == caller.user.pk
    if own and request.kind in INITIATOR_MAY:
        scope_of_initiator(caller)
        return
    caller.require("decide_requests", scope="decide")
    if not in_groups(request, groups, caller):
        raise NotInGroups([row.group.title for row in groups])
    if own:
        raise OwnRequest
    if not _ways_in(groups, caller, {request.initiator_id}):
        raise StandsInForInitiator
    if verdict == Verdict.APPROVE:
        if request.barred_editor_id == caller.user.pk:
            raise OwnEdit
        if not _ways_in(groups, caller, not_stood_in_for(request)):
            raise StandsInForEditor
    if request.needs.friction == Friction.SECOND_FACTOR and caller.is_token:
        raise SecondFactorRequired
    if hidden := _unseen(request, caller, verdict):
        raise SensitiveHidden(hidden)


def _unseen(request: ApprovalRequest, caller: Caller, verdict: Verdict) -> list[str]:
    """What the caller would let out without having seen it: arguments of a call, fields of an answer."""
    if verdict in APPROVING:
        return hidden_arguments(request, caller)
    if verdict in PASSING_ON:
        answer = (request.question or {}).get("output") or {}
        return withheld_from(request, caller).names_in(answer)
    return []


def scope_of_initiator(caller: Caller) -> None:
    """The initiator of a run answers with the scope that starts runs, or the one that decides. Whatever a
    person takes back of their own needs one of the two as well: the scope that reads changes nothing."""
    if not caller.may(None, "decide"):
        caller.require(None, scope="run")


def in_groups(request: ApprovalRequest, groups: Sequence[RequestGroup], caller: Caller) -> bool:
    """Whether the caller belongs to those asked or stands in for one of them, and neither is of an owner
    group that is left out."""
    if request.needs.exclude_owner and request.owner_group_id in caller.group_ids:
        return False
    return any(row.group_id in caller.group_ids for row in groups)


def on_behalf_of(
    request: ApprovalRequest, groups: Sequence[RequestGroup], caller: Caller
) -> tuple[int, ...]:
    """Ids of those by whose membership the caller decides for groups that they do not belong to."""
    own = request.initiator_id is not None and request.initiator_id == caller.user.pk
    if own and request.kind in INITIATOR_MAY:
        return ()
    lent = _ways_in(groups, caller, not_stood_in_for(request))
    people = {
        absent for group, absent in lent if absent is not None and group not in caller.own_group_ids
    }
    return tuple(sorted(people))


def _ways_in(
    groups: Sequence[RequestGroup], caller: Caller, barred: Collection[int | None]
) -> list[tuple[int, int | None]]:
    """The caller's memberships of the groups asked, but for what standing in for the barred ones gives."""
    asked = {row.group_id for row in groups}
    return [
        (group, absent)
        for group, absent in caller.memberships
        if group in asked and (absent is None or absent not in barred)
    ]


def reads_sensitive(caller: Caller, *, listed: bool = False) -> bool:
    """Whether sensitive arguments are shown to the caller.

    Each look of an auditor is an event of one request or run; in lists they are not shown to them.
    """
    return caller.holds("read_sensitive") and not (listed and caller.holds("read_audit"))


def looks_on_record(request: ApprovalRequest, caller: Caller) -> bool:
    """Whether the caller sees something sensitive in this request, and as an auditor leaves word of it."""
    return (
        bool(request.sensitive or request.withheld)
        and reads_sensitive(caller)
        and caller.holds("read_audit")
    )


def withheld_from(request: ApprovalRequest, caller: Caller, *, listed: bool = False) -> Withheld:
    """The values that may not reach this caller, wherever the request repeats them."""
    if not request.withheld or reads_sensitive(caller, listed=listed):
        return Withheld()
    return Withheld(request.withheld)


def hidden_arguments(
    request: ApprovalRequest, caller: Caller, *, listed: bool = False
) -> list[str]:
    """Names of the arguments that this caller may not see: sensitive ones, and those that repeat one."""
    if not (request.sensitive or request.withheld) or reads_sensitive(caller, listed=listed):
        return []
    # A request about a call that was made keeps the call's arguments in what it asks.
    given = {**request.arguments, **((request.question or {}).get("arguments") or {})}
    repeats = withheld_from(request, caller, listed=listed).names_in(given)
    return [name for name in given if name in request.sensitive or name in repeats]


def require_friction(
    request: ApprovalRequest,
    caller: Caller,
    *,
    typed: str | None,
    second_factor: Confirmation | None,
    now: datetime,
) -> list[dict[str, str]]:
    """What the policy asks for besides the verdict to approve.

    Returns field errors for a typed confirmation that does not fit; raises for the others.
    """
    needs = request.needs
    require_second_factor(request, second_factor, now)
    if needs.friction == Friction.READING:
        opened = opened_at(request, caller)
        if opened is None or now - opened < timedelta(seconds=needs.friction_seconds):
            raise ReadFirst(needs.friction_seconds)
    if needs.friction == Friction.TYPED and not is_typed(request, typed):
        wanted = _to_type(request)
        return [
            {"field": "typed", "message": gettext("type exactly: {wanted}").format(wanted=wanted)}
        ]
    return []


def is_typed(request: ApprovalRequest, typed: str | None) -> bool:
    """Whether the text is what the request's typed confirmation asks for."""
    return " ".join((typed or "").split()) == " ".join(_to_type(request).split())


def _to_type(request: ApprovalRequest) -> str:
    return request.what.subject or request.title


def require_second_factor(
    request: ApprovalRequest, second_factor: Confirmation | None, now: datetime
) -> None:
    """Raise `SecondFactorRequired` where the request asks for one and none was used lately."""
    if asks_second_factor(request) and not confirms(request, second_factor, now):
        raise SecondFactorRequired


def asks_second_factor(request: ApprovalRequest) -> bool:
    """Whether approving it asks for a second factor."""
    return request.needs.friction == Friction.SECOND_FACTOR


def confirms(request: ApprovalRequest, second_factor: Confirmation | None, now: datetime) -> bool:
    """Whether the second factor was used within the time that the request gives."""
    window = timedelta(seconds=request.needs.second_factor_seconds)
    return second_factor is not None and second_factor.is_fresh(now, window)


def opened_at(request: ApprovalRequest, caller: Caller) -> datetime | None:
    """When the caller opened this revision for the first time, as the server saw it."""
    viewing = _viewing.one(request.pk, request.revision, caller.user.pk)
    return viewing.opened_at if viewing else None


def require_policy_reader(caller: Caller) -> None:
    """Raise the `Forbidden` for somebody who does not work with policies."""
    caller.require(None, scope="read")
    if not any(caller.holds(permission) for permission in POLICY_READERS):
        caller.require("decide_requests", scope="read")
