"""What a request says: what is asked, its arguments, evidence and scores, as far as this caller may see."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext

from approvals import eligibility, ports
from approvals.argument_forms import slots_of, written
from approvals.chips import in_words
from approvals.line_diff import line_by_line
from approvals.models import Comment
from approvals.reasons import beside_needed, read_from, sentence
from approvals.representations import visible_evidence
from approvals.score_words import ScoreLine, score_lines
from approvals.showing import address_warnings, visible_reasons
from approvals.views.answer_view import AnswerView, answer_of
from approvals.views.request_basis import RequestBasis, address
from approvals.views.request_words import ASKS, EFFECT_WORDS, evidence_of
from approvals.vocabulary import Kind, Verdict
from audit.prepared import Prepared

_comments = Prepared(
    lambda request: (
        Comment.objects.filter(request=request).select_related("author").order_by("created_at")
    ),
    UUID(int=0),
)


def _ruled(reason: Mapping[str, Any]) -> str:
    """The short name of the rule that a reason speaks of; empty where it speaks of none."""
    return str((reason.get("params") or {}).get("rule") or "")


class RequestContent(RequestBasis):
    """What is asked, and what speaks for and against it."""

    @property
    def asks_label(self) -> str:
        return ASKS.get(Kind(self.item.kind), "What is asked")

    @property
    def ask(self) -> str:
        """The question itself, unless the title says it already."""
        question = self.item.question or {}
        text = str(question.get("question") or "")
        return text if text and text != self.item.title else ""

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
        return address("run-detail", pk=self.item.run_id) if self.run_title else ""

    @cached_property
    def handed_by(self) -> ports.HandedBy | None:
        """The run that handed this one its work."""
        if self.item.run_id is None:
            return None
        return ports.runs().handed_by(self.caller.user, self.item.run_id)

    @property
    def agent_url(self) -> str:
        return address("agent-detail", slug=self.item.agent) if self.run_title else ""

    @cached_property
    def reasons(self) -> list[str]:
        withheld = eligibility.withheld_from(self.item, self.caller)
        return [withheld.text(sentence(reason)) for reason in visible_reasons(self.item)]

    @property
    def rule(self) -> str:
        """The rule that spoke, by its title; empty where there was none, or where one of the reasons names it."""
        ruled = self.item.rule
        if not ruled or any(ruled == _ruled(reason) for reason in visible_reasons(self.item)):
            return ""
        titles = (
            reason["params"].get("title") for reason in self.item.reasons if ruled == _ruled(reason)
        )
        return next(titles, "") or ruled

    @cached_property
    def score(self) -> dict[str, Any] | None:
        """The agent's confidence beside its threshold, where it may be seen."""
        item = self.item
        if item.kind != Kind.ACTION or not item.is_score_revealed or item.threshold_bp is None:
            return None
        value = item.calibrated_bp if item.calibrated_bp is not None else item.confidence_bp or 0
        needed = beside_needed(value, item.threshold_bp)
        return {
            "value": value / 10_000,
            "threshold": item.threshold_bp / 10_000,
            "text": gettext("Confidence {text}").format(text=needed),
        }

    @cached_property
    def scores(self) -> list[ScoreLine]:
        """Every score, where they may be seen and there is more to say than the one that decided."""
        if self.item.kind != Kind.ACTION or not self.item.is_score_revealed:
            return []
        lines = score_lines(self.item.confidence, objections=not self.hidden)
        return lines if len(lines) > 1 else []

    @cached_property
    def edit_reason(self) -> str:
        """Why the arguments were changed last, as the editor said."""
        if not self.edited_by:
            return ""
        last = self.item.votes.filter(verdict=Verdict.EDIT).last()
        return in_words(last.reason_label, last.reason) if last is not None else ""

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
    def tainted_by(self) -> str:
        return read_from(self.item.tainted_by)

    @cached_property
    def comments(self) -> list[Any]:
        found = _comments(self.item.pk)
        withheld = eligibility.withheld_from(self.item, self.caller)
        for comment in found:
            comment.body = withheld.text(comment.body)
        return found
