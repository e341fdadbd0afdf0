"""What every part of a request's page stands on: the request, who looks at it, and what they may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from accounts.callers import Caller
from accounts.models import User
from approvals import eligibility
from approvals.desk import Desk
from approvals.errors import AlreadyVoted
from approvals.models import ApprovalRequest, RequestGroup, Vote
from approvals.states import RequestState
from approvals.views.listed import Listed
from approvals.views.request_words import KIND_WORDS
from approvals.vocabulary import Kind, Verdict
from approvals.voting import groups_of
from audit.errors import Refusal
from audit.prepared import Prepared


@dataclass(frozen=True)
class Line:
    """A sentence with its moment, and for a decision the reason given."""

    sentence: str
    at: datetime | None
    state: str = ""
    reason: str = ""
    picked: str = ""


@dataclass(frozen=True)
class RequestBasis:
    """One request and who looks at it; asks a bounded number of queries."""

    item: ApprovalRequest
    caller: Caller
    listed: Listed
    desk: Desk | None = None

    @cached_property
    def url(self) -> str:
        return reverse("request-detail", kwargs={"pk": self.item.pk})

    @property
    def here(self) -> str:
        """Its address beside the list that it was opened from."""
        return f"{self.url}?{self.listed.query}"

    @cached_property
    def hidden(self) -> list[str]:
        return eligibility.hidden_arguments(self.item, self.caller)

    @cached_property
    def groups(self) -> list[RequestGroup]:
        return sorted(groups_of(self.item), key=lambda row: row.group.title)

    @property
    def is_pending(self) -> bool:
        return self.item.state == RequestState.PENDING

    @property
    def kind_word(self) -> str:
        return KIND_WORDS[Kind(self.item.kind)]

    @cached_property
    def _given(self) -> list[Vote]:
        """The approvals of what stands there now, the oldest first."""
        return _approvals(self.item.pk, self.item.revision)

    @property
    def _has_approved(self) -> bool:
        return any(vote.user_id == self.caller.user.pk for vote in self._given)

    def refusal_of(self, verdict: Verdict) -> str:
        """Why this verdict would not be taken from this person; empty where it would."""
        if verdict == Verdict.APPROVE and self._has_approved:
            return AlreadyVoted().detail
        try:
            eligibility.require(self.item, self.groups, self.caller, verdict)
        except Refusal as refusal:
            return refusal.detail
        return ""

    @cached_property
    def may_act(self) -> bool:
        """Whether any verdict of this person would be taken: refusing needs less than approving."""
        return self.is_pending and not self.refusal_of(Verdict.REJECT)


_approvals = Prepared(
    lambda request, revision: (
        Vote.objects.filter(request=request, revision=revision, counts=True)
        .select_related("user")
        .order_by("created_at")
    ),
    UUID(int=0),
    1,
)


def named(person: User, absent: Sequence[str]) -> str:
    """A person, and for whom they stand in."""
    name = person.get_full_name()
    return (
        gettext("{name} (for {absent})").format(name=name, absent=" and ".join(absent))
        if absent
        else name
    )


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def address(name: str, **kwargs: Any) -> str:
    try:
        return reverse(name, kwargs=kwargs)
    except NoReverseMatch:
        # The app that hosts agents may be left out; then there is nowhere to go.
        return ""
