"""What became of a request: the decision, and the operation it let go."""

from __future__ import annotations

from functools import cached_property

from django.utils.translation import gettext

from accounts.models import ReviewGroup
from approvals import ports
from approvals.ports import Operation
from approvals.standing import standing_of
from approvals.states import RequestState
from approvals.views.request_basis import Line, RequestBasis, capitalised
from approvals.vocabulary import NEVER_EXPIRE, Expiry, Kind


class RequestOutcome(RequestBasis):
    """How it stands, and what was done."""

    @property
    def state_word(self) -> str | None:
        resolution = self.item.resolution or {}
        if resolution.get("kind") == "sent_back":
            return gettext("Sent back")
        return gettext("Waiting") if self.is_pending else None

    @property
    def on_expiry(self) -> str:
        if self._asked_next:
            return gettext("it is shown to {group} too").format(group=self._asked_next)
        if self.item.kind == Kind.QUESTION:
            return gettext("it counts as not answered")
        if self.item.kind in NEVER_EXPIRE:
            return gettext("it goes on waiting")
        return (
            gettext("the run is stopped")
            if self.item.kind == Kind.BUDGET
            else gettext("it is rejected")
        )

    @cached_property
    def _asked_next(self) -> str:
        """The title of the group that is asked too when the time is over; empty where there is none left."""
        needs = self.item.needs
        left = needs.escalation[self.item.escalation_level :]
        if needs.on_expiry != Expiry.ESCALATE or not left:
            return ""
        title = ReviewGroup.objects.filter(slug=left[0]).values_list("title", flat=True).first()
        return title or left[0]

    @cached_property
    def decision(self) -> Line | None:
        if self.is_pending:
            return None
        standing = standing_of(self.item)
        return Line(
            capitalised(standing.sentence),
            standing.when,
            reason=self.item.feedback,
            picked=self.item.reason_label,
        )

    @cached_property
    def _operation(self) -> Operation | None:
        return ports.runs().operations([self.item]).get(self.item.pk)

    @cached_property
    def operation(self) -> Line | None:
        done = self._operation
        if done is not None:
            return Line(done.sentence, done.at, done.state)
        if self.item.state == RequestState.APPROVED:
            held = gettext("Held back by a kill switch: it has not been sent.")
            return Line(
                held if self.stopped else gettext("Queued: it has not been sent yet."),
                None,
                "queued",
            )
        return None

    @cached_property
    def stopped(self) -> str:
        """What a kill switch says that holds back what is asked for; empty where none does."""
        if not self.item.awaits_verdict:
            return ""
        return ports.runs().stopped(self.item.agent, self.item.tool) or ""

    @property
    def standing(self) -> str:
        return "" if self.is_pending else standing_of(self.item).sentence

    @property
    def closed_sentence(self) -> str:
        return f"{capitalised(standing_of(self.item).sentence)}."
