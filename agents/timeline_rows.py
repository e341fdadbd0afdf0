"""Rows of a run's timeline: one step each, in words, holding nothing that the reader may not see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext

from agents import amounts, wording
from agents.fork_points import ASKS
from agents.journal import ACTIONS, has_child
from agents.kin import Kin
from agents.masking import SENSITIVE, Mask, Told
from agents.models import EffectRecord, Run, Step
from agents.representations import step_as_json
from agents.scale import Scale, Span, merged, seconds
from agents.states import PROPOSING, SETTLED, StepKind, StepState
from agents.step_details import (
    Attempt,
    Change,
    Judgement,
    attempts_of,
    changes_of,
    feedback_of,
    judgement_of,
    note_of,
    reasoning_of,
    result_of,
    said_of,
    simulated_words,
    sure_words,
)
from agents.undoing import PREFIX, UNDOABLE
from approvals.glances import Glance

INDENTED: Final = frozenset(
    {
        StepKind.TOOL,
        StepKind.DELEGATE,
        StepKind.SCORE,
        StepKind.DECISION,
        StepKind.QUESTION,
        StepKind.ABSTAIN,
        StepKind.FINAL,
        StepKind.IN_DOUBT,
    }
)


@dataclass(frozen=True)
class Bar:
    """One stretch of a step on the time axis, 0 to 100; a wait is drawn hatched."""

    x: float
    width: float
    wait: bool


@dataclass(frozen=True)
class Row:
    """One step. `shown` is the step as programs get it; `hides` says why a reply is not shown.

    `covered`: it has arguments that this reader may not see, so nothing that could repeat them is
    here. `goes_on_at`: when the run went on, or will, after a model call that gave nothing. `copied`: it came with
    the journal of the run that this one is a fork of; `simulated`: what answered a call that was not made.
    """

    step: Step
    shown: Mapping[str, Any]
    title: str
    about: str
    icon: str
    state: str
    tone: str
    indented: bool
    request: Glance | None
    child: Kin | None
    bars: list[Bar]
    worked_seconds: float | None
    waited_seconds: float | None
    covered: bool
    arguments: list[dict[str, Any]]
    judgement: Judgement | None
    edited: bool
    changes: list[Change]
    rationale: str
    attempts: list[Attempt]
    trouble: str
    told: str
    note: str
    feedback: str
    effect: EffectRecord | None
    tokens: int
    effect_words: str
    undo_words: str
    may_be_undone: bool
    said: str
    reasoning: str
    result: Any
    untrusted: bool
    response: Any
    hides: str
    goes_on_at: datetime | None
    copied: bool
    simulated: str

    @property
    def asks(self) -> bool:
        """Whether a fork may begin in its place: a model or code was asked there."""
        return self.step.kind in ASKS

    @property
    def result_label(self) -> str:
        """What the result is called to those who do not see where it stands."""
        return gettext("Result of step {seq}").format(seq=self.step.seq)

    @property
    def told_by_person(self) -> bool:
        """Whether what the agent was told is a person's word, which stands in the request as well."""
        return bool(self.told) and self.step.problem in ("rejected", "sent_back")

    @property
    def has_notes(self) -> bool:
        """Whether anything must be seen of it without opening it: of most steps nothing must."""
        standing = bool(self.request and self.request.standing)
        notes = (self.simulated, self.trouble, self.told, self.undo_words, self.note)
        return self.copied or self.edited or standing or bool(self.attempts) or any(notes)

    @property
    def waits(self) -> bool:
        """Whether a person is still to decide."""
        waiting = self.step.state == StepState.WAITING and self.step.resolution is None
        return waiting and not has_child(self.step)


