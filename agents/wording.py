"""Runs, steps and agents in plain words: the one place where their pages' sentences stand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from agents import amounts
from agents.definitions import Category
from agents.journal import has_child
from agents.kill_switches import KillSwitch
from agents.models import EffectRecord, Run, Step
from agents.states import EffectState, Outcome, RunState, StepKind, StepState, SwitchScope
from agents.tools import EffectClass

CATEGORIES: Final[Mapping[str, str]] = {
    Category.WORKFLOW: (
        "Workflow: code decides what comes next, and the model is asked only at marked points."
    ),
    Category.BOUNDED: (
        "Bounded: the model chooses what comes next, from a closed list of tools and within tight "
        "limits."
    ),
    Category.OPEN: (
        "Open: the model plans freely and may hand work to other agents; whatever it changes is "
        "reviewed unless a policy says otherwise."
    ),
}
EFFECT_CLASSES: Final[Mapping[str, str]] = {
    EffectClass.TRANSACTIONAL: (
        "Commits together with the run's own record: it happens exactly once."
    ),
    EffectClass.IDEMPOTENT: (
        "The other side knows repeated calls by their key, so one whose answer was lost is sent "
        "again safely."
    ),
    EffectClass.QUERYABLE: (
        "The other side can be asked whether a call happened; if it does not know, a person looks."
    ),
    EffectClass.OPAQUE: (
        "A call whose answer was lost is never repeated by itself; a person says whether it "
        "happened."
    ),
}
EFFECTS: Final[Mapping[str, str]] = {
    "money": "Moves money",
    "production": "Changes production",
    "destructive": "Destroys something",
    "external_communication": "Writes to somebody outside",
    "personal_data": "Touches personal data",
    "credentials": "Touches credentials",
}
EFFECT_STATES: Final[Mapping[str, str]] = {
    EffectState.READY: "not sent yet",
    EffectState.DISPATCHED: "sent; the answer is not there yet",
    EffectState.SUCCEEDED: "happened",
    EffectState.ACCEPTED: "accepted by the other side, not confirmed yet",
    EffectState.CONFIRMED: "happened, confirmed by the other side",
    EffectState.BOUNCED: "bounced",
    EffectState.FAILED: "did not happen",
    EffectState.IN_DOUBT: "unknown; a person looks",
}
UNDOS: Final[Mapping[str, str]] = {
    "undone": "It was undone since.",
    "asked": "A person asked to undo it.",
}
READ_BACK: Final = "happened; read back and found"
OUTCOMES: Final[Mapping[str, str]] = {
    Outcome.DONE: "Done",
    Outcome.ABSTAINED: "Abstained",
    Outcome.STOPPED: "Stopped",
    Outcome.FAILED: "Failed",
}
RUN_STATES: Final[Mapping[str, str]] = {
    RunState.QUEUED: "Queued",
    RunState.RUNNING: "At work",
    RunState.WAITING: "Waiting for a person",
    RunState.SLEEPING: "Waiting to retry",
    RunState.READY: "About to go on",
    RunState.SUCCEEDED: "Succeeded",
    RunState.FAILED: "Failed",
    RunState.CANCELLED: "Cancelled",
}
REFUSED: Final[Mapping[str, str]] = {
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
STEP_STATES: Final[Mapping[str, str]] = {
    StepState.STARTED: "At work",
    StepState.UNJUDGED: "Being scored",
    StepState.PROPOSED: "Proposed",
    StepState.WAITING: "Waiting",
    StepState.DISPATCHED: "Executing",
    StepState.SUCCEEDED: "Done",
    StepState.FAILED: "Failed",
    StepState.REFUSED: "Not done",
}
STEP_ICONS: Final[Mapping[str, str]] = {
    StepKind.MODEL: "model",
    StepKind.SCORE: "search",
    StepKind.STATE: "next",
    StepKind.DECISION: "check",
    StepKind.ROUTE: "filter",
    StepKind.TOOL: "tool",
    StepKind.DELEGATE: "agents",
    StepKind.QUESTION: "comment",
    StepKind.ABSTAIN: "stop",
    StepKind.FINAL: "check",
    StepKind.BUDGET: "alert",
    StepKind.ATTENTION: "alert",
    StepKind.IN_DOUBT: "alert",
    StepKind.MESSAGE: "comment",
    StepKind.GOAL: "edit",
    StepKind.HAND_BACK: "person",
}
CHILDREN: Final[Mapping[str, str]] = {
    "child_abstained": "It abstained",
    "child_stopped": "It was stopped",
    "child_failed": "It failed",
}
BREAKERS: Final[Mapping[str, str]] = {
    "closed": "",
    "open": "It failed again and again, so it is left alone",
    "probing": "It failed again and again; the next call finds out whether it answers again",
}
HELD_BACK: Final[Mapping[str, str]] = {
    "rate": "{tool} may be called only so often; this call waits until it may.",
    "failures": "{tool} failed again and again, so it is left alone for a while; this call waits.",
}
FOUND: Final[Mapping[str, str]] = {
    "happened": "A person found that it happened.",
    "did_not": "A person found that it did not happen.",
    "compensate": "A person found that it happened, and makes up for it.",
}
CHOSEN: Final[Mapping[str, str]] = {
    "finish_old": "A person let it finish on its old definition.",
    "use_new": "A person let it go on with the new version of its agent.",
    "other_way": "A person told it to find another way.",
    "allow": "A person let it repeat this.",
}
BRIEF_LENGTH: Final = 90


def plain(name: str) -> str:
    """`issue_refund` as `Issue refund`."""
    return name.replace("_", " ").replace("-", " ").capitalize()


def brief(value: Any, length: int = BRIEF_LENGTH) -> str:
    """A value in one short line: the values of an object, or a text cut at a word's length."""
    if isinstance(value, Mapping):
        text = ", ".join(brief(item, length) for item in value.values() if item not in (None, ""))
    elif isinstance(value, list | tuple):
        text = ", ".join(brief(item, length) for item in value)
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


