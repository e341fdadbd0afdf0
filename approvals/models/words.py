"""Words about requests: the reads, starting from the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Now
from django.db.models.lookups import IsNull

from accounts.models import EffectiveMembership, Membership, User
from approvals.models.listing import Listing
from approvals.models.trail import RequestGroup, Snooze, Vote
from approvals.states import RequestState, sources_of
from approvals.vocabulary import INITIATOR_MAY
from audit.writes import update

if TYPE_CHECKING:
    from uuid import UUID

    from approvals.models.request import ApprovalRequest  # noqa: F401 (named in quotes below)

#: Of a list no more are counted: every page says how many wait, and nobody reads what stands beyond.
MOST_COUNTED = 200
#: The id of no person.
NOBODY = 0
Anybody: TypeAlias = "User | AnonymousUser | Reader"


@dataclass(frozen=True)
class Reader:
    """A person as lists see them: their key, and the two rights that a list depends on.

    `groups` are those that they count as members of, and minus their own key (see `Listing`), and `own_groups`
    those of their own, where these were read before; else the database looks them up in the same statement, which
    it takes long to plan. `stands_in` may be False where they were read and nobody is away for whom the person
    stands in.
    """

    pk: int
    reads_everything: bool
    decides: bool
    groups: Sequence[int] | None = None
    own_groups: Sequence[int] | None = None
    stands_in: bool = True


def reader_of(user: Anybody) -> Reader | None:
    """None for nobody, and for who may not sign in any more."""
    if isinstance(user, Reader):
        return user
    if isinstance(user, AnonymousUser) or not user.is_active:
        return None
    everything = user.has_perm("accounts.read_everything")
    return Reader(user.pk, everything, user.has_perm("accounts.decide_requests"))


class ApprovalRequestQuerySet(models.QuerySet["ApprovalRequest"]):
    """Words about requests; `visible_to` is the only way in for people."""

    def visible_to(self, user: Anybody) -> ApprovalRequestQuerySet:
        """What the person started, what is for their groups, or everything by permission."""
        reader = reader_of(user)
        if reader is None:
            return self.none()
        if reader.reads_everything:
            return self.all()
        return self.concerning(reader.pk, reader.groups)

    def concerning(
        self, person: int, known: Sequence[int] | None = None
    ) -> ApprovalRequestQuerySet:
        """What the person started, what is for the groups they count as members of, or what they voted on.

        `known` are those groups, where they were read before.
        """
        groups = _groups_of(person, known)
        voted = Vote.objects.filter(request=OuterRef("pk"), user=person)
        return self.filter(
            Q(initiator=person)
            | Q(owner_group__in=groups)
            | _for_groups(groups)
            | (Q(Exists(voted)) if known is None else _any_of(voted))
        )

    def decidable_by(self, user: Anybody) -> ApprovalRequestQuerySet:
        """Pending requests on which this person's verdict would be taken now."""
        reader = reader_of(user)
        if reader is None:
            return self.none()
        allowed = Q(kind__in=INITIATOR_MAY, initiator=reader.pk)
        if reader.decides:
            belongs = Membership.objects.filter(user=reader.pk).values("group_id")
            own = belongs if reader.own_groups is None else reader.own_groups
            groups = _groups_of(reader.pk, reader.groups)
            asked = _for_groups(own)
            if reader.stands_in:
                asked |= Q(_lent_for(reader.pk))
            asked &= Q(initiator__isnull=True) | ~Q(initiator=reader.pk)
            allowed |= asked & ~Q(requirements__exclude_owner=True, owner_group__in=groups)
        given = Vote.objects.filter(
            request=OuterRef("pk"), user=reader.pk, revision=OuterRef("revision"), counts=True
        )
        waiting = self.pending().filter(allowed)
        return waiting.exclude(barred_editor=reader.pk).filter(~Exists(given))

    def pending(self) -> ApprovalRequestQuerySet:
        """Those that wait for a verdict."""
        return self.filter(state=RequestState.PENDING)

    def waiting_for(self, reader: Reader, *, in_order: bool = False) -> ApprovalRequestQuerySet:
        """Pending ones, of which those that cannot concern the reader are left out where that is told by their
        groups: found by an index, where each of ten thousand would be looked at. It says nothing of what the
        reader may see.

        `in_order`: the first ones of a long list are wanted, so the list is walked and each row asked whether it
        is among those; PostgreSQL would gather and sort them all.
        """
        waiting = self.pending()
        if reader.reads_everything or reader.groups is None:
            return waiting
        listed = Listing.objects.filter(reader__in=reader.groups, closed_at__isnull=True)
        among = Q(pk__in=listed.values("request_id"))
        if not in_order:
            return waiting.filter(among)
        return waiting.filter(Coalesce(among, False, output_field=models.BooleanField()))

    def mine(self, user: Anybody) -> ApprovalRequestQuerySet:
        """Pending ones that the person has claimed, or that are addressed to them by name, and did not snooze."""
        reader = reader_of(user)
        if reader is None:
            return self.none()
        claimed = Q(claimed_by=reader.pk, claim_expires_at__gt=Now())
        asked = Q(kind__in=INITIATOR_MAY, initiator=reader.pk)
        waiting = self.visible_to(reader).pending()
        return waiting.filter(claimed | asked).filter(~_snoozed_by(reader.pk))

    def team(self, user: Anybody) -> ApprovalRequestQuerySet:
        """What the person may decide and did not snooze."""
        reader = reader_of(user)
        if reader is None:
            return self.none()
        return self.decidable_by(reader).filter(~_snoozed_by(reader.pk))

    def snoozed(self, user: Anybody) -> ApprovalRequestQuerySet:
        """Pending ones that the person wants back later, as long as the same is asked."""
        reader = reader_of(user)
        if reader is None:
            return self.none()
        return self.visible_to(reader).pending().filter(_snoozed_by(reader.pk))

    def decided_for(self, user: Anybody) -> ApprovalRequestQuerySet:
        """Those no longer pending that the person may see."""
        return self.visible_to(user).exclude(state=RequestState.PENDING)

    def by_deadline(self) -> ApprovalRequestQuerySet:
        """The most urgent first, then the riskiest, then the oldest."""
        return self.order_by(F("review_deadline").asc(nulls_last=True), "-risk_rank", "id")

    def newest_first(self) -> ApprovalRequestQuerySet:
        """By when they were opened."""
        return self.order_by("-created_at", "-id")

    def last_decided_first(self) -> ApprovalRequestQuerySet:
        """By when they were decided."""
        return self.order_by(F("decided_at").desc(nulls_last=True), "-id")

    def number(self, *, most: int = MOST_COUNTED) -> int:
        """How many there are, counted up to one more than `most`: people need no more, and counting a hundred
        thousand would take longer than listing the first of them."""
        return self.order_by()[: most + 1].count()

    def move(self, pk: UUID, target: RequestState, **changes: Any) -> bool:
        """Move by conditional update; says whether it landed. Raises `version` by one."""
        where = {"pk": pk, "state__in": [source.value for source in sources_of(target)]}
        moved = {"state": target.value, "version": F("version") + 1, **changes}
        return update(self.model, where, moved) == 1


