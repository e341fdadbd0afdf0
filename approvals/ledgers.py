"""Requests, votes and policies as the audit log must know them, for `audit_fsck`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal
from uuid import UUID

from django.db.models import F
from django.utils.translation import ngettext

from approvals.digests import action_digest, document_digest
from approvals.models import ApprovalRequest, PolicyVersion, RequestRevision, Vote
from approvals.showing import stands_as_shown
from approvals.states import RequestState
from approvals.vocabulary import Kind, Verdict
from audit.canonical import sha256_hex
from audit.ports import Stated

ROWS_AT_A_TIME = 500
POLICIES_AT_A_TIME = 20

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
    owner: Literal["request", "run", "stream"] = "request"

    def counted(self, number: int) -> str:
        """`{number} requests`."""
        return ngettext("{number} request", "{number} requests", number)

    def rows(self) -> Iterator[Sequence[Stated]]:
        """Every request."""
        found = ApprovalRequest.objects.order_by("pk").values_list(
            "pk",
            "state",
            "digest",
            "shown_sha256",
            "kind",
            "tool",
            "tool_version",
            "arguments",
        )
        rows = found.iterator(ROWS_AT_A_TIME)
        while chunk := list(islice(rows, ROWS_AT_A_TIME)):
            changed = _shown_otherwise(
                pk for pk, state, *_ in chunk if state == RequestState.PENDING
            )
            yield [
                Stated(
                    pk,
                    pk,
                    f"The request {pk}",
                    state,
                    {
                        "args_sha256": _digest(digest, *action),
                        "shown_sha256": changed.get(pk, shown),
                    },
                )
                for pk, state, digest, shown, *action in chunk
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

    def there(self, ids: Collection[str]) -> set[str]:
        """Requests that are there."""
        return set(
            map(str, ApprovalRequest.objects.filter(pk__in=ids).values_list("pk", flat=True))
        )


def _digest(kept: str, kind: str, *action: Any) -> str:
    """That of the arguments as they stand there now, which pages show; and the one that is kept where they are."""
    stands = action_digest(*action) if kind == Kind.ACTION else kept
    return kept if stands == kept else f"{kept}, of the arguments {stands}"


def _shown_otherwise(pending: Iterable[UUID]) -> dict[UUID, str]:
    """Of these requests those whose rows, which pages are made of, do not say what was kept as shown."""
    found = RequestRevision.objects.filter(
        request__in=list(pending), revision=F("request__revision")
    ).select_related("request")
    return {
        kept.request_id: f"{sha256_hex(bytes(kept.shown))}, of what stands there another"
        for kept in found
        if sha256_hex(bytes(kept.shown)) != kept.request.shown_sha256
        or not stands_as_shown(kept.request, bytes(kept.shown))
    }


class Votes:
    """Every vote is an event of whose vote it is, with the digests that the person was shown."""

    what = "votes"
    types = frozenset({"request.voted", "request.edited", "request.decided"})
    owner: Literal["request", "run", "stream"] = "request"

    def counted(self, number: int) -> str:
        """`{number} votes`."""
        return ngettext("{number} vote", "{number} votes", number)

    def rows(self) -> Iterator[Sequence[Stated]]:
        """Every vote."""
        found = Vote.objects.order_by("pk").values_list(
            "pk", "request_id", "verdict", "user_id", "digest", "shown_sha256"
        )
        rows = found.iterator(ROWS_AT_A_TIME)
        while chunk := list(islice(rows, ROWS_AT_A_TIME)):
            yield [
                Stated(
                    pk,
                    request,
                    f"The vote {pk} ({verdict}) on the request {request}",
                    _by(verdict, person),
                    # An edit is shown one content and makes another.
                    {}
                    if verdict == Verdict.EDIT
                    else {"args_sha256": digest, "shown_sha256": shown},
                )
                for pk, request, verdict, person, digest, shown in chunk
            ]

    def named_in(self, body: Mapping[str, Any]) -> str | None:
        """The vote that the event is about; a policy that denies has none."""
        vote = body.get("facts", {}).get("vote")
        return str(vote) if vote else None

    def after(self, state: str, body: Mapping[str, Any]) -> str:
        """The verdict, and who gave it."""
        return _by(body["facts"]["verdict"], body["actor"]["id"])

    def agree(self, stated: str, logged: str) -> bool:
        """The same verdict of the same person."""
        return stated == logged

    def there(self, ids: Collection[str]) -> set[str]:
        """Votes that are there."""
        return set(map(str, Vote.objects.filter(pk__in=ids).values_list("pk", flat=True)))


def _by(verdict: str, person: int | str) -> str:
    return f"{verdict} by person {person}"


class Policies:
    """Every published policy is the document that its publishing told."""

    what = "policies"
    types = frozenset({"policy.published", "policy.rolled_back"})
    owner: Literal["request", "run", "stream"] = "stream"

    def counted(self, number: int) -> str:
        """`{number} policies`."""
        return ngettext("{number} policy", "{number} policies", number)

    def rows(self) -> Iterator[Sequence[Stated]]:
        """Every version that is or was in force."""
        found = PolicyVersion.objects.published().order_by("number")
        rows = found.values_list("number", "document").iterator(POLICIES_AT_A_TIME)
        while chunk := list(islice(rows, POLICIES_AT_A_TIME)):
            yield [
                Stated(number, "policy", f"The policy {number}", document_digest(document))
                for number, document in chunk
                if number is not None
            ]

    def named_in(self, body: Mapping[str, Any]) -> str | None:
        """The version's number."""
        version = (body.get("policy") or {}).get("version")
        return None if version is None else str(version)

    def after(self, state: str, body: Mapping[str, Any]) -> str:
        """The document's digest."""
        return str(body["policy"]["sha256"])

    def agree(self, stated: str, logged: str) -> bool:
        """The same document."""
        return stated == logged

    def there(self, ids: Collection[str]) -> set[str]:
        """Versions that are there."""
        found = PolicyVersion.objects.published().filter(number__in=ids)
        return set(map(str, found.values_list("number", flat=True)))
