"""Reading the timeline of a run for one reader: windows of its steps, or one step whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Max

from accounts.callers import Caller
from agents import windows
from agents.conversations import read_requests
from agents.journal import ACTIONS
from agents.masking import NOT_SHOWN, Mask
from agents.models import Run, Step
from agents.states import SETTLED, StepKind, StepState
from agents.step_context import Context, without_conversations
from agents.timeline_rows import Row
from agents.tools import Trust
from approvals.reasons import read_words

#: Steps before and after one that are read with it.
BESIDE: Final = 20


@dataclass(frozen=True)
class Taint:
    """A tool, or another agent, whose result may hold text of somebody outside, and the step on this page it
    came in."""

    tool: str
    seq: int | None


@dataclass(frozen=True)
class Window:
    """A stretch of a run's steps, oldest first. Without rows it is a gap: windows `number` to `until` that are
    not on the page. `settled`: none of its steps is under way, and it is full."""

    number: int
    until: int
    first: int
    last: int
    shown: bool
    rows: Sequence[Row] = ()
    settled: bool = False


@dataclass(frozen=True)
class Timeline:
    """What a page shows of a run's steps. `newest` is the seq of the last one of the run; `mask` covers what the
    reader may not see of those that are shown."""

    windows: Sequence[Window]
    newest: int
    tainted_by: Sequence[Taint]
    mask: Mask

    @property
    def rows(self) -> list[Row]:
        """All steps that are shown, oldest first."""
        return [row for window in self.windows for row in window.rows]

    @property
    def long(self) -> bool:
        """Whether it has more than one window."""
        return len(self.windows) > 1

    @property
    def size(self) -> int:
        """How many steps a window holds."""
        return windows.SIZE

    @property
    def waiting(self) -> list[Row]:
        """Steps that a person is still to decide."""
        return [row for row in self.rows if row.waits]

    @property
    def last(self) -> Row | None:
        return self.rows[-1] if self.rows else None


@dataclass(frozen=True)
class WholeStep:
    """One step with its request and response as they were journalled.

    `hides_request` and `hides_response` say why one of them is not shown. `before` and `after` are the seqs of
    the steps beside it; None at the ends of the run.
    """

    row: Row
    request: Any
    response: Any
    hides_request: str
    hides_response: str
    before: int | None
    after: int | None


def read_timeline(
    run: Run, caller: Caller, *, now: datetime, at: int | None = None, tail: bool = False
) -> Timeline:
    """The first and the newest windows of the run, and that with the step `at`; `tail`: the newest alone.

    At most six queries, however many steps. What was sent to the model stays in the database: it repeats the
    whole conversation each time. `read_step` reads it for one step.
    """
    newest = _newest(run)
    parts = list(windows.stretches(newest, windows.numbers_shown(newest, at, tail=tail)))
    return _timeline(run, caller, parts, newest, now)


def read_window(run: Run, number: int, caller: Caller, *, now: datetime) -> Window | None:
    """One window of the run, at most seven queries; None where the run is not that long."""
    newest = _newest(run)
    if not 1 <= number <= windows.window_of(newest):
        return None
    (window,) = _timeline(run, caller, [windows.stretch(number, newest)], newest, now).windows
    return window


def read_beginning(run: Run, most: int, caller: Caller, *, now: datetime) -> list[Row]:
    """The first steps of the run, at most that many, on one time axis."""
    shown = [(1, most)]
    steps = without_conversations(run, shown)
    context = Context.of(run, steps, shown, _newest(run), caller)
    rows = context.rows(run, steps, now)
    return [rows.row(step) for step in steps]


def _timeline(
    run: Run, caller: Caller, parts: Sequence[windows.Stretch], newest: int, now: datetime
) -> Timeline:
    shown = windows.blocks(parts)
    steps = without_conversations(run, shown)
    context = Context.of(run, steps, shown, newest, caller)
    return Timeline(
        [_window(part, run, context, now) for part in parts],
        newest,
        tainted_by=[Taint(read_words(tool), _first(steps, tool)) for tool in run.tainted_by],
        mask=context.mask,
    )


def _window(part: windows.Stretch, run: Run, context: Context, now: datetime) -> Window:
    steps = [step for step in context.steps if part.first <= step.seq <= part.last]
    rows = context.rows(run, steps, now)
    return Window(
        part.number,
        part.until,
        part.first,
        part.last,
        part.shown,
        rows=[rows.row(step) for step in steps],
        settled=part.last % windows.SIZE == 0 and all(step.state in SETTLED for step in steps),
    )


def whole_of(timeline: Timeline, run: Run, seq: int) -> WholeStep | None:
    """One of the steps that the timeline shows; None for another. One query for what was sent to a model."""
    row = next((row for row in timeline.rows if row.step.seq == seq), None)
    if row is None:
        return None
    return WholeStep(
        row,
        *_raw(run, row, timeline.mask),
        # A journal numbers its steps without gaps.
        before=seq - 1 if seq > 1 else None,
        after=seq + 1 if seq < timeline.newest else None,
    )


def read_step(run: Run, seq: int, caller: Caller, *, now: datetime) -> WholeStep | None:
    """One step; None when the run has no such step."""
    # The steps beside it say what it is about, and how long it was at work.
    shown = [(max(1, seq - BESIDE), seq + BESIDE)]
    steps = without_conversations(run, shown)
    step = next((step for step in steps if step.seq == seq), None)
    if step is None:
        return None
    context = Context.of(run, steps, shown, _newest(run), caller)
    row = context.rows(run, steps, now).row(step)
    place = steps.index(step)
    return WholeStep(
        row,
        *_raw(run, row, context.mask),
        before=steps[place - 1].seq if place else None,
        after=steps[place + 1].seq if place + 1 < len(steps) else None,
    )


def _raw(run: Run, row: Row, mask: Mask) -> tuple[Any, Any, str, str]:
    """Request and response of a step, and why one of them is not shown."""
    step, seq = row.step, row.step.seq
    if step.kind == StepKind.MODEL:
        hides = mask.hides_request(seq)
        request = None if hides else _messages_first(read_requests(run, [seq])[seq])
        return mask.withheld.content(request), row.response, hides, row.hides
    if step.kind in (StepKind.SCORE, StepKind.ROUTE):
        hides = mask.hides_score(seq) if step.kind == StepKind.SCORE else ""
        sent = None if hides else mask.withheld.content(_sent(run, step))
        return sent, row.response, hides, hides
    asked = {
        "tool" if step.kind in ACTIONS else step.kind: step.name,
        "call_id": step.call_id,
        "arguments": mask.arguments(seq, step.arguments) or None,
        "request": step.request,
        "input_digest": step.input_digest,
    }
    response = step.output if step.response is None else step.response
    return (
        {name: value for name, value in asked.items() if value},
        None if row.covered else response,
        "",
        NOT_SHOWN if row.covered else "",
    )


def _sent(run: Run, step: Step) -> Any:
    """What was sent to gather a score."""
    asked = step.request or {}
    if "sent" in asked:
        return asked["sent"]
    of = int(asked["of"])
    return {**_messages_first(read_requests(run, [of])[of]), "seed": asked["sample"]}


def _messages_first(request: Any) -> Any:
    """What was asked before the long list of tools, which is the same each time."""
    if not isinstance(request, dict) or "messages" not in request:
        return request
    return {"messages": request["messages"], **request}


def _newest(run: Run) -> int:
    """The seq of the last step; 0 where there is none."""
    return int(Step.objects.filter(run=run).aggregate(newest=Max("seq"))["newest"] or 0)


def _first(steps: Sequence[Step], tool: str) -> int | None:
    return next(
        (
            step.seq
            for step in steps
            if (step.name == tool and (step.state == StepState.SUCCEEDED or _is_untrusted(step)))
            or (step.output or {}).get("taints") == tool
        ),
        None,
    )


def _is_untrusted(step: Step) -> bool:
    return (step.output or {}).get("trust") == Trust.UNTRUSTED
