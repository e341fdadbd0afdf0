"""Where a request stands, in words that a person can use: who, what, when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext

from approvals.errors import AlreadyDecided
from approvals.models import ApprovalRequest
from approvals.states import RequestState
from audit.wordings import Words

_WORDS = Words(
    {
        "sent_back": "sent back",
        "did_not": "answered: it did not happen",
        "happened": "answered: it happened",
        "compensate": "answered: compensate",
        "changed": "answered with a change",
    }
)


@dataclass(frozen=True)
class Standing:
    """`what` is a past participle, `who` a display name or what else closed it, `when` the moment."""

    what: str
    who: str
    when: datetime | None
    state: RequestState

    @property
    def sentence(self) -> str:
        """For a person."""
        return gettext("{what} by {who}").format(what=self.what, who=self.who)


def standing_of(request: ApprovalRequest) -> Standing:
    """How the request was closed; for a pending one, that it waits."""
    state = RequestState(request.state)
    if state == RequestState.PENDING:
        return Standing("waiting", gettext("nobody yet"), None, state)
    resolution = request.resolution or {}
    kind = str(resolution.get("kind", state.value))
    closed_by_person = state not in (
        RequestState.EXPIRED,
        RequestState.CANCELLED,
        RequestState.LAPSED,
    )
    if closed_by_person and not resolution.get("who") and request.decided_by is not None:
        who = request.decided_by.get_full_name()
    else:
        who = str(resolution.get("who") or gettext("the system"))
    return Standing(_WORDS.get(kind, kind.replace("_", " ")), who, request.decided_at, state)


def already_decided(request: ApprovalRequest) -> AlreadyDecided:
    """The refusal for whoever came second: who did what, and when."""
    standing = standing_of(request)
    return AlreadyDecided(
        who=standing.who,
        what=standing.what,
        when=standing.when.isoformat() if standing.when else "",
        state=standing.state.value,
    )
