"""One request as its page shows it: words, numbers and links, and only what this caller may see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import User
from approvals import eligibility, ports
from approvals.argument_forms import slots_of, written
from approvals.asked import deciders
from approvals.chips import in_words
from approvals.desk import Desk
from approvals.errors import AlreadyVoted
from approvals.line_diff import line_by_line
from approvals.models import ApprovalRequest, RequestGroup, Vote
from approvals.ports import Operation
from approvals.reasons import points, sentence
from approvals.representations import visible_evidence
from approvals.score_words import ScoreLine, score_lines
from approvals.showing import address_warnings, visible_reasons
from approvals.standing import standing_of
from approvals.states import RequestState
from approvals.views.answer_view import AnswerView, answer_of
from approvals.views.request_words import ASKS, EFFECT_WORDS, KIND_WORDS, evidence_of
from approvals.vocabulary import INITIATOR_MAY, NEVER_EXPIRE, Expiry, Kind, Verdict
from approvals.voting import groups_of, tally
from audit.errors import Refusal

MOST_NAMES = 6
#: What of a request may repeat a sensitive value.
REPEATING = frozenset({"title", "preview", "rationale", "question", "resolution", "feedback"})
EXTEND_HOURS = (1, 4, 24)
#: For how long a request can be put off, in hours, and in words.
SNOOZES = ((1, "1 hour"), (4, "4 hours"), (24, "1 day"), (72, "3 days"))


@dataclass(frozen=True)
class Line:
    """A sentence with its moment, and for a decision the reason given."""

    sentence: str
    at: datetime | None
    state: str = ""
    reason: str = ""
    picked: str = ""


@dataclass(frozen=True)
class RequestView:
    """What templates/approvals/_request.html takes. Made for one caller; asks a bounded number of queries."""

    item: ApprovalRequest
    caller: Caller
    tab: str
    desk: Desk | None = None

    @cached_property
    def next_url(self) -> str:
        """The next request that this person may decide, so that the queue can be walked; once this one is closed."""
        if self.is_pending or self.desk is None:
            return ""
        following = self.desk.next_after(self.item.pk)
        return f"{_address('request-detail', pk=following)}?tab=team" if following else ""

    @cached_property
    def url(self) -> str:
        return reverse("request-detail", kwargs={"pk": self.item.pk})

    @cached_property
    def hidden(self) -> list[str]:
        return eligibility.hidden_arguments(self.item, self.caller)

    @cached_property
    def groups(self) -> list[RequestGroup]:
        return sorted(groups_of(self.item), key=lambda row: row.group.title)

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

    @property
    def is_pending(self) -> bool:
        return self.item.state == RequestState.PENDING

    @property
    def kind_word(self) -> str:
        return KIND_WORDS[Kind(self.item.kind)]

    @property
    def asks_label(self) -> str:
        return ASKS.get(Kind(self.item.kind), "What is asked")

    @property
    def ask(self) -> str:
        """The question itself, unless the title says it already."""
        question = self.item.question or {}
        text = str(question.get("question") or "")
        return text if text and text != self.item.title else ""

    @property
    def state_word(self) -> str | None:
        resolution = self.item.resolution or {}
        if resolution.get("kind") == "sent_back":
            return "Sent back"
        return "Waiting" if self.is_pending else None

    @cached_property
    def effect_words(self) -> list[str]:
        return [EFFECT_WORDS.get(effect, effect) for effect in self.item.effects]

    @cached_property
    def frame_url(self) -> str:
        """Where the HTML of a message is shown by itself; empty where there is none, or it may not be shown."""
        message = self.item.preview.get("message") or {}
        if not message.get("html") or eligibility.withheld_from(self.item, self.caller):
            return ""
        return reverse("request-message", kwargs={"pk": self.item.pk})

    @cached_property
    def texts(self) -> list[dict[str, Any]]:
        """Texts before and after, line by line."""
        return [
            {
                "label": text["label"],
                "lines": list(
                    line_by_line(text["before"].splitlines(), text["after"].splitlines())
                ),
            }
            for text in self.item.preview.get("texts") or ()
        ]

    @property
    def initiator(self) -> str:
        return self.item.initiator.get_full_name() if self.item.initiator else ""

    @cached_property
    def run_title(self) -> str:
        title = ports.runs().run_title(self.item.run_id) if self.item.run_id else ""
        return eligibility.withheld_from(self.item, self.caller).text(title)

    @property
    def run_url(self) -> str:
        return _address("run-detail", pk=self.item.run_id) if self.run_title else ""

    @cached_property
    def handed_by(self) -> ports.HandedBy | None:
        """The run that handed this one its work."""
        if self.item.run_id is None:
            return None
        return ports.runs().handed_by(self.caller.user, self.item.run_id)

    @property
    def agent_url(self) -> str:
        return _address("agent-detail", slug=self.item.agent) if self.run_title else ""

    @property
    def on_expiry(self) -> str:
        if self.item.kind == Kind.QUESTION:
            return "it counts as not answered"
        if self.item.needs.on_expiry == Expiry.ESCALATE:
            return "it goes to the next group"
        if self.item.kind in NEVER_EXPIRE:
            return "it goes on waiting"
        return "the run is stopped" if self.item.kind == Kind.BUDGET else "it is rejected"

    @cached_property
    def may_extend(self) -> bool:
        return self.may_act and self.item.extended_hours < self.item.needs.extend_limit_hours

    @property
    def extend_choices(self) -> list[int]:
        left = self.item.needs.extend_limit_hours - self.item.extended_hours
        return [hours for hours in EXTEND_HOURS if hours <= left]

    @cached_property
    def reasons(self) -> list[str]:
        withheld = eligibility.withheld_from(self.item, self.caller)
        return [withheld.text(sentence(reason)) for reason in visible_reasons(self.item)]

    @cached_property
    def score(self) -> dict[str, Any] | None:
        """The agent's confidence beside its threshold, where it may be seen."""
        item = self.item
        if item.kind != Kind.ACTION or not item.is_score_revealed or item.threshold_bp is None:
            return None
        value = item.calibrated_bp if item.calibrated_bp is not None else item.confidence_bp or 0
        text = f"{points(value)} of {points(item.threshold_bp)} needed"
        return {
            "value": value / 10_000,
            "threshold": item.threshold_bp / 10_000,
            "label": f"Confidence {text}",
            "text": f"Confidence {text}",
        }

    @cached_property
    def scores(self) -> list[ScoreLine]:
        """Every score, where they may be seen and there is more to say than the one that decided."""
        if self.item.kind != Kind.ACTION or not self.item.is_score_revealed:
            return []
        lines = score_lines(self.item.confidence, objections=not self.hidden)
        return lines if len(lines) > 1 else []

    @cached_property
    def needs(self) -> list[dict[str, Any]]:
        """Each group with how many of it have approved and who could."""
        counted = tally(self.item, self.groups, votes=self._given) if self.is_pending else None
        missing = counted.missing if counted else {}
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
        names = [_named(found.user, found.lent_by) for found in people[: MOST_NAMES + 1]]
        return [*names[:MOST_NAMES], "and more"] if len(names) > MOST_NAMES else names

    @cached_property
    def _given(self) -> list[Vote]:
        """The approvals of what stands there now, the oldest first."""
        given = self.item.votes.select_related("user")
        return list(given.filter(revision=self.item.revision, counts=True).order_by("created_at"))

    @cached_property
    def votes(self) -> list[str]:
        absent = {person for vote in self._given for person in vote.on_behalf_of}
        names = (
            {person.pk: person.get_full_name() for person in User.objects.filter(pk__in=absent)}
            if absent
            else {}
        )
        return [
            f"{_named(vote.user, [names[pk] for pk in vote.on_behalf_of])} approved"
            for vote in self._given
        ]

    @cached_property
    def edit_reason(self) -> str:
        """Why the arguments were changed last, as the editor said."""
        if not self.edited_by:
            return ""
        last = self.item.votes.filter(verdict=Verdict.EDIT).last()
        return in_words(last.reason_label, last.reason) if last is not None else ""

    @cached_property
    def why_not(self) -> str:
        """Why this person may not approve (or answer); empty when they may."""
        verdict = Verdict.APPROVE if self.item.kind == Kind.ACTION else Verdict.STOP
        return self.refusal_of(verdict)

    def takes(self, verdict: Verdict) -> bool:
        """Whether this verdict would be taken from this person."""
        return not self.refusal_of(verdict)

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

    @property
    def may_decide(self) -> bool:
        return self.may_act

    @property
    def may_claim(self) -> bool:
        return self.may_act

    @property
    def snooze_choices(self) -> tuple[tuple[int, str], ...]:
        return SNOOZES

    @cached_property
    def snoozed_until(self) -> datetime | None:
        """Until when this person's lists leave it out."""
        if not self.is_pending:
            return None
        rows = self.item.snoozes.filter(user=self.caller.user, revision=self.item.revision)
        return rows.filter(until__gt=timezone.now()).values_list("until", flat=True).first()

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
            return "You are on it"
        return f"{self.item.claimed_by.get_full_name()} is looking at it"

    @cached_property
    def nonce(self) -> str:
        return uuid4().hex

    @cached_property
    def arguments(self) -> list[dict[str, Any]]:
        """Every argument, whole; what a viewer may not see is there and closed."""
        before = self._before
        return [
            {
                "name": ".".join(slot.path),
                "label": slot.label,
                "value": written(slot),
                "hidden": slot.path[0] in self.hidden,
                "note": "",
                "was": before.get(slot.path, written(slot)),
                "changed": slot.path in before and before[slot.path] != written(slot),
            }
            for slot in slots_of(self.item.schema, self.item.arguments, "arguments")
        ]

    @cached_property
    def address_warnings(self) -> list[str]:
        """Addresses that are not what they seem, in what the viewer may see."""
        shown = eligibility.withheld_from(self.item, self.caller).value
        return [] if self.hidden else [shown(each) for each in address_warnings(self.item)]

    @cached_property
    def answer(self) -> AnswerView | None:
        """The final answer and what the journal says of it, where that is what is asked about."""
        return answer_of(self.item)

    @cached_property
    def _first(self) -> Any:
        if self.item.revision == 1:
            return None
        return self.item.revisions.select_related("editor").order_by("revision").first()

    @cached_property
    def _before(self) -> dict[tuple[str, ...], str]:
        if self._first is None:
            return {}
        slots = slots_of(self.item.schema, self._first.arguments, "arguments")
        return {slot.path: written(slot) for slot in slots}

    @cached_property
    def edited_by(self) -> str:
        if self._first is None:
            return ""
        last = self.item.revisions.select_related("editor").filter(editor__isnull=False).last()
        return last.editor.get_full_name() if last is not None and last.editor else ""

    @cached_property
    def evidence(self) -> list[dict[str, Any]]:
        if self.hidden:
            return []
        return [evidence_of(entry) for entry in visible_evidence(self.item, self.caller)]

    @property
    def tainted_by(self) -> list[str]:
        return [str(name) for name in self.item.tainted_by]

    @cached_property
    def comments(self) -> list[Any]:
        found = list(self.item.comments.select_related("author").order_by("created_at"))
        withheld = eligibility.withheld_from(self.item, self.caller)
        for comment in found:
            comment.body = withheld.text(comment.body)
        return found

    @property
    def may_comment(self) -> bool:
        own = self.item.initiator_id == self.caller.user.pk
        return own or self.caller.holds("decide_requests")

    @cached_property
    def decision(self) -> Line | None:
        if self.is_pending:
            return None
        standing = standing_of(self.item)
        return Line(
            _capitalised(standing.sentence),
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
            held = "Held back by a kill switch: it has not been sent."
            return Line(
                held if self.stopped else "Queued: it has not been sent yet.", None, "queued"
            )
        return None

    @cached_property
    def stopped(self) -> str:
        """What a kill switch says that holds back what is asked for; empty where none does."""
        if not self.item.awaits_verdict:
            return ""
        return ports.runs().stopped(self.item.agent, self.item.tool) or ""

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

    @property
    def standing(self) -> str:
        return "" if self.is_pending else standing_of(self.item).sentence

    @property
    def closed_sentence(self) -> str:
        return f"{_capitalised(standing_of(self.item).sentence)}."


def _named(person: User, absent: Sequence[str]) -> str:
    """A person, and for whom they stand in."""
    name = person.get_full_name()
    return f"{name} (for {' and '.join(absent)})" if absent else name


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _address(name: str, **kwargs: Any) -> str:
    try:
        return reverse(name, kwargs=kwargs)
    except NoReverseMatch:
        # The app that hosts agents may be left out; then there is nowhere to go.
        return ""


def masked(item: ApprovalRequest, caller: Caller, *, listed: bool = False) -> ApprovalRequest:
    """The request in memory without what the viewer may not see; it is never saved.

    Its arguments stay: they are what says which of them are hidden.
    """
    hidden = eligibility.hidden_arguments(item, caller, listed=listed)
    if withheld := eligibility.withheld_from(item, caller, listed=listed):
        made = (item.question or {}).get("arguments")
        for name in REPEATING - item.get_deferred_fields():
            setattr(item, name, withheld.value(getattr(item, name)))
        if made is not None:
            item.question = {**(item.question or {}), "arguments": made}
    if hidden:
        title = f"{item.agent_title}: {item.tool or KIND_WORDS[Kind(item.kind)].lower()}"
        item.title = title
        item.preview = {"title": title, "summary": "", "subject": "", "facts": [], "warnings": []}
        item.rationale = ""
    return item
