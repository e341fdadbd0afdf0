"""Steps that only a person can settle: a reached cap, trouble, an effect in doubt, a run taken over."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from agents.amounts import sentence
from agents.caps import Cap
from agents.drift import TOOLS_CHANGED, Trouble
from agents.journal import Journal
from agents.loop_reading import LOOPS
from agents.models import Run, Step
from agents.openings import for_attention, for_budget
from agents.services.break_loop import break_loop
from agents.services.change_version import follow_choice
from agents.services.claim import Lease
from agents.services.end import end_simulated, end_stopped
from agents.services.extend_caps import extend_caps
from agents.services.free_budget import FREED
from agents.services.park import Ask, park
from agents.services.settle import settle_answered
from agents.services.settle_doubt import settle_doubt
from agents.states import StepKind
from audit.actors import Actor
from audit.clock import database_now

LONGEST_FAILURE: Final = 2_000


def would_wait(lease: Lease, code: str, message: str) -> bool:
    """End a simulated run where it would wait for a person; False, since it does not go on."""
    end_simulated(lease, code, message)
    return False


def budget(lease: Lease, run: Run, journal: Journal, cap: Cap) -> bool:
    """Park on a reached cap."""
    if run.simulated:
        return would_wait(lease, "cap_reached", sentence(cap.name, cap.used, cap.limit, cap.needed))
    request: dict[str, Any] = {"cap": cap.name, "used": cap.used, "limit": cap.limit}
    if cap.most is not None:
        request["most"] = cap.most
    if cap.needed:
        request["needed"] = cap.needed
    step = _new_step(lease, run, journal, StepKind.BUDGET, cap.name, request)
    park(lease, [Ask(step, for_budget(run, step, journal.steps))], held=True)
    return False


def attention(lease: Lease, run: Run, journal: Journal, trouble: Trouble) -> bool:
    """Park for a person to look."""
    if run.simulated:
        told = "; ".join(f"{label}: {value}" for label, value in trouble.facts.items())
        return would_wait(
            lease, trouble.code, f"{trouble.title}. {told}"[:LONGEST_FAILURE].capitalize()
        )
    request: dict[str, Any] = {
        "code": trouble.code,
        "title": trouble.title,
        "summary": trouble.summary,
        "facts": trouble.facts,
    }
    if trouble.choices:
        request |= {
            "changes": list(trouble.changes),
            "choices": [asdict(way) for way in trouble.choices],
            "installed": trouble.installed,
        }
    if trouble.calls:
        request["calls"] = list(trouble.calls)
    step = _new_step(lease, run, journal, StepKind.ATTENTION, trouble.code, request)
    park(lease, [Ask(step, for_attention(run, step, journal.steps))], held=True)
    return False


def settle_people_step(lease: Lease, step: Step, journal: Journal) -> None:
    """Do what the person said. An expired budget request stops the run."""
    resolution = step.resolution or {}
    data = resolution.get("data") or {}
    if resolution["kind"] == "expired":
        end_stopped(lease, Actor.system("deadline"), "Nobody raised the limit in time.")
    elif resolution["kind"] == FREED:
        settle_answered(lease, step, {"status": FREED})
    elif step.kind == StepKind.BUDGET:
        extend_caps(lease, step, data.get("caps") or {})
    elif step.kind == StepKind.IN_DOUBT:
        settle_doubt(lease, step, journal)
    elif step.name == TOOLS_CHANGED and data.get("choice"):
        follow_choice(lease, step, str(data["choice"]), str(data.get("reason") or ""))
    elif step.kind == StepKind.ATTENTION and step.name in LOOPS:
        choice, note = str(data.get("choice") or ""), str(data.get("reason") or "")
        break_loop(lease, step, journal, choice, note)
    elif step.kind == StepKind.HAND_BACK:
        told = {"message": data.get("message"), "by": resolution.get("by")}
        settle_answered(lease, step, {"status": "returned", **told})
    else:
        note = data.get("choice") or data.get("reason") or ""
        settle_answered(lease, step, {"status": "answered", "continue": True, "note": note})


def _new_step(
    lease: Lease, run: Run, journal: Journal, kind: StepKind, name: str, request: dict[str, Any]
) -> Step:
    return Step(
        run=run,
        seq=journal.next_seq,
        kind=kind,
        name=name[:64],
        request=request,
        epoch=lease.epoch,
        started_at=database_now(),
    )
