"""What a run did in the world, from its effects: never what a model says that it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef

from accounts.callers import Caller
from agents import wording
from agents.kin import with_all_below
from agents.masking import sensitive_by_tool
from agents.models import EffectRecord, Run, Step
from agents.states import EffectState, StepState
from approvals.glances import Glance, glances
from approvals.withholding import Withheld

#: Effects of which nothing happened, or not yet.
NOTHING_HAPPENED: Final = (EffectState.READY, EffectState.FAILED)
_NAMED: Final = ("agent", "agent_version")


@dataclass(frozen=True)
class Done:
    """One effect. `title` is what people were shown of it, where they decided on it; `standing` who did."""

    agent: str
    tool: str
    title: str
    step: int
    state: str
    undone: bool
    approval: UUID | None
    approved_by: str
    standing: str

    @property
    def words(self) -> str:
        """How it stands, in words."""
        return state_words(self.state, undone=self.undone)

    @property
    def allowed(self) -> str:
        """Who let it happen."""
        if self.approval is None:
            return "allowed by the policy"
        return self.standing or f"approved by {self.approved_by or 'a person'}"

    def as_json(self) -> dict[str, Any]:
        """As programs read it."""
        return {
            "tool": self.tool,
            "title": self.title,
            "step": self.step,
            "state": self.state,
            "undone": self.undone,
            "approval": str(self.approval) if self.approval else None,
            "approved_by": self.approved_by or None,
        }

    def as_told(self) -> dict[str, Any]:
        """As a model is told of it."""
        return {
            "agent": self.agent,
            "tool": self.tool,
            "what": self.title,
            "state": self.words,
        }


def state_words(state: str, *, undone: bool) -> str:
    """How an effect stands, in words."""
    said = wording.EFFECT_STATES.get(EffectState(state), "")
    return f"{said}, then undone" if undone else said


def effects_done(runs: Sequence[Run]) -> list[EffectRecord]:
    """The effects of these runs that happened, or of which nobody knows yet, in the order of their steps.
    One query; each has its step, and whether it is undone."""
    undone = Step.objects.filter(undoes=OuterRef("pk"), state=StepState.SUCCEEDED)
    found = (
        EffectRecord.objects.filter(run__in=runs)
        .exclude(state__in=NOTHING_HAPPENED)
        .annotate(is_undone=Exists(undone))
        .select_related("step")
        .defer("step__request", "step__response")
    )
    return list(found.order_by("run_id", "step__seq"))


def done_in(
    agent: str,
    effects: Iterable[EffectRecord],
    asked: Mapping[UUID, Glance],
    sensitive: Mapping[str, frozenset[str]],
    withheld: Withheld,
) -> list[Done]:
    """The effects as their reader may see them. Pure.

    `asked` are the requests that were decided, `sensitive` the names of sensitive arguments by tool.
    """
    return [_done(agent, effect, asked, sensitive, withheld) for effect in effects]


def done_by(
    runs: Sequence[Run], caller: Caller, withheld: Mapping[UUID, Withheld]
) -> dict[UUID, list[Done]]:
    """What each run did, by its id, as the caller may see it. One query, and two more for requests."""
    effects = effects_done(runs) if runs else []
    asked = glances([effect.approval_id for effect in effects if effect.approval_id], caller)
    by_id = {run.pk: run for run in runs}
    found: dict[UUID, list[Done]] = {}
    for effect in effects:
        run = by_id[effect.run_id]
        sensitive = sensitive_by_tool([run.agent_version.definition])
        hidden = withheld.get(run.pk, Withheld())
        made = done_in(run.agent.slug, [effect], asked, sensitive, hidden)
        found.setdefault(run.pk, []).extend(made)
    return found


def done_for_parent(run: Run) -> list[Done]:
    """What a run did that another one handed work to, itself and by all runs below it, without what is
    sensitive. Two queries, and one more where it can hand on work."""
    runs = list(Run.objects.filter(pk__in=with_all_below(run)).select_related(*_NAMED))
    by_id = {each.pk: each for each in runs}
    found: list[Done] = []
    for effect in effects_done(runs):
        who = by_id[effect.run_id]
        sensitive = sensitive_by_tool([who.agent_version.definition])
        found += done_in(who.agent.slug, [effect], {}, sensitive, Withheld())
    return found


def output_with(run: Run, done: Sequence[Done]) -> dict[str, Any] | None:
    """The run's output with what was done; None while it is under way, and for one that said and did nothing."""
    if not run.ended or (run.output is None and not done):
        return None
    return {**(run.output or {}), "done": [each.as_json() for each in done]}


def call_words(name: str, arguments: Mapping[str, Any], sensitive: frozenset[str]) -> str:
    """A call in a line: its tool, and its arguments but for the sensitive ones."""
    told = wording.brief({key: value for key, value in arguments.items() if key not in sensitive})
    return f"{wording.plain(name)}: {told}" if told else wording.plain(name)


def _done(
    agent: str,
    effect: EffectRecord,
    asked: Mapping[UUID, Glance],
    sensitive: Mapping[str, frozenset[str]],
    withheld: Withheld,
) -> Done:
    step = effect.step
    request = asked.get(effect.approval_id) if effect.approval_id else None
    hidden = sensitive.get(step.name, frozenset())
    plain = call_words(step.name, step.arguments or {}, hidden)
    return Done(
        agent=agent,
        tool=step.name,
        title=withheld.text((request.title if request else "") or plain),
        step=step.seq,
        state=effect.state,
        undone=bool(vars(effect).get("is_undone")),
        approval=effect.approval_id,
        approved_by=str((step.resolution or {}).get("by") or "") if effect.approval_id else "",
        standing=request.standing if request else "",
    )
