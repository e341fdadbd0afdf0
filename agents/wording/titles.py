"""What a step is, and what became of a state or a person's word, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext

from agents import amounts
from agents.journal import has_child
from agents.models import Step
from agents.states import StepKind, StepState
from agents.wording.texts import plain
from audit.wordings import Words

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
    StepKind.SIMULATION: "undo",
}

FOUND: Final = Words(
    {
        "happened": "A person found that it happened.",
        "did_not": "A person found that it did not happen.",
        "compensate": "A person found that it happened, and makes up for it.",
    }
)

CHOSEN: Final = Words(
    {
        "finish_old": "A person let it finish on its old definition.",
        "use_new": "A person let it go on with the new version of its agent.",
        "other_way": "A person told it to find another way.",
        "allow": "A person let it repeat this.",
    }
)

TITLES: Final = Words(
    {
        StepKind.DECISION: "The model answered",
        StepKind.QUESTION: "Asked a person",
        StepKind.ABSTAIN: "Said that it cannot know or do this",
        StepKind.FINAL: "Gave its final answer",
    }
)
"""Of steps whose title is always the same."""


def step_title(step: Step) -> str:
    """What the step is, as a reader would say it."""
    asked = step.request or {}
    match step.kind:
        case StepKind.SCORE:
            return _score_title(step, asked)
        case StepKind.DELEGATE:
            to = plain(str((step.arguments or {}).get("agent") or gettext("another agent")))
            handed = has_child(step)
            return (
                gettext("Handed work to {to}") if handed else gettext("Hands work to {to}")
            ).format(to=to)
        case StepKind.ROUTE:
            return gettext("Had a model sort the task")
        case StepKind.STATE:
            return gettext("State: {what}").format(what=plain(step.name).lower())
        case StepKind.DECISION if step.state == StepState.FAILED:
            return gettext("The model's answer could not be used")
        case _:
            return TITLES.get(StepKind(step.kind)) or _title(step, asked)


def _title(step: Step, asked: Mapping[str, Any]) -> str:
    match step.kind:
        case StepKind.MODEL:
            return (
                gettext("Asks the model")
                if step.state == StepState.STARTED
                else gettext("Asked the model")
            )
        case StepKind.BUDGET:
            return gettext("Reached its limit of {name}").format(name=amounts.name_of(step.name))
        case StepKind.ATTENTION:
            return gettext("Needs a look: {what}").format(
                what=asked.get("title") or plain(step.name).lower()
            )
        case StepKind.IN_DOUBT:
            return gettext("Nobody knows whether it happened: {what}").format(
                what=plain(step.name).lower()
            )
        case StepKind.TOOL if asked.get("undo"):
            return gettext("Undo: {what}").format(what=plain(asked["undo"]["tool"]).lower())
        case StepKind.MESSAGE:
            bounced = gettext("Was told that it bounced: {what}").format(
                what=plain(step.name).lower()
            )
            return (
                bounced if asked.get("bounced") else gettext("{step} says").format(step=_who(step))
            )
        case StepKind.GOAL:
            return gettext("{step} changed the task").format(step=_who(step))
        case StepKind.SIMULATION if "step" in asked:
            return gettext(
                "Forked here: all before was copied, and nothing after is done in earnest"
            )
        case StepKind.SIMULATION:
            return gettext("Simulated from here on: nothing is done in earnest")
        case StepKind.HAND_BACK:
            return gettext("{step} took over").format(step=_who(step))
        case _:
            undone = (asked.get("undo") or {}).get("tool")
            return (
                gettext("Undo: {what}").format(what=plain(undone).lower())
                if undone
                else plain(step.name)
            )


MOVES: Final = Words(
    {
        "call": "Code decided: call {tool}.",
        "ask_model": "Code decided: ask the model.",
        "ask_person": "Code decided: ask a person.",
        "go": "Code decided: go on to {then}.",
        "done": "Code decided: it is done.",
        "abstain": "Code decided: it cannot know or do this.",
    }
)


def move_words(step: Step) -> str:
    """What the code of a state decided, in a sentence."""
    move = step.request or {}
    if move.get("by_default"):
        return gettext("Its workflow has no state for a refusal, so it ends here.")
    words = MOVES[str(move["move"])].format(
        tool=plain(str(move.get("tool", ""))).lower(), then=plain(str(move.get("then", ""))).lower()
    )
    return f"{words} {move['why']}" if move.get("why") else words


def _score_title(step: Step, asked: Mapping[str, Any]) -> str:
    if step.name == "verifier":
        return gettext("Had a model look for objections")
    return gettext("Asked the model again, to compare: reply {asked}").format(
        asked=asked.get("sample")
    )


def _who(step: Step) -> str:
    return str((step.request or {}).get("by") or gettext("A person"))
