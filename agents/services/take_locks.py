"""Take all the resources of a call at once, or stand in line for them holding none."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F

from agents.events import action_ref, announce, tell
from agents.masking import sensitive_by_tool
from agents.models import ResourceClaim, Run, Step
from agents.resources import is_held_up, lock_lines
from agents.services.claim import Lease, fenced
from agents.services.release_locks import wake_next_on_commit
from agents.states import SETTLED
from approvals.vocabulary import Risk
from audit.clock import database_now
from audit.schemas import Disclose


def take_locks(lease: Lease, step: Step, names: Sequence[str]) -> bool:
    """Whether the step now holds exactly these resources; `names` sorted, each once.

    A step that held others before lets go of them and stands at the end of the new lines.
    """
    if list(names) == step.locks:
        return True
    with fenced(lease) as run:
        claims = dict(ResourceClaim.objects.filter(step=step).values_list("resource", "held"))
        lock_lines({*names, *claims})
        if set(claims) != set(names):
            ResourceClaim.objects.filter(step=step).delete()
            held = [resource for resource, was_held in claims.items() if was_held]
            wake_next_on_commit(held, besides=run.pk)
            _stand_in_line(run, step, names)
        taken = not is_held_up(step.pk)
        if taken:
            # What a settled step left behind holds nobody up, and must not hold this one up either.
            ResourceClaim.objects.filter(resource__in=names, step__state__in=SETTLED).delete()
            ResourceClaim.objects.filter(step=step).update(held=True)
        _note(run, step, list(names) if taken else [], waits=not taken)
    return taken


def _stand_in_line(run: Run, step: Step, names: Sequence[str]) -> None:
    now = database_now()
    ResourceClaim.objects.bulk_create(
        ResourceClaim(resource=name, step=step, run=run, since=now) for name in names
    )


def _note(run: Run, step: Step, locks: list[str], *, waits: bool) -> None:
    """Journal what the step holds; the first time that it waits, and that it got its turn, is told."""
    line = dict(step.request or {})
    was_waiting = "in_line_since" in line and "in_line_until" not in line
    changes = {"locks": locks}
    kind = None
    if waits and not was_waiting:
        line["in_line_since"] = database_now().isoformat()
        line.pop("in_line_until", None)
        kind = "action.queued"
    elif was_waiting and not waits:
        line["in_line_until"] = database_now().isoformat()
        kind = "action.admitted"
    if kind is None and locks == step.locks:
        return
    step.locks = locks
    if kind is not None:
        step.request = line
        changes["request"] = line  # type: ignore[assignment]
    Step.objects.filter(pk=step.pk).update(**changes)
    if kind is not None:
        _tell(run, kind, step)
        Run.objects.filter(pk=run.pk).update(version=F("version") + 1)
        announce(run, "stepped")


def _tell(run: Run, kind: str, step: Step) -> None:
    assert step.judgement is not None, "every call of a tool is judged"
    risk = Risk(step.judgement["action"]["risk"])
    names = list(
        ResourceClaim.objects.filter(step=step)
        .order_by("resource")
        .values_list("resource", flat=True)
    )
    guarded = step.name in sensitive_by_tool([run.agent_version.definition])
    tell(
        run,
        kind,
        action=action_ref(step, risk),
        facts={"step": step.seq},
        # Made from arguments, which may be personal; of sensitive ones not even that is kept.
        disclosures=[] if guarded else [Disclose("resources", names, f"run:{run.pk}")],
    )