TITLES: Final[Mapping[StepKind, str]] = {
    StepKind.DECISION: "The model answered",
    StepKind.QUESTION: "Asked a person",
    StepKind.ABSTAIN: "Said that it cannot know or do this",
    StepKind.FINAL: "Gave its final answer",
}
"""Of steps whose title is always the same."""


def step_title(step: Step) -> str:
    """What the step is, as a reader would say it."""
    asked = step.request or {}
    match step.kind:
        case StepKind.SCORE:
            return _score_title(step, asked)
        case StepKind.DELEGATE:
            to = plain(str((step.arguments or {}).get("agent") or "another agent"))
            return f"{'Handed' if has_child(step) else 'Hands'} work to {to}"
        case StepKind.ROUTE:
            return "Had a model sort the task"
        case StepKind.STATE:
            return f"State: {plain(step.name).lower()}"
        case StepKind.DECISION if step.state == StepState.FAILED:
            return "The model's answer could not be used"
        case _:
            return TITLES.get(StepKind(step.kind)) or _title(step, asked)


def _title(step: Step, asked: Mapping[str, Any]) -> str:
    match step.kind:
        case StepKind.MODEL:
            return "Asks the model" if step.state == StepState.STARTED else "Asked the model"
        case StepKind.BUDGET:
            return f"Reached its limit of {amounts.name_of(step.name)}"
        case StepKind.ATTENTION:
            return f"Needs a look: {asked.get('title') or plain(step.name).lower()}"
        case StepKind.IN_DOUBT:
            return f"Nobody knows whether it happened: {plain(step.name).lower()}"
        case StepKind.TOOL if asked.get("undo"):
            return f"Undo: {plain(asked['undo']['tool']).lower()}"
        case StepKind.MESSAGE:
            bounced = f"Was told that it bounced: {plain(step.name).lower()}"
            return bounced if asked.get("bounced") else f"{_who(step)} says"
        case StepKind.GOAL:
            return f"{_who(step)} changed the task"
        case StepKind.HAND_BACK:
            return f"{_who(step)} took over"
        case _:
            undone = (asked.get("undo") or {}).get("tool")
            return f"Undo: {plain(undone).lower()}" if undone else plain(step.name)


MOVES: Final[Mapping[str, str]] = {
    "call": "Code decided: call {tool}.",
    "ask_model": "Code decided: ask the model.",
    "ask_person": "Code decided: ask a person.",
    "go": "Code decided: go on to {then}.",
    "done": "Code decided: it is done.",
    "abstain": "Code decided: it cannot know or do this.",
}


def move_words(step: Step) -> str:
    """What the code of a state decided, in a sentence."""
    move = step.request or {}
    if move.get("by_default"):
        return "Its workflow has no state for a refusal, so it ends here."
    words = MOVES[str(move["move"])].format(
        tool=plain(str(move.get("tool", ""))).lower(), then=plain(str(move.get("then", ""))).lower()
    )
    return f"{words} {move['why']}" if move.get("why") else words


def _score_title(step: Step, asked: Mapping[str, Any]) -> str:
    if step.name == "verifier":
        return "Had a model look for objections"
    return f"Asked the model again, to compare: reply {asked.get('sample')}"


def _who(step: Step) -> str:
    return str((step.request or {}).get("by") or "A person")


def step_state(step: Step) -> str:
    """The step's state in a word or two."""
    kind = str((step.resolution or {}).get("kind") or "")
    if step.state == StepState.REFUSED:
        if step.problem == "run_ended" and kind == "stopped":
            return "Rejected; the run was stopped"
        return REFUSED.get(step.problem, REFUSED["lapsed"] if kind == "approved" else "Not done")
    if step.kind == StepKind.HAND_BACK and step.state in (StepState.WAITING, StepState.SUCCEEDED):
        handed_back = kind or step.state == StepState.SUCCEEDED
        return "Handed back" if handed_back else "Taken over"
    if step.kind == StepKind.DELEGATE and step.problem in CHILDREN:
        return CHILDREN[step.problem]
    if has_child(step) and step.state == StepState.WAITING:
        return "It has ended" if kind else "At work"
    if step.state == StepState.WAITING and kind:
        return REFUSED.get(kind, plain(kind))
    if step.state == StepState.WAITING:
        return "Waiting for a person"
    if step.state == StepState.PROPOSED and is_in_line(step):
        return "Waiting for its turn"
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


