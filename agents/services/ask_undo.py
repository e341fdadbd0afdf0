"""Ask for an effect to be undone: in its run while that is open, else in a run of its own."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import F

from accounts.callers import Caller
from agents.errors import NotUndoable, RunSwitchedOff, UnknownEffectOfRun, UnknownRun
from agents.events import action_ref, announce, args_disclosure, tell
from agents.holding import held_tools
from agents.kill_switches import WHOLE
from agents.models import EffectRecord, Run, Step
from agents.queues import RESUMES, wake_on_commit
from agents.services.start_undo_run import start_undo_run
from agents.services.wish_undo import has_undo, wish_undo
from agents.states import CLAIMABLE, OPEN, RunState, StepState
from agents.tool_secrets import without_secrets
from agents.undoing import UNDOABLE
from approvals.vocabulary import Risk
from audit.clock import database_now
from audit.schemas import Disclose

GIVEN_UP = (StepState.FAILED, StepState.REFUSED)


def ask_undo(*, run_id: UUID, effect_id: UUID, reason: str, caller: Caller) -> Run:
    """Note the wish; returns the run in which the undo is proposed, the effect's own or a new one.

    Those who control the run, and the agent's owner group, may ask. Raises UnknownRun,
    UnknownEffectOfRun, NotUndoable, RunSwitchedOff where a run would have to be started, or Forbidden.
    """
    reason = without_secrets(reason)
    with transaction.atomic():
        run = _locked(run_id, caller)
        effect = (
            EffectRecord.objects.select_for_update(of=("self",))
            .select_related("step")
            .filter(pk=effect_id, run=run)
            .first()
        )
        if effect is None:
            raise UnknownEffectOfRun
        _require_undoable(run, effect)
        if not wish_undo(effect, by=caller.user.pk, reason=reason):
            raise NotUndoable("under_way")
        _tell(run, effect, reason, caller)
        if run.state in OPEN:
            _wake(run)
            return run
        if WHOLE in held_tools(run.agent.slug):
            raise RunSwitchedOff(run.agent.slug, "have it undone")
        return start_undo_run(effect, run)


def _locked(run_id: UUID, caller: Caller) -> Run:
    """The run, locked, if the caller may see and control it; it may have ended."""
    if not Run.objects.visible_to(caller.user).filter(pk=run_id).exists():
        raise UnknownRun
    owns = Run.objects.filter(pk=run_id, agent__owner_group__in=caller.own_group_ids).exists()
    if not owns or not caller.user.has_perm("accounts.decide_requests"):
        caller.require("control_runs", scope="run")
    else:
        caller.require(None, scope="run")
    return (
        Run.objects.select_for_update(of=("self",), no_key=True)
        .select_related("agent__owner_group", "agent_version")
        .get(pk=run_id)
    )


def _require_undoable(run: Run, effect: EffectRecord) -> None:
    if effect.step.undoes_id is not None:
        raise NotUndoable("is_undo")
    if not has_undo(run, effect.step):
        raise NotUndoable("no_undo")
    if effect.state not in UNDOABLE:
        raise NotUndoable("did_not_happen")
    undos = list(Step.objects.filter(undoes=effect).exclude(state__in=GIVEN_UP))
    if any(undo.state == StepState.SUCCEEDED for undo in undos):
        raise NotUndoable("undone")
    if undos or effect.undo_asked is not None:
        raise NotUndoable("under_way")


def _tell(run: Run, effect: EffectRecord, reason: str, caller: Caller) -> None:
    judgement = effect.step.judgement
    assert judgement is not None, "every call with an effect is judged"
    why = [Disclose("reason", reason, f"run:{run.pk}")] if reason else []
    tell(
        run,
        "effect.undo_asked",
        actor=caller.actor,
        action=action_ref(effect.step, Risk(judgement["action"]["risk"])),
        request=effect.approval_id,
        facts={
            "effect": effect.pk,
            "effect_class": effect.effect_class,
            "step": effect.step.seq,
        },
        disclosures=[args_disclosure(run, effect.digest), *why],
    )


def _wake(run: Run) -> None:
    """Have a worker look at the run: one that waits goes on, one at work learns of it as it parks."""
    now = database_now()
    Run.objects.filter(pk=run.pk).update(wake_seq=F("wake_seq") + 1, version=F("version") + 1)
    if run.state == RunState.WAITING:
        Run.objects.move(run.pk, RunState.READY, ready_at=now)
    elif run.state == RunState.READY:
        Run.objects.filter(pk=run.pk).update(ready_at=now)
    if run.state == RunState.WAITING or run.state in CLAIMABLE:
        wake_on_commit(run.pk, run.wake_seq + 1, RESUMES)
    announce(run, "undo_asked")