def _lent_for(person: int) -> Exists:
    """Whether the person stands in for a member of a group that is asked; not for whoever may not approve."""
    lent = EffectiveMembership.objects.filter(
        user=person, group=OuterRef("group"), on_behalf_of__isnull=False
    )
    for name in ("initiator_id", "barred_editor_id"):
        lent = lent.exclude(on_behalf_of=Coalesce(OuterRef(OuterRef(name)), NOBODY))
    return Exists(RequestGroup.objects.filter(Exists(lent), request=OuterRef("pk")))


def _snoozed_by(person: int) -> Exists:
    rows = Snooze.objects.filter(
        request=OuterRef("pk"), revision=OuterRef("revision"), user=person, until__gt=Now()
    )
    return Exists(rows)


Groups: TypeAlias = "models.QuerySet[Any, Any] | Sequence[int]"


def _groups_of(person: int, known: Sequence[int] | None) -> Groups:
    if known is not None:
        return known
    return EffectiveMembership.objects.filter(user=person).values("group_id")


def _for_groups(groups: Groups) -> Q:
    rows = RequestGroup.objects.filter(request=OuterRef("pk"), group__in=groups)
    return Q(Exists(rows)) if isinstance(groups, models.QuerySet) else _any_of(rows, "group_id")


def _any_of(rows: models.QuerySet[Any], told: str = "pk") -> Q:
    """That there is such a row, looked for beside each request of a list that ends early: PostgreSQL would
    gather the rows of a million decided requests to answer for the first fifty. `told` is a column of theirs
    that an index tells without the row."""
    return Q(IsNull(Subquery(rows.order_by().values(told)[:1]), False))
