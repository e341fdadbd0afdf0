"""The dock of a request: which verdicts a kind offers, as buttons, links and forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms

from accounts.keymap import ACTIONS
from approvals.argument_forms import OUTPUT, SchemaForm
from approvals.bodies import offered_verdicts
from approvals.forms import (
    AnswerForm,
    CapsForm,
    Chips,
    ChoiceForm,
    EditReasonForm,
    FeedbackForm,
    HappenedForm,
    MessageForm,
    NoteForm,
    OutputForm,
    ReasonForm,
    VerdictForm,
)
from approvals.models import ApprovalRequest, ReasonChip
from approvals.views.second_factor import Asked
from approvals.vocabulary import Friction, Kind, Verdict
from audit.wordings import str_later


@dataclass(frozen=True)
class Choice:
    """One verdict as the dock offers it. `opens`: it has a form of its own to fill in first."""

    verdict: str
    label: str
    opens: bool = False
    primary: bool = False
    quiet: bool = False
    confirm: str = ""
    explains: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        for name in ("label", "confirm", "explains"):
            words = getattr(self, name)
            object.__setattr__(self, name, str_later(words) if words else "")

    @property
    def kind(self) -> str:
        """How its button looks."""
        return "primary" if self.primary else "quiet" if self.quiet else ""

    @property
    def action(self) -> str:
        """Whose key presses it, or empty: `accept` is also what lets new rows into a list."""
        known = ACTIONS.get(self.verdict)
        return self.verdict if known is not None and known.group == "request" else ""


V = Verdict
OFFERS: Mapping[Kind, tuple[Choice, ...]] = {
    Kind.ACTION: (
        Choice(V.APPROVE, "Approve", primary=True),
        Choice(
            V.EDIT,
            "Edit",
            opens=True,
            confirm="Save the change",
            explains="Change the arguments above, then save. What you save is judged again.",
        ),
        Choice(V.SEND_BACK, "Send back", opens=True, confirm="Send back"),
        Choice(V.REJECT, "Reject", opens=True, confirm="Reject"),
        Choice(
            V.STOP,
            "Stop run",
            opens=True,
            quiet=True,
            confirm="Stop the run",
            explains="Rejects this call and ends the whole run.",
        ),
    ),
    Kind.QUESTION: (Choice(V.ANSWER, "Answer", opens=True, confirm="Answer"),),
    Kind.BUDGET: (
        Choice(V.EXTEND, "Raise the limit", opens=True, confirm="Raise the limit"),
        Choice(V.STOP, "Stop run", opens=True, quiet=True, confirm="Stop the run"),
    ),
    Kind.IN_DOUBT: (
        Choice(V.HAPPENED, "It happened", opens=True, confirm="It happened"),
        Choice(
            V.DID_NOT,
            "It did not",
            opens=True,
            confirm="It did not happen",
            explains="The agent is told; a new attempt is a new request.",
        ),
        Choice(
            V.COMPENSATE,
            "Compensate",
            opens=True,
            confirm="It happened; we compensate",
            explains="It happened and should not stand: you see to it, and the agent is told.",
        ),
    ),
    Kind.RESULT: (
        Choice(V.ACCEPT, "Accept as it is"),
        Choice(
            V.CORRECT,
            "Correct",
            opens=True,
            confirm="Save the correction",
            explains="Change the answer above, then save. It becomes the answer of the run.",
        ),
        Choice(V.SEND_BACK, "Send back", opens=True, confirm="Send back"),
    ),
    Kind.ATTENTION: (
        Choice(V.CONTINUE, "Go on", opens=True, confirm="Go on"),
        Choice(V.CHANGE, "Go on another way", opens=True, confirm="Go on that way"),
        Choice(V.STOP, "Stop run", opens=True, quiet=True, confirm="Stop the run"),
    ),
    Kind.HAND_BACK: (Choice(V.RETURN, "Hand back", opens=True, confirm="Hand back"),),
}


@dataclass(frozen=True)
class Typed:
    """What has to be typed before an approval, and what was wrong with what was typed."""

    label: str
    expected: str
    error: str = ""


@dataclass(frozen=True)
class Dock:
    """`choices` while none is picked; `open` is the picked one with its form, `others` the rest."""

    choices: tuple[Choice, ...]
    open: Choice | None = None
    others: tuple[Choice, ...] = ()
    typed: Typed | None = None
    second_factor: Asked | None = None


@dataclass
class Forms:
    """The forms of the page by name."""

    verdict: VerdictForm | None = None
    arguments: forms.Form | None = None
    errors: dict[str, str] = field(default_factory=dict)


def dock_of(
    request: ApprovalRequest,
    url: str,
    query: str,
    mode: str,
    typed_error: str,
    *,
    taken: Callable[[Verdict], bool],
    second_factor: Asked | None = None,
) -> Dock:
    """The dock in a mode: empty, or the verdict whose form is open.

    `query` names the list that it was opened from. `taken` says of a verdict whether it would be taken
    from this person; others are not offered.
    """
    offered = [choice for choice in _offered(request) if taken(Verdict(choice.verdict))]
    offers = tuple(_linked(choice, url, query) for choice in offered)
    picked = next((choice for choice in offers if choice.opens and choice.verdict == mode), None)
    if picked is None and len(offers) == 1 and offers[0].opens:
        picked = offers[0]
    if picked is None and offers and offers[0].verdict in (Verdict.EXTEND, Verdict.CHANGE):
        picked = offers[0]
    approves = picked is None or picked.verdict == Verdict.EDIT
    typed = _typed(request, typed_error) if approves else None
    return Dock(
        choices=offers,
        open=picked,
        others=tuple(c for c in offers if c is not picked and c.opens and not mode),
        typed=typed,
        second_factor=second_factor if approves else None,
    )


def _offered(request: ApprovalRequest) -> tuple[Choice, ...]:
    offers = OFFERS[Kind(request.kind)]
    if request.kind == Kind.ATTENTION and not _options(request):
        return tuple(choice for choice in offers if choice.verdict != Verdict.CHANGE)
    fit = offered_verdicts(Kind(request.kind), request.question)
    return tuple(choice for choice in offers if choice.verdict in fit)


def _linked(choice: Choice, url: str, query: str) -> Choice:
    opened = f"{url}?{query}&mode={choice.verdict}"
    return Choice(**{**vars(choice), "verdict": str(choice.verdict), "url": opened})


def _typed(request: ApprovalRequest, error: str) -> Typed | None:
    if request.kind != Kind.ACTION or request.needs.friction != Friction.TYPED:
        return None
    return Typed("Type", request.what.subject or request.title, error)


def _options(request: ApprovalRequest) -> list[dict[str, Any]]:
    choices = (request.question or {}).get("choices") or []
    return [c if isinstance(c, dict) else {"value": c, "label": c} for c in choices]


def has_schema(request: ApprovalRequest) -> bool:
    """Whether a final answer can be corrected field by field."""
    question = request.question or {}
    return isinstance(question.get("schema"), Mapping) and isinstance(
        question.get("output"), Mapping
    )


def content_form(
    request: ApprovalRequest, verdict: str, data: Mapping[str, Any] | None = None
) -> SchemaForm | None:
    """The fields of what a verdict changes: the arguments of a call, or a final answer."""
    question = request.question or {}
    if verdict == Verdict.EDIT:
        return SchemaForm(schema=request.schema, values=request.arguments, data=data)
    if verdict == Verdict.CORRECT and has_schema(request):
        return SchemaForm(
            schema=question["schema"], values=question["output"], data=data, prefix_name=OUTPUT
        )
    return None


def chips_for(verdict: str) -> Chips:
    """The reasons that are offered for a verdict."""
    return list(ReasonChip.objects.offered_for(verdict).values_list("code", "label"))


def verdict_form(
    request: ApprovalRequest, verdict: str, data: Mapping[str, Any] | None = None
) -> VerdictForm | None:
    """The form that a verdict of this request asks to fill in; None where there is nothing to say."""
    question = request.question or {}
    match verdict:
        case Verdict.SEND_BACK:
            return FeedbackForm(data, verdict=verdict, chips=chips_for(verdict))
        case Verdict.EDIT:
            offered = chips_for(verdict)
            return EditReasonForm(data, verdict=verdict, chips=offered, needed=False)
        case Verdict.REJECT | Verdict.STOP:
            needed = request.kind == Kind.ACTION
            return ReasonForm(data, verdict=verdict, chips=chips_for(verdict), needed=needed)
        case Verdict.DID_NOT | Verdict.COMPENSATE:
            return ReasonForm(data, verdict=verdict, needed=False)
        case Verdict.ANSWER:
            return AnswerForm(question, data)
        case Verdict.EXTEND:
            return CapsForm(question, data)
        case Verdict.HAPPENED:
            return HappenedForm(data)
        case Verdict.CORRECT:
            return _correct_form(request, data)
        case Verdict.CHANGE:
            return ChoiceForm(_options(request), data)
        case Verdict.CONTINUE:
            return NoteForm(data)
        case Verdict.RETURN:
            return MessageForm(data)
    return None


def _correct_form(request: ApprovalRequest, data: Mapping[str, Any] | None) -> VerdictForm:
    """The reason, where the answer has fields to correct it by; else the answer as JSON."""
    if has_schema(request):
        return EditReasonForm(data, verdict=Verdict.CORRECT, needed=False)
    return OutputForm((request.question or {}).get("output"), data)
