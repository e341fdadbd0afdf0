"""What this caller may do with a request, and who else could."""

from __future__ import annotations

import math
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import User
from approvals import eligibility
from approvals.asked import deciders
from approvals.models import RequestGroup, Snooze
from approvals.states import RequestState
from approvals.views.request_basis import RequestBasis, named
from approvals.vocabulary import INITIATOR_MAY, Kind, Verdict
from approvals.voting import tally
from audit.prepared import Prepared
from audit.wordings import Words

MOST_NAMES = 6
EXTEND_HOURS = (1, 4, 24)
#: For how long a request can be put off, in hours, and in words.
SNOOZES = Words({1: "1 hour", 4: "4 hours", 24: "1 day", 72: "3 days"})


_snoozed = Prepared(
    lambda request, revision, person: Snooze.objects.filter(
        request=request, revision=revision, user=person, until__gt=Now()
    ),
    UUID(int=0),
    1,
    -2,
)


class RequestRights(RequestBasis):
    """Who may do what with it now."""

    @cached_property
    def may_make_sticky(self) -> bool:
        """Whether the reader may let calls like this approved one run by themselves."""
        approved = self.item.state in (RequestState.APPROVED, RequestState.CONSUMED)
        own = self.item.initiator_id == self.caller.user.pk
        return (
            approved
            and self.item.kind == Kind.ACTION
            and not own
            and self.caller.holds("grant_sticky_approvals")
            and eligibility.in_groups(self.item, self.groups, self.caller)
        )

    @cached_property
    def may_extend(self) -> bool:
        return self.may_act and self.item.extended_hours < self.item.needs.extend_limit_hours

    @property
    def extend_choices(self) -> list[int]:
        left = self.item.needs.extend_limit_hours - self.item.extended_hours
        return [hours for hours in EXTEND_HOURS if hours <= left]

    @cached_property
    def needs(self) -> list[dict[str, Any]]:
        """Each group with how many of it have approved and who could; of what is closed, none."""
        if not self.is_pending:
            return []
        missing = tally(self.item, self.groups, votes=self._given).missing
        return [
            {
                "title": row.group.title,
                "needed": row.needed,
                "have": row.needed - missing.get(row.group_id, 0),
                "who": self._who(row),
            }
            for row in self.groups
        ]

    def _who(self, row: RequestGroup) -> list[str]:
        may = self.item.kind in INITIATOR_MAY
        people = deciders(self.item, [row.group_id], initiator_too=may)
        names = [named(found.user, found.lent_by) for found in people[: MOST_NAMES + 1]]
        return [*names[:MOST_NAMES], gettext("and more")] if len(names) > MOST_NAMES else names

    @cached_property
    def votes(self) -> list[str]:
        absent = {person for vote in self._given for person in vote.on_behalf_of}
        names = (
            {person.pk: person.get_full_name() for person in User.objects.filter(pk__in=absent)}
            if absent
            else {}
        )
        return [
            gettext("{person} approved").format(
                person=named(vote.user, [names[pk] for pk in vote.on_behalf_of])
            )
            for vote in self._given
        ]

    @cached_property
    def why_not(self) -> str:
        """Why this person may not approve (or answer); empty when they may."""
        verdict = Verdict.APPROVE if self.item.kind == Kind.ACTION else Verdict.STOP
        return self.refusal_of(verdict)

    def takes(self, verdict: Verdict) -> bool:
        """Whether this verdict would be taken from this person."""
        return not self.refusal_of(verdict)

    @property
    def may_decide(self) -> bool:
        return self.may_act

    @property
    def may_claim(self) -> bool:
        return self.may_act

    @property
    def snooze_choices(self) -> tuple[tuple[int, str], ...]:
        return tuple(SNOOZES.items())

    @cached_property
    def snoozed_until(self) -> datetime | None:
        """Until when this person's lists leave it out."""
        if not self.is_pending:
            return None
        found = _snoozed.one(self.item.pk, self.item.revision, self.caller.user.pk)
        return found.until if found else None

    @property
    def presence_seconds(self) -> float:
        """For how long it is said that the page is open."""
        return settings.COUNTERSIGN.presence_seconds

    @property
    def claimed_by_me(self) -> bool:
        return self._claim_holds and self.item.claimed_by_id == self.caller.user.pk

    @property
    def _claim_holds(self) -> bool:
        until = self.item.claim_expires_at
        return self.item.claimed_by_id is not None and until is not None and until > timezone.now()

    @property
    def claim(self) -> str:
        if not self._claim_holds or self.item.claimed_by is None:
            return ""
        if self.claimed_by_me:
            return gettext("You are on it")
        return gettext("{person} is looking at it").format(
            person=self.item.claimed_by.get_full_name()
        )

    @cached_property
    def nonce(self) -> str:
        return uuid4().hex

    @property
    def may_comment(self) -> bool:
        own = self.item.initiator_id == self.caller.user.pk
        return own or self.caller.holds("decide_requests")

    @cached_property
    def undo(self) -> dict[str, Any] | None:
        """The time left to take an approval back, in whole seconds."""
        ready_at = self.item.ready_at
        if self.item.state != RequestState.APPROVED or ready_at is None:
            return None
        left = (ready_at - timezone.now()).total_seconds()
        if left <= 0 or not self._may_undo:
            return None
        return {
            "ready_at": ready_at,
            "total": max(1, self.item.undo_seconds),
            "left": math.ceil(left),
        }

    @property
    def _may_undo(self) -> bool:
        return self.item.decided_by_id == self.caller.user.pk or not self.refusal_of(Verdict.REJECT)
