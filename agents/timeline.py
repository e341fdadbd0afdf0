"""Reading the timeline of a run for one reader: a page of its steps, or one step whole."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Case, Exists, F, JSONField, OuterRef, Q, Value, When
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import JSONObject

from accounts.callers import Caller
from agents import registry, wording
from agents.conversations import read_requests
from agents.journal import ACTIONS
from agents.journal_schemas import CONTEXT
from agents.kin import children_of
from agents.masking import (
    NOT_SHOWN,
    Mask,
    mask_for,
    score_hidden,
    sensitive_by_tool,
    withheld_values,
)
from agents.models import EffectRecord, Run, Step
from agents.states import PROPOSING, SETTLED, StepKind, StepState
from agents.timeline_rows import Row, Rows
from agents.tools import Trust
from agents.withheld import definitions_of, kin_values
from approvals.eligibility import reads_sensitive
from approvals.glances import glances
from approvals.withholding import Withheld

#: How many steps one page holds.
STEPS_SHOWN: Final = 200


@dataclass(frozen=True)
class Taint:
    """A tool, or another agent, whose result may hold text of somebody outside, and the step on this page it
    came in."""

    tool: str
    seq: int | None


@dataclass(frozen=True)
class Timeline:
    """A page of a run's steps, oldest first. `earlier`: the seq before which more of them stand."""

    rows: list[Row]
    earlier: int | None
    newest: bool
    tainted_by: list[Taint]

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

    `hides_request` and `hides_response` say why one of them is not shown.
    """

    row: Row
    request: Any
    response: Any
    hides_request: str
    hides_response: str


def read_timeline(
    run: Run, caller: Caller, *, now: datetime, before: int | None = None
) -> Timeline:
    """The newest steps of the run, or those before a seq. Four queries, however many steps.

    What was sent to the model stays in the database: it repeats the whole conversation each time.
    `read_step` reads it for one step.
    """
    found = _without_conversations(run, before)
    steps = found[:STEPS_SHOWN][::-1]
    rows = _rows(run, steps, caller, now, more_after=before is not None)
    return Timeline(
        rows=[rows.row(step) for step in steps],
        earlier=steps[0].seq if len(found) > STEPS_SHOWN else None,
        newest=before is None,
        tainted_by=[Taint(wording.plain(tool), _first(steps, tool)) for tool in run.tainted_by],
    )


def read_step(run: Run, seq: int, caller: Caller, *, now: datetime) -> WholeStep | None:
    """One step; None when the run has no such step."""
    # The steps around it say what has to be hidden in it.
    steps = _without_conversations(run, seq + STEPS_SHOWN)[::-1]
    step = next((step for step in steps if step.seq == seq), None)
    if step is None:
        return None
    mask = mask_of(run, steps, caller)
    row = _rows(run, steps, caller, now, mask=mask).row(step)
    step = row.step
    if step.kind == StepKind.MODEL:
        hides = mask.hides_request(seq)
        request = None if hides else _messages_first(read_requests(run, [seq])[seq])
        return WholeStep(row, mask.withheld.content(request), row.response, hides, row.hides)
    if step.kind in (StepKind.SCORE, StepKind.ROUTE):
        hides = mask.hides_score(seq) if step.kind == StepKind.SCORE else ""
        sent = None if hides else mask.withheld.content(_sent(run, step))
        return WholeStep(row, sent, row.response, hides, hides)
    asked = {
        "tool" if step.kind in ACTIONS else step.kind: step.name,
        "call_id": step.call_id,
        "arguments": mask.arguments(seq, step.arguments) or None,
        "request": step.request,
        "input_digest": step.input_digest,
    }
    response = step.output if step.response is None else step.response
    return WholeStep(
        row,
        request={name: value for name, value in asked.items() if value},
        response=None if row.covered else response,
        hides_request="",
        hides_response=NOT_SHOWN if row.covered else "",
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


def _rows(
    run: Run,
    steps: Sequence[Step],
    caller: Caller,
    now: datetime,
    *,
    more_after: bool = False,
    mask: Mask | None = None,
) -> Rows:
    mask = mask or mask_of(run, steps, caller)
    return Rows(
        run,
        steps,
        effects={effect.step_id: effect for effect in effects_of(run)},
        undos=frozenset(agent.undos if (agent := registry.find(run.agent.slug)) else ()),
        asked=glances([step.approval_id for step in steps if step.approval_id], caller),
        children=children_of(steps, caller, {run.pk: mask.withheld}),
        mask=mask,
        now=now,
        more_after=more_after,
    )


def effects_of(run: Run) -> list[EffectRecord]:
    """The effects of a run, each with how its undo stands: `undo`, a word of `wording.UNDOS`."""
    undos = Step.objects.filter(undoes=OuterRef("pk"))
    found = EffectRecord.objects.filter(run=run).annotate(
        undo=Case(
            When(Exists(undos.filter(state=StepState.SUCCEEDED)), then=Value("undone")),
            When(undo_asked__isnull=False, then=Value("asked")),
            When(Exists(undos.exclude(state__in=SETTLED)), then=Value("asked")),
            default=Value(""),
        )
    )
    return list(found)


def mask_of(run: Run, steps: Sequence[Step], caller: Caller) -> Mask:
    """What of these steps, in order, the caller may not see.

    Two more queries where the run's agent has sensitive arguments that the caller does not read, and one
    for a workflow.
    """
    later = _secret_later(run, steps)
    if reads_sensitive(caller):
        return mask_for(steps, secret_later=later)
    sensitive = sensitive_by_tool(definitions_of(run, steps))
    of_kin = kin_values(run)
    if not sensitive:
        return mask_for(steps, withheld=Withheld(of_kin), secret_later=later)
    calls = _calls_of(run, sensitive)
    values = withheld_values(calls, sensitive) | of_kin
    return mask_for(steps, calls, sensitive, Withheld(values), secret_later=later)


def _secret_later(run: Run, steps: Sequence[Step]) -> bool:
    """Whether a call of a workflow after these steps has a secret score, which answers here would tell."""
    if not any(step.kind == StepKind.DECISION for step in steps):
        return False
    rows = Step.objects.filter(run=run, kind=StepKind.TOOL, seq__gt=steps[-1].seq)
    rows = rows.exclude(state__in=SETTLED).only("kind", "state", "coin")
    return any(score_hidden(step) for step in rows)


def _calls_of(run: Run, tools: Collection[str]) -> list[Step]:
    """The run's model steps and states, without what they say, and its calls of these tools; in order."""
    rows = Step.objects.filter(run=run)
    replies = rows.filter(kind__in=PROPOSING).only("seq", "kind", "name")
    calls = rows.filter(name__in=tools).exclude(kind__in=PROPOSING)
    told = calls.only("seq", "kind", "name", "arguments", "judgement", "response")
    return sorted([*replies, *told], key=lambda step: step.seq)


def _without_conversations(run: Run, before: int | None) -> list[Step]:
    """Newest first, one more than a page holds; of the request of a model call no more than its notes."""
    rows = Step.objects.filter(run=run)
    if before is not None:
        rows = rows.filter(seq__lt=before)
    small = Case(
        When(~Q(kind=StepKind.MODEL), then=F("request")),
        When(
            request__has_key=CONTEXT, then=JSONObject(**{CONTEXT: KeyTransform(CONTEXT, "request")})
        ),
        default=Value(None, JSONField()),
        output_field=JSONField(),
    )
    found = list(
        rows.defer("request").annotate(small_request=small).order_by("-seq")[: STEPS_SHOWN + 1]
    )
    for step in found:
        step.request = vars(step).pop("small_request")
    return found


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
