"""States of a request and the verdicts each kind takes, as tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from approvals.vocabulary import Kind, Verdict


class RequestState(StrEnum):
    """Where a request stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    CONSUMED = "consumed"
    LAPSED = "lapsed"

    @property
    def is_open(self) -> bool:
        """True while somebody may still change what happens."""
        return self in (RequestState.PENDING, RequestState.APPROVED)


TRANSITIONS: Mapping[RequestState, frozenset[RequestState]] = {
    RequestState.PENDING: frozenset(
        {
            RequestState.APPROVED,
            RequestState.REJECTED,
            RequestState.ANSWERED,
            RequestState.EXPIRED,
            RequestState.CANCELLED,
            RequestState.SUPERSEDED,
        }
    ),
    # Back to pending: taken back in time, or the content changed (then with a new revision).
    # Superseded: what the approval was given for is not the run's task any more.
    RequestState.APPROVED: frozenset(
        {
            RequestState.CONSUMED,
            RequestState.LAPSED,
            RequestState.PENDING,
            RequestState.SUPERSEDED,
        }
    ),
    RequestState.REJECTED: frozenset(),
    RequestState.ANSWERED: frozenset(),
    RequestState.EXPIRED: frozenset(),
    RequestState.CANCELLED: frozenset(),
    RequestState.SUPERSEDED: frozenset(),
    RequestState.CONSUMED: frozenset(),
    RequestState.LAPSED: frozenset(),
}


def sources_of(target: RequestState) -> tuple[RequestState, ...]:
    """The states from which a request may move to `target`."""
    return tuple(state for state, targets in TRANSITIONS.items() if target in targets)


@dataclass(frozen=True)
class Consequence:
    """What one verdict does.

    `state` is what the request becomes (for approve and edit: once the requirements are met),
    `resolution` the word that the run is told, `body` the field of the decision that must be
    given, `optional` those that may be.
    """

    state: RequestState
    resolution: str
    body: str | None = None
    optional: frozenset[str] = frozenset()


_S = RequestState
_REASON = frozenset({"reason"})

VERDICTS: Mapping[Kind, Mapping[Verdict, Consequence]] = {
    Kind.ACTION: {
        Verdict.APPROVE: Consequence(_S.APPROVED, "approved", None, frozenset({"reason", "typed"})),
        Verdict.EDIT: Consequence(
            _S.APPROVED, "approved", "arguments", frozenset({"reason", "typed"})
        ),
        Verdict.SEND_BACK: Consequence(_S.SUPERSEDED, "sent_back", "reason"),
        Verdict.REJECT: Consequence(_S.REJECTED, "rejected", "reason"),
        Verdict.STOP: Consequence(_S.REJECTED, "stopped", "reason"),
    },
    Kind.QUESTION: {
        Verdict.ANSWER: Consequence(_S.ANSWERED, "answered", "answer", _REASON),
    },
    Kind.BUDGET: {
        Verdict.EXTEND: Consequence(_S.ANSWERED, "extended", "caps", _REASON),
        Verdict.STOP: Consequence(_S.REJECTED, "stopped", None, _REASON),
    },
    Kind.IN_DOUBT: {
        Verdict.HAPPENED: Consequence(
            _S.ANSWERED, "happened", None, frozenset({"result", "reason"})
        ),
        Verdict.DID_NOT: Consequence(_S.ANSWERED, "did_not", None, _REASON),
        Verdict.COMPENSATE: Consequence(_S.ANSWERED, "compensate", None, _REASON),
    },
    Kind.RESULT: {
        Verdict.ACCEPT: Consequence(_S.ANSWERED, "accepted", None, _REASON),
        Verdict.CORRECT: Consequence(_S.ANSWERED, "corrected", "output", _REASON),
        Verdict.SEND_BACK: Consequence(_S.ANSWERED, "sent_back", "reason"),
    },
    Kind.ATTENTION: {
        Verdict.CONTINUE: Consequence(_S.ANSWERED, "continued", None, _REASON),
        Verdict.CHANGE: Consequence(_S.ANSWERED, "changed", "choice", _REASON),
        Verdict.STOP: Consequence(_S.REJECTED, "stopped", None, _REASON),
    },
    Kind.HAND_BACK: {
        Verdict.RETURN: Consequence(_S.ANSWERED, "returned", "message"),
    },
}
