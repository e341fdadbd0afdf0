"""What does not fit the request as it stands: unknown, decided, changed, not open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext

from audit.errors import Conflict, Invalid, NotFound


class RequestUnknown(NotFound):
    """No such request, or none that this caller may see."""

    code = "request_unknown"

    def __init__(self, request_id: UUID | str) -> None:
        super().__init__(gettext("There is no such request."), params={"request": str(request_id)})


class AlreadyDecided(Conflict):
    """Somebody, or the clock, was faster."""

    code = "already_decided"

    def __init__(self, *, who: str, what: str, when: str, state: str) -> None:
        super().__init__(
            gettext("This request was already closed: {what} by {who}.").format(what=what, who=who),
            params={"who": who, "what": what, "when": when, "state": state},
        )


class DeadlinePassed(Conflict):
    """The time to decide is over; the sweep closes the request."""

    code = "deadline_passed"

    def __init__(self, deadline: datetime) -> None:
        super().__init__(
            gettext(
                "The time to decide this was over before your verdict came. Nothing was carried out."
            ),
            params={"review_deadline": deadline.isoformat()},
        )


class AlreadyVoted(Conflict):
    """The person has already given their approval to this revision."""

    code = "already_voted"

    def __init__(self) -> None:
        super().__init__(gettext("You have approved this already; it needs somebody else now."))


class ContentChanged(Conflict):
    """What is to be decided is no longer what the caller saw."""

    code = "content_changed"

    def __init__(self, *, revision: int, digest: str, shown_sha256: str, what: str) -> None:
        super().__init__(
            gettext("This request changed since you opened it. Read it again, then decide."),
            params={
                "revision": revision,
                "digest": digest,
                "shown_sha256": shown_sha256,
                "differs": what,
            },
        )


class ReadFirst(Conflict):
    """The policy asks for a minimum reading time."""

    code = "read_first"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            gettext(
                "This request asks for at least {seconds} seconds of reading before it is approved."
            ).format(seconds=seconds),
            params={"seconds": seconds},
        )


class VerdictNotOffered(Invalid):
    """This kind of request does not take this verdict."""

    code = "verdict_not_offered"

    def __init__(self, *, kind: str, verdict: str, offered: Sequence[str]) -> None:
        super().__init__(
            gettext("A request of the kind {kind} takes {offered}; not {verdict}.").format(
                kind=kind, offered=", ".join(offered), verdict=verdict
            ),
            params={"kind": kind, "verdict": verdict, "offered": list(offered)},
        )


class BadBody(Invalid):
    """A field is missing, not wanted, or does not hold. `params["errors"]` says which."""

    code = "bad_body"

    def __init__(self, errors: Sequence[dict[str, Any]]) -> None:
        text = "; ".join(f"{e['field']}: {e['message']}" for e in errors)
        super().__init__(
            gettext("The decision cannot be taken: {text}.").format(text=text),
            params={"errors": list(errors)},
        )


class NonceReused(Invalid):
    """One nonce, two different decisions."""

    code = "nonce_reused"

    def __init__(self) -> None:
        super().__init__(gettext("This nonce was used for another decision. Send a fresh one."))


class NothingToUndo(Conflict):
    """The request is not an approval that waits, so there is nothing to take back."""

    code = "nothing_to_undo"

    def __init__(self, *, state: str, standing: str) -> None:
        super().__init__(
            gettext("There is nothing to take back: {standing}").format(standing=standing),
            params={"state": state, "standing": standing},
        )


class NotConsumable(Conflict):
    """This approval does not cover the call that was about to be made."""

    code = "not_consumable"

    def __init__(self, detail: str, **params: Any) -> None:
        super().__init__(detail, params=params)


class ClaimHeld(Conflict):
    """Somebody else is looking at it. Advisory: it can be taken over."""

    code = "claim_held"

    def __init__(self, *, who: str, until: str) -> None:
        super().__init__(
            gettext("{who} is looking at this. Take it over if you need to.").format(who=who),
            params={"who": who, "until": until},
        )


class NotOpen(Conflict):
    """The request no longer waits."""

    code = "not_open"

    def __init__(self, state: str) -> None:
        super().__init__(
            gettext("This request no longer waits: it is {state}.").format(state=state),
            params={"state": state},
        )


class DeadlineTooNear(Conflict):
    """Put off any longer, it would come back too late."""

    code = "deadline_too_near"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "Its deadline is too near to put it off. Decide it now, or extend the deadline."
            )
        )


class ExtensionLimit(Conflict):
    """The deadline cannot be moved further."""

    code = "extension_limit"

    def __init__(self, *, limit_hours: int, left_hours: int) -> None:
        super().__init__(
            gettext(
                "This deadline can be moved by {limit_hours} hours in all; {left_hours} are left."
            ).format(limit_hours=limit_hours, left_hours=left_hours),
            params={"limit_hours": limit_hours, "left_hours": left_hours},
        )


class NoDeadline(Conflict):
    """Requests of this kind wait for as long as it takes."""

    code = "no_deadline"

    def __init__(self) -> None:
        super().__init__(gettext("This request has no deadline, so there is nothing to extend."))


class EmptyComment(Invalid):
    """A comment needs words."""

    code = "empty_comment"

    def __init__(self) -> None:
        super().__init__(gettext("Write something before you send it."))


class Unsatisfiable(Conflict):
    """The requirements name a group that does not exist."""

    code = "unsatisfiable"

    def __init__(self, groups: Sequence[str]) -> None:
        super().__init__(
            gettext(
                "Nobody could decide this: there is no review group {groups}. Create it, or "
                "change the policy."
            ).format(groups=", ".join(groups)),
            params={"groups": list(groups)},
        )


class NobodyCouldDecide(Conflict):
    """Too few people could approve the action, so no request for it is opened."""

    code = "nobody_could_decide"

    def __init__(self, lacking: Mapping[str, int]) -> None:
        people = " and ".join(
            gettext("{number} more of {title}").format(number=number, title=title)
            for title, number in lacking.items()
        )
        super().__init__(
            gettext(
                "Nobody could approve this: it lacks {people} who may decide, did not start the "
                "run and did not change the arguments. Add people, or change the policy."
            ).format(people=people),
            params={"lacking": dict(lacking)},
        )
