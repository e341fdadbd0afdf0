"""An effect whose outcome is not known: say so and ask; then settle it as a person found."""

from __future__ import annotations

from agents.context import refusal_message, result_message
from agents.definitions import Agent
from agents.events import announce, tell
from agents.execution import Unknown
from agents.journal import Journal
from agents.models import EffectRecord, Run, Step
from agents.openings import for_doubt
from agents.services.claim import Lease, fenced
from agents.services.dispatch import tell_effect
from agents.services.park import Ask, park
from agents.services.record_undone import record_undone
from agents.services.release_locks import release_locks
from agents.services.wish_undo import has_undo, wish_undo
from agents.states import EffectState, StepKind, StepState
from agents.tools import Trust
from audit.actors import Actor
from audit.clock import database_now
from audit.schemas import Outcome


def doubt(
    lease: Lease,
    agent: Agent | None,
    run: Run,
    journal: Journal,
    done: Step,
    effect: EffectRecord,
    outcome: Unknown,
) -> None:
    """Mark the effect in doubt and park on a request that never expires.

    Works without the agent or its tool too: a deploy may have taken them away.
    """
    step = Step(
        run_id=lease.run_id,
        seq=journal.next_seq,
        kind=StepKind.IN_DOUBT,
        name=done.name,
        request={
            "of": done.seq,
            "effect": str(effect.pk),
            "code": outcome.code,
            "why": outcome.message,
            **({} if outcome.reported is None else {"trust": _trust_of(agent, done)}),
        },
        epoch=lease.epoch,
        started_at=database_now(),
    )
    # Outside the transaction: a preview is foreign code and may fail.
    opening = for_doubt(agent, run, step, done, effect, journal.steps, reported=outcome.reported)
    with fenced(lease, may_end=True) as fresh:
        told = {"result": outcome.reported, "reference": outcome.reference}
        EffectRecord.objects.move(effect.pk, EffectState.IN_DOUBT, **told)
        tell_effect(fresh, "effect.in_doubt", done, effect, error=outcome.code)
        # The mark and the request land together: an effect in doubt without one would be forgotten.
        park(lease, [Ask(step, opening)])


def settle_doubt(lease: Lease, step: Step, journal: Journal) -> None:
    """Close effect, call and question as the person found: happened, did not, or compensated."""
    resolution = step.resolution or {}
    asked = step.request or {}
    done = journal.step(int(asked["of"]))
    data = resolution.get("data") or {}
    verdict = str(resolution["kind"])
    with fenced(lease) as run:
        now = database_now()
        undone = verdict == "compensate" and has_undo(run, done)
        happened = verdict == "happened" or undone
        state = EffectState.SUCCEEDED if happened else EffectState.FAILED
        told, trust = data.get("result"), Trust.TRUSTED
        if told is None:
            # What the tool itself had reported, and no more to be trusted than any word of it.
            told = EffectRecord.objects.values_list("result", flat=True).get(pk=asked["effect"])
            trust = Trust(asked.get("trust") or Trust.UNTRUSTED) if told is not None else trust
        EffectRecord.objects.move(
            asked["effect"], state, result=told if happened else None, finished_at=now
        )
        if happened:
            output = result_message(told, trust=trust, as_of=now.isoformat())
            if trust is Trust.UNTRUSTED:
                _taint(run, done.name)
            output["note"] = FOUND["undo" if undone else "happened"]
            Step.objects.move(done.pk, StepState.SUCCEEDED, output=output, finished_at=now)
        else:
            output = refusal_message("failed", verdict, FOUND[verdict])
            Step.objects.move(
                done.pk, StepState.FAILED, output=output, problem=verdict, finished_at=now
            )
        Step.objects.move(step.pk, StepState.SUCCEEDED, output={"status": verdict}, finished_at=now)
        if done.locks:
            release_locks(run, done)
        effect = EffectRecord.objects.get(pk=asked["effect"])
        tell(
            run,
            "effect.resolved",
            actor=Actor.system("in-doubt"),
            request=step.approval_id,
            outcome=Outcome(decision=verdict),
            facts={
                "effect": effect.pk,
                "effect_class": effect.effect_class,
                "state": effect.state,
            },
        )
        if undone:
            wish_undo(effect, by=int(resolution["by_id"]), reason=str(data.get("reason") or ""))
        if happened and done.undoes_id is not None:
            record_undone(run, done)
        announce(run, "stepped")


def _taint(run: Run, tool: str) -> None:
    if tool not in run.tainted_by:
        tainted_by = [*run.tainted_by, tool]
        Run.objects.filter(pk=run.pk).update(tainted=True, tainted_by=tainted_by)


def _trust_of(agent: Agent | None, done: Step) -> str:
    tool = agent.tool(done.name) if agent else None
    return (tool.trust if tool else Trust.UNTRUSTED).value


FOUND = {
    "happened": "A person found that this happened.",
    "undo": "A person found that this happened and wants it undone. Do not repeat it.",
    "did_not": "A person found that this did not happen. Propose it again only if it is still wanted.",
    "compensate": "A person found that this happened and compensates for it. Do not repeat it.",
}
