"""Steps of a run as they are read from the journal, with what says what must be hidden in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Case, Exists, F, JSONField, OuterRef, Q, Value, When
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import JSONObject

from accounts.callers import Caller
from agents import registry
from agents.journal_schemas import CONTEXT
from agents.kin import Kin, children_of
from agents.masking import Mask, Told, mask_for, score_hidden, sensitive_by_tool, withheld_values
from agents.models import EffectRecord, Run, Step
from agents.states import PROPOSING, SETTLED, StepKind, StepState
from agents.timeline_rows import Rows
from agents.withheld import definitions_of, kin_values
from approvals.eligibility import reads_sensitive
from approvals.glances import Glance, glances
from approvals.withholding import Withheld

#: How far around steps it is looked for the reply that calls came from, and for calls that are open: a reply
#: makes at most 256 calls (`agents.llm`).
AROUND: Final = 300


class Near(NamedTuple):
    """A step beside those that are shown, as far as it is told: making hundreds of models takes longer than
    reading them."""

    seq: int
    kind: str
    name: str
    state: str
    coin: Any
    arguments: Any
    started_at: datetime


@dataclass(frozen=True)
class Context:
    """What rows of these steps are made of. `known` are the steps and, with few columns, those around them
    that say what has to be hidden in them. `more_after`: the run goes on beyond these."""

    steps: Sequence[Step]
    known: Sequence[Told]
    mask: Mask
    effects: Mapping[UUID, EffectRecord]
    asked: Mapping[UUID, Glance]
    children: Mapping[UUID, Kin]
    more_after: bool

    @classmethod
    def of(
        cls,
        run: Run,
        steps: Sequence[Step],
        shown: Sequence[tuple[int, int]],
        newest: int,
        caller: Caller,
    ) -> Context:
        around: list[Told] = [*steps, *_around(run, shown, newest)]
        known = sorted(around, key=lambda step: step.seq)
        mask = mask_of(run, steps, caller, known=known)
        return cls(
            steps,
            known,
            mask,
            effects={effect.step_id: effect for effect in effects_of(run, steps)},
            asked=glances([step.approval_id for step in steps if step.approval_id], caller),
            children=children_of(steps, caller, {run.pk: mask.withheld}),
            more_after=bool(shown) and newest > shown[-1][1] + AROUND,
        )

    def rows(self, run: Run, steps: Sequence[Step], now: datetime) -> Rows:
        """Rows of some of the steps, on a time axis of their own."""
        return Rows(
            run,
            steps,
            known=self.known,
            effects=self.effects,
            undos=frozenset(agent.undos if (agent := registry.find(run.agent.slug)) else ()),
            asked=self.asked,
            children=self.children,
            mask=self.mask,
            now=now,
            more_after=self.more_after,
        )


def _around(run: Run, shown: Sequence[tuple[int, int]], newest: int) -> list[Near]:
    """The replies and the open calls just before and just after what is shown. No query where that is all."""
    near = Q()
    for first, last in shown:
        if first > 1:
            near |= Q(seq__lt=first, seq__gte=first - AROUND)
        if last < newest:
            near |= Q(seq__gt=last, seq__lte=last + AROUND)
    if not near:
        return []
    for first, last in shown:
        near &= ~Q(seq__range=(first, last))
    speaks = Q(kind__in=PROPOSING) | ~Q(state__in=SETTLED)
    rows = Step.objects.filter(near, speaks, run=run)
    return [Near(*told) for told in rows.values_list(*Near._fields)]


def effects_of(run: Run, steps: Sequence[Step] | None = None) -> list[EffectRecord]:
    """The effects of a run, or of some of its steps, each with how its undo stands: `undo`, a word of
    `wording.UNDOS`."""
    undos = Step.objects.filter(undoes=OuterRef("pk"))
    found = EffectRecord.objects.filter(run=run).annotate(
        undo=Case(
            When(Exists(undos.filter(state=StepState.SUCCEEDED)), then=Value("undone")),
            When(undo_asked__isnull=False, then=Value("asked")),
            When(Exists(undos.exclude(state__in=SETTLED)), then=Value("asked")),
            default=Value(""),
        )
    )
    return list(found if steps is None else found.filter(step__in=[step.pk for step in steps]))


def mask_of(
    run: Run, steps: Sequence[Step], caller: Caller, *, known: Sequence[Told] | None = None
) -> Mask:
    """What of these steps, in order, the caller may not see. `known`: they and those around them, where these
    are not all.

    Two more queries where the run's agent has sensitive arguments that the caller does not read, and one
    for a workflow.
    """
    known = steps if known is None else known
    later = _secret_later(run, known)
    if reads_sensitive(caller):
        return mask_for(known, secret_later=later)
    sensitive = sensitive_by_tool(definitions_of(run, steps))
    of_kin = kin_values(run)
    if not sensitive:
        return mask_for(known, withheld=Withheld(of_kin), secret_later=later)
    calls = _calls_of(run, sensitive)
    values = withheld_values(calls, sensitive) | of_kin
    return mask_for(known, calls, sensitive, Withheld(values), secret_later=later)


def _secret_later(run: Run, steps: Sequence[Told]) -> bool:
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


def without_conversations(run: Run, shown: Sequence[tuple[int, int]]) -> list[Step]:
    """The steps of these stretches, oldest first; of the request of a model call no more than its notes."""
    within = Q(pk__in=())
    for first, last in shown:
        within |= Q(seq__range=(first, last))
    rows = Step.objects.filter(within, run=run)
    small = Case(
        When(~Q(kind=StepKind.MODEL), then=F("request")),
        When(
            request__has_key=CONTEXT, then=JSONObject(**{CONTEXT: KeyTransform(CONTEXT, "request")})
        ),
        default=Value(None, JSONField()),
        output_field=JSONField(),
    )
    found = list(rows.defer("request").annotate(small_request=small).order_by("seq"))
    for step in found:
        step.request = vars(step).pop("small_request")
    return found
