"""Requests and votes as the audit log must know them, for `audit_fsck`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal
from uuid import UUID

from django.utils.translation import ngettext

from approvals.models import ApprovalRequest, Vote
from approvals.states import RequestState
from approvals.vocabulary import Verdict
from audit.ports import Stated

ROWS_AT_A_TIME = 500

_STATE_AFTER: Mapping[str, RequestState] = {
    "request.opened": RequestState.PENDING,
    "request.undone": RequestState.PENDING,
    "request.expired": RequestState.EXPIRED,
    "request.superseded": RequestState.SUPERSEDED,
    "request.cancelled": RequestState.CANCELLED,
    "approval.lapsed": RequestState.LAPSED,
}
#: What is to be decided became another, or was seen by one of several; the request waits as before.
_CONTENT_ALONE = frozenset({"request.edited", "request.tightened", "request.voted"})


class Requests:
    """Every request stands as its events say, with the digests that the last of them binds."""

    what = "requests"
    types = frozenset({*_STATE_AFTER, *_CONTENT_ALONE, "request.decided"})
    owner: Literal["request", "run"] = "request"

    def counted(self, number: int) -> str:
        """`{number} requests`."""
        return ngettext("{number} request", "{number} requests", number)

    def rows(self) -> Iterator[Sequence[Stated]]:
        """Every request."""
        found = ApprovalRequest.objects.order_by("pk").values_list(
            "pk", "state", "digest", "shown_sha256"
        )
        rows = found.iterator(ROWS_AT_A_TIME)
        while chunk := list(islice(rows, ROWS_AT_A_TIME)):
            yield [
                Stated(
                    pk,
                    pk,
                    f"The request {pk}",
                    state,
                    {"args_sha256": digest, "shown_sha256": shown},
                )
                for pk, state, digest, shown in chunk
            ]

    def named_in(self, body: Mapping[str, Any]) -> str | None:
        """The request that stands in the event."""
        return body.get("request")

    def after(self, state: str, body: Mapping[str, Any]) -> str:
        """A decision says what the request became."""
        if body["type"] in _CONTENT_ALONE:
            return state
        if body["type"] == "request.decided":
            return str(body["facts"]["state"])
        return _STATE_AFTER[body["type"]].value

    def agree(self, stated: str, logged: str) -> bool:
        """An approval is used up by the dispatch of its effect."""
        return stated == logged or (stated, logged) == (
            RequestState.CONSUMED,
            RequestState.APPROVED,
        )

    def there(self, ids: Collection[UUID]) -> set[UUID]:
        """Requests that are there."""
        return set(ApprovalRequest.objects.filter(pk__in=ids).values_list("pk", flat=True))


class Votes:
    """Every vote is an event, with the digests that the person was shown."""

    what = "votes"
    types = frozenset({"request.voted", "request.edited", "request.decided"})
    owner: Literal["request", "run"] = "request"

    def counted(self, number: int) -> str:
        """`{number} votes`."""
        return ngettext("{number} vote", "{number} votes", number)

    def rows(self) -> Iterator[Sequence[Stated]]:
        """Every vote."""
        found = Vote.objects.order_by("pk").values_list(
            "pk", "request_id", "verdict", "digest", "shown_sha256"
        )
        rows = found.iterator(ROWS_AT_A_TIME)
        while chunk := list(islice(rows, ROWS_AT_A_TIME)):
            yield [
                Stated(
                    pk,
                    request,
                    f"The vote {pk} ({verdict}) on the request {request}",
                    verdict,
                    # An edit is shown one content and makes another.
                    {}
                    if verdict == Verdict.EDIT
                    else {"args_sha256": digest, "shown_sha256": shown},
                )
                for pk, request, verdict, digest, shown in chunk
            ]

    def named_in(self, body: Mapping[str, Any]) -> str | None:
        """The vote that the event is about; a policy that denies has none."""
        vote = body.get("facts", {}).get("vote")
        return str(vote) if vote else None

    def after(self, state: str, body: Mapping[str, Any]) -> str:
        """The verdict."""
        return str(body["facts"]["verdict"])

    def agree(self, stated: str, logged: str) -> bool:
        """The same verdict."""
        return stated == logged

    def there(self, ids: Collection[UUID]) -> set[UUID]:
        """Votes that are there."""
        return set(Vote.objects.filter(pk__in=ids).values_list("pk", flat=True))