def effect_words(effect: EffectRecord | None, step: Step) -> str:
    """How the step's effect stands; empty without one."""
    if effect is None:
        return ""
    if effect.state == EffectState.SUCCEEDED and (step.output or {}).get("verified"):
        return READ_BACK
    return EFFECT_STATES.get(EffectState(effect.state), "")


def undo_words(effect: EffectRecord | None) -> str:
    """Whether the effect is undone, or is to be; empty otherwise."""
    return UNDOS.get(str(vars(effect).get("undo") or ""), "") if effect is not None else ""


def bounced_words(effect: EffectRecord | None) -> str:
    """That what was accepted has bounced, in the other side's words; empty where it has not."""
    if effect is None or effect.state != EffectState.BOUNCED:
        return ""
    detail = str(effect.callbacks[-1].get("detail") or "") if effect.callbacks else ""
    return f"It bounced: {detail}" if detail else "It bounced."


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
        return "The run ended before this was done."
    return ""


def model_trouble(step: Step) -> str:
    """Why a model call gave nothing usable; empty when it did, and for other steps."""
    if step.kind != StepKind.MODEL:
        return ""
    if step.problem == "no_tool_call":
        return "It answered in words and called no tool. It is told so and asked again."
    if step.state != StepState.FAILED:
        return ""
    if step.problem == "run_ended":
        return "The run ended during this call."
    last = (step.attempts or [{}])[-1]
    return str(last.get("message") or f"It failed: {plain(step.problem).lower()}.")


def run_state(run: Run, *, only_in_line: bool = False, only_children: bool = False) -> str:
    """The run's state in a word or two; flags of a person come first.

    `only_in_line`: it waits for resources alone, and for no person; `only_children`: for runs alone that it
    handed work to.
    """
    if run.cancel_requested_at is not None and not run.ended:
        return "Being cancelled"
    if run.paused_at is not None and not run.ended:
        return "Paused"
    if run.taken_over_by is not None and not run.ended:
        return "Taken over"
    if run.state == RunState.SUCCEEDED and run.outcome != Outcome.DONE:
        return OUTCOMES.get(run.outcome, RUN_STATES[RunState.SUCCEEDED])
    if run.state == RunState.WAITING and only_in_line:
        return "Waiting for its turn"
    if run.state == RunState.WAITING and only_children:
        return "Waiting for another agent"
    return RUN_STATES[RunState(run.state)]


def run_tone(run: Run) -> str:
    """The state word that gives the run's chip its colour."""
    if run.ended:
        return str(run.state) if run.outcome in (Outcome.DONE, "") else "ended"
    if run.paused_at is not None or run.cancel_requested_at is not None or run.taken_over_at:
        return "paused"
    return str(run.state)


_HALTED: Final = {
    SwitchScope.GLOBAL: "Everything is switched off: nothing is dispatched until that switch is lifted.",
    SwitchScope.AGENT: "Its agent is switched off: nothing is dispatched until it is switched on again.",
    SwitchScope.AGENT_TOOL: "{tool} is switched off for its agent: the call waits until that is lifted.",
    SwitchScope.TOOL: "{tool} is switched off: the call waits until that switch is lifted.",
}


def why_it_stands(
    run: Run, last: Step | None, now: datetime, halt: KillSwitch | None = None
) -> str:
    """Why the run does not move, or how it ended, in a sentence; empty where the page says it.

    `halt` is the kill switch that holds it.
    """
    if run.ended:
        return _how_it_ended(run)
    if run.cancel_requested_at is not None:
        return "It is cancelled at the next safe point."
    if halt is not None:
        return _HALTED[halt.scope].format(tool=plain(halt.tool))
    if run.paused_at is not None:
        return "Paused: no worker takes it up until it is resumed. Decisions still land."
    if run.taken_over_by is not None:
        return (
            f"{run.taken_over_by} has taken it over: nothing of it goes out until it is handed back. "
            "Decisions still land."
        )
    match run.state:
        case RunState.QUEUED:
            return "A worker takes it up in a moment."
        case RunState.SLEEPING:
            if last is not None and last.kind == StepKind.TOOL:
                return held_back_words(last) or "A tool may not be called yet."
            return (model_trouble(last) if last else "") or "The model could not be used."
        case RunState.READY if run.ready_at is not None and run.ready_at > now:
            return "Approved. The approval can be taken back for a moment, then it goes on."
        case RunState.READY:
            return "A worker goes on with it in a moment."
        case _:
            return ""


def _how_it_ended(run: Run) -> str:
    if run.failure:
        return str(run.failure.get("message") or "")
    if run.outcome == Outcome.ABSTAINED:
        return "The agent said that it does not know, or cannot do this."
    return ""
