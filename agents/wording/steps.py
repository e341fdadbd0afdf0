"""How a step stands, and why, in plain words. Pure."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext

from agents.journal import has_child
from agents.models import Step
from agents.states import StepKind, StepState
from agents.wording.texts import plain
from audit.wordings import Words

REFUSED: Final = Words(
    {
        "denied": "Denied by the policy",
        "rejected": "Rejected",
        "sent_back": "Sent back",
        "expired": "Not decided in time",
        "lapsed": "Approval lapsed",
        "cancelled": "Withdrawn",
        "run_ended": "Not done: the run ended",
        "not_approved": "Not done: it was not approved",
        "tool_gone": "Not done: the tool is gone",
        "tool_changed": "Not done: the tool changed",
        "secret_missing": "Not done: a secret of the tool is not set",
        "locks_unknown": "Not done: what it would touch is not known",
        "ended_too_early": "Not taken",
        "told_meanwhile": "Not taken",
        "turned_down": "Not taken",
        "goal_changed": "Set aside",
        "loop": "Not done: it went round in circles",
        "nobody_could_decide": "Not done: too few people could approve it",
        "did_not_happen": "Not done: there is nothing to undo",
        "agent_unknown": "Not done: there is no such agent",
        "agent_disabled": "Not done: that agent is switched off",
        "agent_not_active": "Not done: that agent is not activated",
        "input_invalid": "Not done: the task does not fit",
        "memory_full": "Not done: too much is written down",
        "memory_sensitive": "Not done: it holds something sensitive",
    }
)

STEP_STATES: Final = Words(
    {
        StepState.STARTED: "At work",
        StepState.UNJUDGED: "Being scored",
        StepState.PROPOSED: "Proposed",
        StepState.WAITING: "Waiting",
        StepState.DISPATCHED: "Executing",
        StepState.SUCCEEDED: "Done",
        StepState.FAILED: "Failed",
        StepState.REFUSED: "Not done",
    }
)

CHILDREN: Final = Words(
    {
        "child_abstained": "It abstained",
        "child_stopped": "It was stopped",
        "child_failed": "It failed",
    }
)

HELD_BACK: Final = Words(
    {
        "rate": "{tool} may be called only so often; this call waits until it may.",
        "failures": "{tool} failed again and again, so it is left alone for a while; this call waits.",
    }
)


def step_state(step: Step) -> str:
    """The step's state in a word or two."""
    kind = str((step.resolution or {}).get("kind") or "")
    if step.state == StepState.REFUSED:
        if step.problem == "run_ended" and kind == "stopped":
            return gettext("Rejected; the run was stopped")
        return REFUSED.get(step.problem, REFUSED["lapsed"] if kind == "approved" else "Not done")
    if step.kind == StepKind.HAND_BACK and step.state in (StepState.WAITING, StepState.SUCCEEDED):
        handed_back = kind or step.state == StepState.SUCCEEDED
        return gettext("Handed back") if handed_back else gettext("Taken over")
    if step.kind == StepKind.DELEGATE and step.problem in CHILDREN:
        return CHILDREN[step.problem]
    if has_child(step) and step.state == StepState.WAITING:
        return gettext("It has ended") if kind else gettext("At work")
    if step.state == StepState.WAITING and kind:
        return REFUSED.get(kind, plain(kind))
    if step.state == StepState.WAITING:
        return gettext("Waiting for a person")
    if step.state == StepState.PROPOSED and is_in_line(step):
        return gettext("Waiting for its turn")
    return STEP_STATES[StepState(step.state)]


def held_back_words(step: Step) -> str:
    """Why a call that is still to be made has to wait for its tool; empty where it does not."""
    if step.state not in (StepState.PROPOSED, StepState.WAITING):
        return ""
    why = str((step.request or {}).get("held_back") or "")
    return HELD_BACK.get(why, "").format(tool=plain(step.name))


def is_in_line(step: Step) -> bool:
    """Whether the call waits for a resource that another call works on."""
    line = step.request or {}
    return "in_line_since" in line and "in_line_until" not in line


def step_tone(step: Step) -> str:
    """The state word that gives the step's chip its colour."""
    resolved = (step.resolution or {}).get("kind")
    if step.state == StepState.REFUSED:
        return "rejected" if step.problem in ("rejected", "denied") else "ended"
    if has_child(step) and step.state == StepState.WAITING:
        return "running"
    if step.state == StepState.WAITING and resolved:
        well = ("approved", "answered", "returned", "accepted", "corrected")
        return "approved" if resolved in well else "ended"
    begun = (StepState.STARTED, StepState.UNJUDGED)
    return "running" if step.state in begun else str(step.state)


def said_to_agent(step: Step) -> str:
    """The sentence with which a call that was not done, or failed, was reported to the agent."""
    output = step.output or {}
    if step.state in (StepState.FAILED, StepState.REFUSED) and output.get("message"):
        return str(output["message"])
    if step.state == StepState.REFUSED and step.problem == "run_ended":
        return gettext("The run ended before this was done.")
    return ""


def model_trouble(step: Step) -> str:
    """Why a model call gave nothing usable; empty when it did, and for other steps."""
    if step.kind != StepKind.MODEL:
        return ""
    if step.problem == "no_tool_call":
        return gettext("It answered in words and called no tool. It is told so and asked again.")
    if step.state != StepState.FAILED:
        return ""
    if step.problem == "run_ended":
        return gettext("The run ended during this call.")
    last = (step.attempts or [{}])[-1]
    return str(
        last.get("message")
        or gettext("It failed: {what}.").format(what=plain(step.problem).lower())
    )
