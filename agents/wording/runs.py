"""How a run stands or ended, and why, in plain words. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.utils.translation import gettext

from agents.kill_switches import KillSwitch
from agents.models import Run, Step
from agents.states import Outcome, RunState, StepKind, SwitchScope
from agents.wording.steps import held_back_words, model_trouble
from agents.wording.texts import plain
from audit.wordings import Words

OUTCOMES: Final = Words[str](
    {
        Outcome.DONE: "Done",
        Outcome.ABSTAINED: "Abstained",
        Outcome.STOPPED: "Stopped",
        Outcome.FAILED: "Failed",
    }
)

RUN_STATES: Final = Words(
    {
        RunState.QUEUED: "Queued",
        RunState.RUNNING: "At work",
        RunState.WAITING: "Waiting for a person",
        RunState.SLEEPING: "Waiting to retry",
        RunState.READY: "About to go on",
        RunState.SUCCEEDED: "Succeeded",
        RunState.FAILED: "Failed",
        RunState.CANCELLED: "Cancelled",
    }
)


def run_state(run: Run, *, only_in_line: bool = False, only_children: bool = False) -> str:
    """The run's state in a word or two; flags of a person come first.

    `only_in_line`: it waits for resources alone, and for no person; `only_children`: for runs alone that it
    handed work to.
    """
    if run.cancel_requested_at is not None and not run.ended:
        return gettext("Being cancelled")
    if run.paused_at is not None and not run.ended:
        return "Paused"
    if run.taken_over_by is not None and not run.ended:
        return gettext("Taken over")
    if run.state == RunState.SUCCEEDED and run.outcome != Outcome.DONE:
        return OUTCOMES.get(run.outcome, RUN_STATES[RunState.SUCCEEDED])
    if run.state == RunState.WAITING and only_in_line:
        return gettext("Waiting for its turn")
    if run.state == RunState.WAITING and only_children:
        return gettext("Waiting for another agent")
    return RUN_STATES[RunState(run.state)]


def run_tone(run: Run) -> str:
    """The state word that gives the run's chip its colour."""
    if run.ended:
        return str(run.state) if run.outcome in (Outcome.DONE, "") else "ended"
    if run.paused_at is not None or run.cancel_requested_at is not None or run.taken_over_at:
        return "paused"
    return str(run.state)


_HALTED: Final = Words(
    {
        SwitchScope.GLOBAL: "Everything is switched off: nothing is dispatched until that switch is lifted.",
        SwitchScope.AGENT: "Its agent is switched off: nothing is dispatched until it is switched on again.",
        SwitchScope.AGENT_TOOL: "{tool} is switched off for its agent: the call waits until that is lifted.",
        SwitchScope.TOOL: "{tool} is switched off: the call waits until that switch is lifted.",
    }
)


def why_it_stands(
    run: Run, last: Step | None, now: datetime, halt: KillSwitch | None = None
) -> str:
    """Why the run does not move, or how it ended, in a sentence; empty where the page says it.

    `halt` is the kill switch that holds it.
    """
    if run.ended:
        return _how_it_ended(run)
    if run.cancel_requested_at is not None:
        return gettext("It is cancelled at the next safe point.")
    if halt is not None:
        return _HALTED[halt.scope].format(tool=plain(halt.tool))
    if run.paused_at is not None:
        return gettext("Paused: no worker takes it up until it is resumed. Decisions still land.")
    if run.taken_over_by is not None:
        return gettext(
            "{taken_over_by} has taken it over: nothing of it goes out until it is handed "
            "back. Decisions still land."
        ).format(taken_over_by=run.taken_over_by)
    match run.state:
        case RunState.QUEUED:
            return gettext("A worker takes it up in a moment.")
        case RunState.SLEEPING:
            if last is not None and last.kind == StepKind.TOOL:
                return held_back_words(last) or gettext("A tool may not be called yet.")
            return (model_trouble(last) if last else "") or gettext("The model could not be used.")
        case RunState.READY if run.ready_at is not None and run.ready_at > now:
            return gettext(
                "Approved. The approval can be taken back for a moment, then it goes on."
            )
        case RunState.READY:
            return gettext("A worker goes on with it in a moment.")
        case _:
            return ""


def _how_it_ended(run: Run) -> str:
    if run.failure:
        return str(run.failure.get("message") or "")
    if run.outcome == Outcome.ABSTAINED:
        return gettext("The agent said that it does not know, or cannot do this.")
    return ""