class Rows:
    """Makes the rows of one run: `steps` in order, with what belongs to them, on one time axis.

    `known` are the steps and what is known of those around them. `more_after`: these are not the newest
    steps of the run.
    """

    def __init__(
        self,
        run: Run,
        steps: Sequence[Step],
        *,
        known: Sequence[Told],
        effects: Mapping[UUID, EffectRecord],
        undos: frozenset[str],
        asked: Mapping[UUID, Glance],
        children: Mapping[UUID, Kin],
        mask: Mask,
        now: datetime,
        more_after: bool = False,
    ) -> None:
        self._more_after = more_after
        self._run, self._steps = run, steps
        self._undos, self._children = undos, children
        self._effects, self._asked, self._mask, self._now = effects, asked, mask, now
        self._doubts = {
            int(step.request["of"]): step.started_at
            for step in steps
            if step.kind == StepKind.IN_DOUBT and step.request
        }
        self._last_asked = max(
            (s.seq for s in known if s.kind in PROPOSING and s.state != StepState.FAILED),
            default=0,
        )
        self._following = {one.seq: other for one, other in pairwise(known)}
        self._work = {step.seq: self._worked(step) for step in steps}
        start = steps[0].started_at if steps else now
        self._scale = Scale(
            [span for span in self._work.values() if span is not None],
            start,
            max(run.finished_at or now, start),
        )

    def row(self, step: Step) -> Row:
        """The row of one of the steps."""
        step = self._mask.cleared(step)
        request = self._asked.get(step.approval_id) if step.approval_id else None
        shown = step_as_json(step, self._mask)
        covered = self._mask.covers(step.seq)
        scores = step.kind == StepKind.SCORE
        hides = self._mask.hides_score(step.seq) if scores else self._mask.hides_reply(step.seq)
        # A state says nothing of a score; it only stands where the reply of one would.
        hides = "" if step.kind == StepKind.STATE else hides
        work, waits = self._work[step.seq], self._waited(step, request)
        effect = self._effects.get(step.pk)
        state, tone = self._standing(step)
        result, untrusted = (None, False) if covered else result_of(step)
        return Row(
            step=step,
            shown=shown,
            title=wording.step_title(step),
            about=self._about(step, request),
            icon=wording.STEP_ICONS[step.kind],
            state=state,
            tone=tone,
            indented=step.kind in INDENTED,
            request=request,
            child=self._children.get(step.pk),
            bars=self._bars(work, waits),
            worked_seconds=seconds([work]) if work else None,
            waited_seconds=seconds(waits) if waits else None,
            covered=covered,
            arguments=[
                {"label": name, "value": value}
                for name, value in self._mask.arguments(step.seq, step.arguments).items()
            ],
            judgement=judgement_of(step, shown, covered=covered),
            edited=bool((step.resolution or {}).get("edited")),
            changes=changes_of(step, self._mask),
            rationale="" if covered else step.rationale,
            attempts=[] if scores and hides else attempts_of(step),
            trouble=wording.model_trouble(step),
            told=wording.said_to_agent(step),
            note=self._mask.withheld.text(
                ("" if scores and hides else note_of(step))
                or sure_words(step, shown)
                or ("" if covered else wording.bounced_words(effect))
            ),
            feedback=feedback_of(step),
            effect=effect,
            tokens=self._tokens(shown),
            effect_words=wording.effect_words(effect, step),
            undo_words=wording.undo_words(effect),
            may_be_undone=self._may_be_undone(step, effect),
            said="" if hides else said_of(step),
            reasoning="" if hides else reasoning_of(step),
            result=result,
            untrusted=untrusted,
            response=None if hides or covered else step.response,
            hides=hides,
            goes_on_at=self._goes_on_at(step),
            copied=self._run.is_copied(step.seq),
            simulated=simulated_words(step),
        )

    def _standing(self, step: Step) -> tuple[str, str]:
        """The step's state in words, and the word for its colour."""
        if step.kind not in (StepKind.MESSAGE, StepKind.GOAL):
            return wording.step_state(step), wording.step_tone(step)
        if self._more_after or step.seq < self._last_asked:
            return gettext("Read"), "done"
        return (
            (gettext("Not read"), "ended")
            if self._run.ended
            else (gettext("Not read yet"), "waiting")
        )

    def _may_be_undone(self, step: Step, effect: EffectRecord | None) -> bool:
        return (
            effect is not None
            and effect.state in UNDOABLE
            and not wording.undo_words(effect)
            and f"{PREFIX}{step.name}" in self._undos
        )

    def _about(self, step: Step, request: Glance | None) -> str:
        asked, given = step.request or {}, step.arguments or {}
        match step.kind:
            case StepKind.MODEL | StepKind.ROUTE:
                return step.model or step.name
            case StepKind.SCORE:
                return self._scored(step)
            case StepKind.STATE:
                return wording.move_words(step)
            case StepKind.DECISION:
                return wording.brief(given)
            case StepKind.QUESTION | StepKind.ABSTAIN:
                return str(given.get("question") or given.get("reason") or "")
            case StepKind.BUDGET:
                return amounts.sentence(
                    step.name, asked["used"], asked["limit"], asked.get("needed", 0)
                )
            case StepKind.ATTENTION | StepKind.IN_DOUBT:
                return str(asked.get("summary") or asked.get("why") or "")
            case StepKind.MESSAGE | StepKind.GOAL | StepKind.HAND_BACK:
                return str(asked.get("text") or "")
            case StepKind.DELEGATE:
                return wording.brief(given.get("task") or "")
            case StepKind.TOOL if request is not None and request.title:
                return request.title
            case StepKind.TOOL:
                known = self._mask.arguments(step.seq, step.arguments)
                return wording.brief({k: v for k, v in known.items() if v != SENSITIVE})
            case _:
                return ""

    def _scored(self, step: Step) -> str:
        """Which call a score is about; all calls of the reply for one that compares replies."""
        of = (step.request or {}).get("of")
        return next(
            (wording.plain(s.name) for s in self._steps if s.seq == of and s.kind in ACTIONS),
            "",
        )

    @staticmethod
    def _tokens(shown: Mapping[str, Any]) -> int:
        return int(shown["tokens_in"] or 0) + int(shown["tokens_out"] or 0)

    def _goes_on_at(self, step: Step) -> datetime | None:
        if step.kind != StepKind.MODEL or step.state != StepState.FAILED:
            return None
        following = self._following.get(step.seq)
        if following is None:
            return self._run.wake_at
        return following.started_at if following.kind == StepKind.MODEL else None

    def _worked(self, step: Step) -> Span | None:
        """When the step itself was at work, without what it waited for."""
        if step.kind not in (StepKind.MODEL, StepKind.SCORE, StepKind.ROUTE, StepKind.TOOL):
            return None
        start, end = step.started_at, step.finished_at or self._now
        effect = self._effects.get(step.pk)
        if effect is not None and effect.dispatched_at is not None:
            start = effect.dispatched_at
            end = self._doubts.get(step.seq) or effect.finished_at or self._now
        elif step.kind == StepKind.TOOL and (
            step.approval_id is not None
            or step.state not in (StepState.SUCCEEDED, StepState.FAILED)
        ):
            return None
        return start, max(start, end)

    def _waited(self, step: Step, request: Glance | None) -> list[Span]:
        spans = [span] if (span := self._in_line(step)) else []
        if step.kind == StepKind.DELEGATE and has_child(step):
            # The work stands on the page of the run that it started; this run waits for as long.
            spans.append((step.started_at, max(step.started_at, step.finished_at or self._now)))
        if request is None:
            return spans
        until = request.ready_at or request.decided_at
        if until is None:
            until = step.finished_at if step.state in SETTLED else self._now
        return merged([*spans, (request.opened_at, until or self._now)])

    def _in_line(self, step: Step) -> Span | None:
        """When the call waited for a resource that another call worked on."""
        line = step.request or {}
        if step.kind != StepKind.TOOL or "in_line_since" not in line:
            return None
        until = line.get("in_line_until")
        end = datetime.fromisoformat(until) if until else step.finished_at or self._now
        return datetime.fromisoformat(line["in_line_since"]), end

    def _bars(self, work: Span | None, waits: Sequence[Span]) -> list[Bar]:
        bars = [Bar(*self._scale.bar(span), wait=True) for span in waits]
        return bars + ([Bar(*self._scale.bar(work), wait=False)] if work else [])
